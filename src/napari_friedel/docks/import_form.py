"""The form of the import dock: files, layer, channel, axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QWidget

from friedel.errors import FriedelError
from friedel.settings import ImportSettings
from friedel.stack import didv, pixel_pitch, row_direction
from napari_friedel import recipes
from napari_friedel.layers.info import kind_of
from napari_friedel.layers.plain import parse_bias, plain_array
from napari_friedel.layers.stack_layers import stack_of
from napari_friedel.layers.viewing import stack_index
from napari_friedel.widgets import Dock, JobBar, LayerBox, button, form_for, hint
from napari_friedel.widgets.copy_bar import CopyBar
from napari_friedel.widgets.plots import Plot
from napari_friedel.words import sentence

if TYPE_CHECKING:
    from napari_friedel.jobs import Job


class ImportForm(Dock):
    """What is chosen before a file or a layer becomes a stack; `ImportDock` makes it."""

    job: Job
    #: Bias and pixel size as the layer has them.
    _typed: tuple[str, str] = ("", "")
    #: Whether the layer's maps are separate scans, as its stack says.
    _separate = False

    def _recipe(self) -> recipes.Recipe:
        layer = self.layer.layer()
        if kind_of(layer) != "stack":
            raise FriedelError("Make a stack first: a plain layer lies in no file that a command can open.")
        return recipes.opening(stack_of(layer)[0], self.changed_axes())

    def changed_axes(self) -> ImportSettings:
        """The axes typed here, where they differ from those of the layer."""
        bias, pixel = self._typed
        typed = (self.bias.text(), self.unit.currentText())
        return ImportSettings(
            bias=parse_bias(*typed) if typed != (bias, "mV") else None,
            pixel_nm=self.options.value("pixel_nm") if self.pixel.text() != pixel else None,
            separate_scans=self.separate.isChecked() and not self._separate,
        )

    def _build_open(self) -> None:
        rows = self.group("Open")
        self.bar = JobBar(self.job, "Open files…")
        self.folder = button(
            "Open a folder…", "A folder of point spectra that form a grid, or of images at different bias"
        )
        self.bar.start.setToolTip(
            "Several files are read as one stack: spectra of a grid, images at different bias"
        )
        self.bar.start.clicked.connect(self.safely(self._ask_files))
        self.folder.clicked.connect(self.safely(self._ask_folder))
        rows.addRow(self.bar)
        rows.addRow(self.folder)

    def _build_layer(self) -> None:
        rows = self.group("Layer")
        self.layer = LayerBox(
            self.viewer, lambda x: type(x).__name__ == "Image" and kind_of(x) in ("stack", "")
        )
        self.about = QLabel("")
        self.about.setWordWrap(True)
        self.layer.setToolTip("The layer whose channel, voltages and pixel size are set here")
        self.channel = QComboBox()
        self.channel.setToolTip("The channel that is shown and searched; a current is differentiated")
        self.keep = QCheckBox("Remember this channel for the instrument")
        self.keep.setToolTip(
            "Files of this instrument that hold a channel of this name open with it from now on"
        )
        self.plot = Plot("x (nm)", "y (nm)", viewer=self.viewer, height=190)
        self.plot.square()
        rows.addRow("Layer", self.layer)
        rows.addRow(self.about)
        rows.addRow("Channel", self.channel)
        rows.addRow(self.keep)
        rows.addRow(self.plot)

    def _build_axes(self) -> None:
        rows = self.group("Axes")
        self.options = form_for(
            ImportSettings,
            ("axes", "bias", "pixel_nm", "separate_scans"),
            choices={"axes": lambda: ("byx", "yxb")},
            initial={"axes": "byx"},
            required=("axes",),
            remember=False,  # they belong to one layer
        )
        self.axes, self.bias, self.pixel, self.separate = (
            self.options.controls[name].native for name in self.options.shown
        )
        self.bias.setPlaceholderText("-230:20, -230:20:2, or every voltage: -200, -150, …")
        self.pixel.setPlaceholderText("0.469, or along y, x: 0.469, 0.47")
        self.unit = QComboBox()
        self.unit.addItems(["mV", "V"])
        self.unit.setToolTip("Unit of the voltages that are typed here")
        self.options.unit_beside("bias", self.unit)
        self.top = QCheckBox("First row at the top (y falls with the row)")
        self.top.setToolTip("How the map lies under the tip; the data are not changed")
        self.mirror = QCheckBox("Mirror left–right")
        self.mirror.setToolTip("Where columns run from right to left")
        self.apply = button("Make stack", "Give the layer its voltages and its pixel size")
        self.back = button(
            "Back to the plain layer", "Take the stack away and bring the layer back that it was made of"
        )
        self.back.setVisible(False)
        self.apply.setStyleSheet("QPushButton { font-weight: bold; }")
        rows.addRow(self.options)
        rows.addRow(self.top)
        rows.addRow(self.mirror)
        rows.addRow(_right(self.apply))
        rows.addRow(self.back)
        self.copy = CopyBar(self._recipe, self.message.error)
        rows.addRow(self.copy)
        rows.addRow(
            hint("The data are never resampled here; “first row” only says how the map lies under the tip.")
        )

    def _preview(self, *_: Any) -> None:
        image, size = self._picture()
        self.plot.setVisible(image is not None)
        unit = "nm" if kind_of(self.layer.layer()) == "stack" else "px"
        self.plot.label("bottom", f"x ({unit})")
        self.plot.label("left", f"y ({unit})")
        if image is not None:
            self.plot.picture(image, (0, image.shape[1] * size[1], 0, image.shape[0] * size[0]), "viridis")

    def _picture(self) -> tuple[np.ndarray | None, tuple[float, float]]:
        """The map that the preview shows, with its pixel size."""
        layer = self.layer.layer()
        if layer is None or layer.rgb or plain_array(layer).ndim not in (2, 3):
            return None, (1.0, 1.0)
        if kind_of(layer) == "stack":
            (stack, _), name = stack_of(layer), self.channel.currentData()
            try:
                maps = didv(stack, name)
            except FriedelError as error:
                self.message.error(sentence(error))
                return None, (1.0, 1.0)
            order = np.argsort(stack["bias"].to_numpy())
            image = maps.isel(bias=int(order[stack_index(self.viewer, layer)])).to_numpy()
            flipped = image if row_direction(stack) > 0 else image[::-1]
            return flipped, pixel_pitch(stack)
        data = plain_array(layer)
        if data.ndim == 2:
            return np.asarray(data, dtype=float)[::-1], (1.0, 1.0)
        middle = (
            data[..., data.shape[2] // 2] if self.options.value("axes") == "yxb" else data[data.shape[0] // 2]
        )
        return np.asarray(middle, dtype=float)[::-1], (1.0, 1.0)


def _right(widget: QWidget) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.addStretch(1)
    row.addWidget(widget)
    return holder
