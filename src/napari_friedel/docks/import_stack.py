"""Dock "Import": open files, choose the channel with a preview, give bias and pixel size where they lack."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QFileDialog

from friedel.channel_memory import remember_channel
from friedel.errors import StackError
from friedel.io.axes import override_axes
from friedel.progress import Progress
from friedel.settings import ImportSettings
from friedel.stack import (
    DIMS,
    didv_candidates,
    didv_channel,
    pixel_pitch,
    row_direction,
    turned_over,
)
from napari_friedel.docks.import_form import ImportForm
from napari_friedel.docks.session_box import SessionBox
from napari_friedel.jobs import Job
from napari_friedel.layers import linking
from napari_friedel.layers.describe import describe
from napari_friedel.layers.geometry import placement
from napari_friedel.layers.info import KEY, StackInfo, kind_of, known, update
from napari_friedel.layers.plain import parse_bias, plain_array, plain_stack
from napari_friedel.layers.stack_layers import (
    OPENED_WITH,
    RECALIBRATED,
    TURNED,
    add_layer,
    axes_of,
    stack_layer,
    stack_layers,
    stack_of,
)
from napari_friedel.layers.versions import fit_to_view
from napari_friedel.turns import in_turns

if TYPE_CHECKING:
    from collections.abc import Generator

    import xarray as xr


class ImportDock(ImportForm):
    """Dock "Import"."""

    tab = "Import"
    page = "file-formats.html"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.job = Job(self, "opening a file")
        self._build_open()
        self._build_layer()
        self._build_axes()
        self.session = SessionBox(self.viewer, self.message)
        self.form.addWidget(self.session)
        self.form.addStretch(1)
        self.layer.currentIndexChanged.connect(self._layer_changed)
        self.channel.currentIndexChanged.connect(self._preview)
        self.axes.currentIndexChanged.connect(self._axes_changed)
        self.apply.clicked.connect(self.safely(self.make))
        self.back.clicked.connect(self.safely(self.bring_back))
        self.job.returned.connect(self._opened)
        self.job.failed.connect(self.message.error)
        self.job.warned.connect(self.message.warn)
        self.listener.on(self.viewer.dims.events.point, self._slider_moved)
        self.listener.on(self.viewer.layers.selection.events.active, self._activated)
        self._replaced: dict[Any, Any] = {}
        self.share_stack(self.layer)
        self._layer_changed()

    # --- opening --------------------------------------------------------------------------------------------------

    def _ask_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Open STM files")
        if paths:
            self.open(paths if len(paths) > 1 else paths[0])

    def _ask_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Open a folder of spectra or images")
        if path:
            self.open(path)

    def open(self, source: Any) -> None:
        """Open a file, a folder or a list of files off the GUI thread; bias and pixel size typed below are used."""
        # What is shown of a stack belongs to that stack, not to the next file.
        given = ImportSettings()
        if kind_of(self.layer.layer()) != "stack":
            given = ImportSettings(
                bias=self.bias.text().strip() or None,
                pixel_nm=self.options.value("pixel_nm"),
                separate_scans=self.separate.isChecked(),
            )
        self.message.clear()

        def work() -> Generator[Progress, None, Any]:
            yield Progress(0.0, "reading")
            from friedel.io import open_stack

            stack = open_stack(source, **given.changed())
            stack.encoding |= {OPENED_WITH: given, RECALIBRATED: bool(given.changed())}
            stack[didv_channel(stack)[0]].load()
            return stack

        self.job.start(work)

    def _opened(self, stack: xr.Dataset) -> None:
        layers = [add_layer(self.viewer, layer) for layer in stack_layers(stack)]
        self.layer.choose(layers[-1])
        self.viewer.layers.selection.active = layers[-1]

    def _activated(self, _event: Any = None) -> None:
        """A plain layer that was opened or clicked waits for its axes; stacks come by way of all docks."""
        active = self.viewer.layers.selection.active
        if active is not None and kind_of(active) == "":
            self.layer.choose(active)  # nothing where it is no image

    # --- showing --------------------------------------------------------------------------------------------------

    def _layer_changed(self, *_: Any) -> None:
        self.message.clear()
        layer = self.layer.layer()
        plain = kind_of(layer) != "stack"
        self.channel.blockSignals(True)
        self.channel.clear()
        self.options.show_row("axes", plain)
        self.mirror.setVisible(plain)
        self.back.setVisible(layer in self._replaced)
        self.unit.setCurrentIndex(0)
        self.channel.setEnabled(not plain)
        self.keep.setEnabled(not plain)
        self.keep.setChecked(False)
        self.apply.setText("Make stack" if plain else "Apply")
        if layer is None:
            self.about.setText("Drop a file on the viewer, or open one above.")
        elif plain:
            self.about.setText(
                f"Shape {' × '.join(map(str, plain_array(layer).shape))}; no bias axis, no pixel size yet."
            )
            self.bias.clear()
            self.pixel.clear()
            self.separate.setChecked(False)
            self.top.setChecked(True)  # pictures and arrays have their first row at the top
        else:
            info = known(layer, StackInfo)
            stack = stack_of(layer)[0]
            self.about.setText(describe(stack, info.channel))
            for name in didv_candidates(stack):  # the likeliest first
                derived = didv_channel(stack, name)[1]
                self.channel.addItem(f"dI/dV of {name}" if derived else name, name)
            self.channel.setCurrentIndex(self.channel.findData(info.channel))
            bias = stack["bias"].to_numpy()
            even = len(bias) < 3 or np.allclose(np.diff(bias), bias[1] - bias[0], rtol=1e-4)
            self.bias.setText(f"{bias[0]:g}:{bias[-1]:g}" if even else ", ".join(f"{v:g}" for v in bias))
            pitch = pixel_pitch(stack)
            self.pixel.setText(
                f"{pitch[1]:.6g}" if np.isclose(*pitch, rtol=1e-6) else f"{pitch[0]:.6g}, {pitch[1]:.6g}"
            )
            self.top.setChecked(row_direction(stack) < 0)
            self.separate.setChecked(bool(stack.attrs.get("separate_scans", 0)))
        self._separate = self.separate.isChecked()
        self.channel.blockSignals(False)
        self._typed = (self.bias.text(), self.pixel.text())
        self._preview()

    def _axes_changed(self, *_: Any) -> None:
        self._preview()

    def _slider_moved(self, _event: Any = None) -> None:
        if self.isVisible():
            self._preview()

    # --- making ---------------------------------------------------------------------------------------------------

    def make(self) -> None:
        """Make a calibrated stack of a plain layer, or apply channel and axes to one that is a stack already.

        Raises
        ------
        StackError
            If something is missing or does not fit.
        """
        layer = self.layer.layer()
        if layer is None:
            raise StackError("No layer is chosen: drop a file on the viewer, or open one above.")
        if kind_of(layer) == "stack":
            self._recalibrate(layer)
            return
        stack = self._from_plain(layer)
        typed = (self.axes.currentIndex(), self.bias.text(), self.pixel.text(), self.unit.currentIndex())
        steps = self._replacing(layer, stack, typed)
        in_turns(steps, failed=self.message.error_of, viewer=self.viewer)

    def _replacing(
        self, layer: Any, stack: xr.Dataset, typed: tuple[Any, ...]
    ) -> Generator[None, None, None]:
        """Put the stack in place of the plain layer; each takes napari a quarter second."""
        # A layer in pixels beside one in nm would take the nm from the scale bar and mix the sliders' units.
        self.viewer.layers.remove(layer)
        yield
        made = add_layer(self.viewer, stack_layer(stack, name=layer.name))
        self._replaced[made] = (layer, typed)
        yield
        self.layer.choose(made)
        self.viewer.layers.selection.active = made
        self.back.setVisible(True)
        self.viewer.dims.set_point(self.viewer.dims.ndim - 3, float(known(made, StackInfo).bias_mv[0]))
        fit_to_view(self.viewer)
        self.message.info(f"Made {made.name!r}.")

    def bring_back(self) -> None:
        """Undo `make`: the plain layer returns, with what was typed."""
        made = self.layer.layer()
        layer, (axes, bias, pixel, unit) = self._replaced.pop(made)
        self.viewer.layers.remove(made)
        self.viewer.layers.append(layer)
        self.layer.choose(layer)
        self.axes.setCurrentIndex(axes)
        self.bias.setText(bias)
        self.pixel.setText(pixel)
        self.unit.setCurrentIndex(unit)

    def _bias(self) -> str:
        """The voltages as typed, in mV.

        Raises
        ------
        StackError
            If they look like volts that are called millivolts.
        """
        return parse_bias(self.bias.text(), self.unit.currentText())

    def _from_plain(self, layer: Any) -> xr.Dataset:
        pixel = self.options.value("pixel_nm")
        if not self.bias.text().strip() or pixel is None:
            raise StackError("Give the bias voltages (first:last) and the pixel size (in nm).")
        order = self.options.value("axes")
        axes = ImportSettings(
            bias=self._bias(),
            pixel_nm=pixel,
            axes=None if order == "byx" else order,
            separate_scans=self.separate.isChecked(),
        )
        return plain_stack(layer, axes, mirrored=self.mirror.isChecked(), top=self.top.isChecked())

    def _recalibrate(self, layer: Any) -> None:
        old, _ = stack_of(layer)
        if self.keep.isChecked():
            remember_channel(str(old.attrs["instrument"]), str(self.channel.currentData()))
        bias = self._bias() if (self.bias.text(), self.unit.currentText()) != (self._typed[0], "mV") else None
        pixel = self.options.value("pixel_nm") if self.pixel.text() != self._typed[1] else None
        stack = override_axes(old, bias, pixel, layer.name)
        direction = -1 if self.top.isChecked() else 1
        turned = direction != row_direction(old)
        if turned:
            stack = turned_over(stack)
        separate = self.separate.isChecked()
        if separate != self._separate:
            stack = stack.assign_attrs(separate_scans=int(separate))
        if stack is not old:
            before = axes_of(old)
            axes = replace(
                before,
                bias=before.bias if bias is None else bias,
                pixel_nm=before.pixel_nm if pixel is None else pixel,
                separate_scans=separate,
            )
            # No setting takes back what the file itself says.
            own = self._separate and not before.separate_scans
            fixed = bool(old.encoding.get(TURNED)) or turned or (own and not separate)
            stack.encoding = {**old.encoding, RECALIBRATED: True, OPENED_WITH: axes, TURNED: fixed}
        data, kwargs, _ = stack_layer(stack, self.channel.currentData(), known(layer, StackInfo).title)
        others = linking.companions(self.viewer, layer)
        layer.metadata["friedel moves"] = True
        try:
            layer.data = data
            layer.name = kwargs["name"]
            layer.metadata[KEY] = kwargs["metadata"][KEY]
            layer.contrast_limits = kwargs["contrast_limits"]
            _move(layer, placement(stack, DIMS))
            for other in others:  # its topograph and results lie on the same stack
                if other.ndim == 2 and kind_of(other) != "agreement":
                    _move(other, placement(stack))
                update(other, stack=stack)
        finally:
            layer.metadata.pop("friedel moves")
        self.layer.currentIndexChanged.emit(self.layer.currentIndex())
        self.message.info(f"{layer.name!r} now shows {describe(stack, self.channel.currentData())}.")


def _move(layer: Any, place: dict[str, Any]) -> None:
    layer.rotate, layer.scale, layer.translate = place["rotate"], place["scale"], place["translate"]
