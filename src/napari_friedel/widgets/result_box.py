"""The lower half of the detect dock: threshold, number, density, checks, corrections, table, saving."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QGroupBox, QLabel
from superqt import QLabeledDoubleSlider

from friedel.errors import FriedelError
from napari_friedel import recipes
from napari_friedel.layers import edits, results
from napari_friedel.layers.info import ImpuritiesInfo, known, update
from napari_friedel.layers.saving import open_without_asking
from napari_friedel.layers.style import BY_LOG_ODDS, BY_ORIGIN
from napari_friedel.widgets import copying
from napari_friedel.widgets.checks_box import ChecksBox
from napari_friedel.widgets.copy_bar import CopyBar
from napari_friedel.widgets.edit_bar import EditBar
from napari_friedel.widgets.elided_box import ElidedBox
from napari_friedel.widgets.listener import Listener
from napari_friedel.widgets.scale_legend import ScaleLegend
from napari_friedel.widgets.small import button, side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable


class ResultBox(QGroupBox):
    """Shows and steers one Points layer of impurities."""

    def __init__(self, viewer: Any) -> None:
        super().__init__("Impurities")
        self._viewer = viewer
        self.layer: Any = None
        self._default = 0.5
        self._build()
        self._connect()
        listener = Listener(self)
        listener.on(results.EVENTS.changed, self._changed)
        listener.on(viewer.layers.events.removed, self._removed)
        self.follow(None)

    def _build(self) -> None:
        self.choice = ElidedBox()
        self.choice.setMinimumContentsLength(6)
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setToolTip("Several results of one stack: this one is shown, counted and saved")
        self.aside = button("Keep", "Keep this result as it is; the next run makes a new one beside it")
        self.slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0.0, 1.0)
        self.slider.setDecimals(3)
        self.slider.setSingleStep(0.01)  # type: ignore[arg-type]  # superqt types Qt's own, of whole steps
        self.slider.setToolTip("Candidates with at least this probability count (keys . and ,)")
        self.back = button("Default", "Back to the model's own threshold, set on validation data")
        self.number = QLabel("–")
        self.number.setStyleSheet("QLabel { font-size: 15pt; font-weight: bold; }")
        self.density = _text()
        self.density.setToolTip("95 % confidence interval of a Poisson process (exact); acquired area only")
        self.checks = ChecksBox()
        self.edits = _text()
        self.colour = QComboBox()
        self.colour.setToolTip("What the colour of a ring tells")
        self.legend = ScaleLegend()
        self.bar = EditBar(self._viewer)
        self.forget = self.bar.forget
        self.table = button("Table", "napari's table of these points: columns in nm, most probable first")
        self.copy = button("Copy table", "Put the table on the clipboard, to paste into a spreadsheet")
        self.sentence = button("Copy sentence", "Number, density and interval as a sentence for the notebook")
        self.save = button("Save table…", "Write CSV, JSON or xyz, with units and provenance")
        rows = QFormLayout(self)
        rows.setContentsMargins(6, 6, 6, 6)
        rows.setVerticalSpacing(4)
        self._several = side_by_side(self.choice, self.aside, shares=(3, 1))
        rows.addRow("Result", self._several)
        self.above = QLabel("Probability ≥")
        rows.addRow(self.above, self.slider)
        rows.addRow(side_by_side(self.number, self.back))
        for widget in (self.density, self.checks, self.edits, self.bar):
            rows.addRow(widget)
        rows.addRow("Colour", self.colour)
        rows.addRow(self.legend)
        rows.addRow(side_by_side(self.table, self.save))
        rows.addRow(side_by_side(self.copy, self.sentence))
        self.repeat = CopyBar(self._recipe)
        rows.addRow(self.repeat)

    def _recipe(self) -> recipes.Recipe:
        info = known(self.layer, ImpuritiesInfo)
        return recipes.detection(info.stack, info.found.provenance)

    def _connect(self) -> None:
        self.slider.valueChanged.connect(self.set_threshold)
        self.back.clicked.connect(lambda: self.set_threshold(self._default))
        self.colour.activated.connect(self._recolour)
        self.choice.activated.connect(self._chosen)
        self.aside.clicked.connect(self._keep_aside)
        self.copy.clicked.connect(lambda: copying.to_clipboard(copying.table_text(self.layer)))
        self.sentence.clicked.connect(lambda: copying.to_clipboard(copying.sentence_of(self.layer)))

    def follow(self, layer: Any) -> None:
        """Show the impurities of `layer`; None empties the box."""
        self.layer = self.bar.layer = layer
        self.setEnabled(layer is not None)
        if layer is None:
            self.number.setText("–")
            for label in (self.density, self.edits):
                label.setText("")
            self.checks.show_checks(None)
            return
        info = known(layer, ImpuritiesInfo)
        self._default = float(info.found.threshold)
        self.checks.show_checks(info.found)
        self._fill_colours(info)
        self._fill_choice()
        self.refresh()

    def _fill_colours(self, info: ImpuritiesInfo) -> None:
        features = self.layer.features
        # What a classical method gives is 1 − p over the field, and not calibrated as a probability.
        word = "Significance" if "significance" in features else "Probability"
        self.above.setText(f"{word} ≥")
        numeric = [name for name in features if features[name].dtype.kind in "fiu"]
        self.colour.clear()
        self.colour.addItem(f"{word} (log-odds)", BY_LOG_ODDS)
        self.colour.addItem("Found, accepted, added …", BY_ORIGIN)
        for name in numeric:
            if (
                name not in ("row", "column", "probability", "significance") and not name.endswith("_nm")
            ) or name == "sigma_nm":
                self.colour.addItem(name, name)
        self.colour.setCurrentIndex(max(self.colour.findData(info.colour_by), 0))
        self.legend.show_scale(info.colour_by, features)

    def _fill_choice(self) -> None:
        owner = known(self.layer, ImpuritiesInfo).owner
        self.choice.clear()
        for layer in self._viewer.layers:
            info = layer.metadata.get("friedel")
            if isinstance(info, ImpuritiesInfo) and info.owner == owner:
                self.choice.addItem(info.label or layer.name, layer)
                if layer is self.layer:
                    self.choice.setCurrentIndex(self.choice.count() - 1)

    def _chosen(self, *_: Any) -> None:
        layer = self.choice.currentData()
        owner = known(layer, ImpuritiesInfo).owner
        stack_layer = next((x for x in self._viewer.layers if x.unique_id == owner), None)
        results.make_current(self._viewer, stack_layer, layer)
        self.follow(layer)

    def _keep_aside(self) -> None:
        if self.layer is not None:
            label = f"{known(self.layer, ImpuritiesInfo).label}, kept {1 + self.choice.count()}"
            edits.keep_aside(self.layer, label)
            self._fill_choice()

    def _recolour(self, *_: Any) -> None:
        if self.layer is not None:
            update(self.layer, colour_by=self.colour.currentData())
            self.legend.show_scale(self.colour.currentData(), self.layer.features)
            results.refresh(self.layer)

    def set_threshold(self, threshold: float) -> None:
        """Move the threshold: shows and hides points, runs nothing."""
        if self.layer is None:
            self._show_threshold(threshold)
        elif abs(known(self.layer, ImpuritiesInfo).threshold - threshold) > 1e-9:
            results.set_threshold(self.layer, threshold)

    def _show_threshold(self, threshold: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(threshold)
        self.slider.blockSignals(False)

    def _changed(self, layer: Any) -> None:
        if layer is self.layer:
            self.refresh()

    def _removed(self, _event: Any = None) -> None:
        if self.layer is not None and self.layer not in self._viewer.layers:
            self.follow(None)

    def refresh(self) -> None:
        """Write threshold, number, density and corrections."""
        if self.layer is None:
            return
        info = known(self.layer, ImpuritiesInfo)
        self._show_threshold(info.threshold)
        found = results.summary(self.layer)
        self.number.setText(f"{found.count} impurit{'y' if found.count == 1 else 'ies'}")
        number = f"{found.value:.4g} nm⁻²  ({found.low:.3g} to {found.high:.3g}, 95 %)"
        text = number if found.known else "Density unknown: no probability is listed,"
        self.density.setText(f"{text} on {found.area_nm2:.4g} nm²")
        origin = self.layer.features["origin"]
        parts = [
            f"{int(np.sum(origin == name))} {name}" for name in results.BY_HAND if (origin == name).any()
        ]
        if info.removed:
            parts.append(f"{len(info.removed)} rejected")
        self.edits.setText(f"By hand: {', '.join(parts)}" if parts else "")
        self.edits.setVisible(bool(parts))
        self.bar.refresh()

    def ask_and_save(self, on_saved: Callable[[str], Any]) -> None:
        """Ask for a file and write the table there.

        Raises
        ------
        FriedelError
            If it cannot be written.
        """
        if self.layer is None:
            raise FriedelError("There is nothing to save yet: press “Detect” first.")
        name = f"{self.layer.name}.csv".replace(" · ", "-").replace(" ", "_")
        path, _ = QFileDialog.getSaveFileName(
            self,
            "Save the impurities",
            str(Path.home() / name),
            "Table (*.csv);;JSON (*.json);;Positions (*.xyz)",
        )
        if path:
            self.write(path)
            on_saved(path)

    def write(self, path: str) -> None:
        """Write the impurities that are shown, with hand-made corrections, as .csv, .json or .xyz.

        Raises
        ------
        FriedelError
            If there is no result.
        """
        from friedel.io.points import write_points

        if self.layer is None:
            raise FriedelError("There is nothing to save yet: press “Detect” first.")
        write_points(results.table_of(self.layer), path)
        open_without_asking(path)


def _text() -> QLabel:
    label = QLabel("")
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
