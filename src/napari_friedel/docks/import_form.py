"""The form of the import dock: files, layer, channel, axes."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QHBoxLayout, QLabel, QLineEdit, QWidget

from friedel.errors import FriedelError, StackError
from friedel.settings import ImportSettings, setting
from napari_friedel import recipes
from napari_friedel.jobs import Job
from napari_friedel.layers.info import kind_of
from napari_friedel.layers.plain import parse_bias
from napari_friedel.layers.stack_layers import stack_of
from napari_friedel.widgets import Dock, JobBar, LayerBox, button, hint, side_by_side
from napari_friedel.widgets.copy_bar import CopyBar
from napari_friedel.widgets.plots import Plot

AXES = {"byx": "bias, y, x", "yxb": "y, x, bias"}


class ImportForm(Dock):
    """What is chosen before a file or a layer becomes a stack; `ImportDock` makes it."""

    job: Job
    #: Bias and pixel size as the layer has them.
    _typed: tuple[str, str] = ("", "")

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
            pixel_nm=parse_pixel(self.pixel.text()) if self.pixel.text() != pixel else None,
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
        self.axes = QComboBox()
        for key, text in AXES.items():
            self.axes.addItem(text, key)
        self.axes.setToolTip(setting(ImportSettings, "axes").help)
        self.bias = QLineEdit()
        self.bias.setPlaceholderText("-230:20, -230:20:2, or every voltage: -200, -150, …")
        self.bias.setToolTip(setting(ImportSettings, "bias").help + " START:STOP or START:STOP:STEP.")
        self.unit = QComboBox()
        self.unit.addItems(["mV", "V"])
        self.unit.setToolTip("Unit of the voltages that are typed here")
        self.pixel = QLineEdit()
        self.pixel.setToolTip(setting(ImportSettings, "pixel_nm").help + " In nm.")
        self.pixel.setPlaceholderText("0.469, or along y, x: 0.469, 0.47")
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
        rows.addRow("Axes are", self.axes)
        rows.addRow("Bias", side_by_side(self.bias, self.unit))
        rows.addRow("Pixel (nm)", self.pixel)
        rows.addRow(self.top)
        rows.addRow(self.mirror)
        rows.addRow(_right(self.apply))
        rows.addRow(self.back)
        self.copy = CopyBar(self._recipe, self.message.error)
        rows.addRow(self.copy)
        rows.addRow(
            hint("The data are never resampled here; “first row” only says how the map lies under the tip.")
        )
        self._rows = rows


def _right(widget: QWidget) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.addStretch(1)
    row.addWidget(widget)
    return holder


def show_row(rows: QFormLayout, widget: QWidget, shown: bool) -> None:
    """Show or hide a row of a form with its label; Qt before 6.4 has no `setRowVisible`."""
    label = rows.labelForField(widget)
    for part in (label, widget):
        if part is not None:
            part.setVisible(shown)


def parse_pixel(text: str | None) -> Any:
    """Parse one length, or two (along y, x)."""
    parts = [part for part in (text or "").replace(";", ",").split(",") if part.strip()]
    if not parts:
        return None
    try:
        values = [float(part) for part in parts]
    except ValueError:
        raise StackError(f"{text!r} is not a pixel size in nm.") from None
    if len(values) > 2:
        raise StackError("Give one pixel size, or two: along y, along x.")
    return values[0] if len(values) == 1 else (values[0], values[1])
