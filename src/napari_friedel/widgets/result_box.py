"""The lower half of the detect dock: threshold, number, density, corrections, saving."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QLabel,
    QPushButton,
    QSlider,
)

from friedel.errors import FriedelError
from napari_friedel.layers import info_of, results
from napari_friedel.widgets import Listener, side_by_side


class ResultBox(QGroupBox):
    """Shows and steers one Points layer of impurities."""

    def __init__(self) -> None:
        super().__init__("Impurities")
        self.layer: Any = None
        self._default = 0.5
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 1000)
        self.spin = QDoubleSpinBox()
        self.spin.setRange(0, 1)
        self.spin.setDecimals(3)
        self.spin.setSingleStep(0.01)
        self.back = QPushButton("Default")
        self.back.setToolTip("Back to the model's own threshold, set on validation data")
        self.number = QLabel("–")
        self.number.setStyleSheet("QLabel { font-size: 15pt; font-weight: bold; }")
        self.density = QLabel("")
        self.density.setWordWrap(True)
        self.density.setToolTip("95 % confidence interval of a Poisson process (exact); acquired area only")
        self.edits = QLabel("")
        self.edits.setWordWrap(True)
        self.forget = QPushButton("Forget edits")
        self.forget.setToolTip("Bring back deleted points and remove those added by hand")
        self.save = QPushButton("Save table…")
        rows = QFormLayout(self)
        rows.setContentsMargins(6, 6, 6, 6)
        rows.setVerticalSpacing(4)
        rows.addRow("Probability ≥", side_by_side(self.spin, self.back))
        rows.addRow(self.slider)
        rows.addRow(self.number)
        rows.addRow(self.density)
        rows.addRow(self.edits)
        rows.addRow(side_by_side(self.forget, self.save))
        self.slider.valueChanged.connect(lambda value: self.set_threshold(value / 1000))
        self.spin.valueChanged.connect(self.set_threshold)
        self.back.clicked.connect(lambda: self.set_threshold(self._default))
        self.forget.clicked.connect(self._forget)
        Listener(self).on(results.EVENTS.changed, self._changed)
        self.follow(None)

    def follow(self, layer: Any) -> None:
        """Show the impurities of `layer`; None empties the box."""
        self.layer = layer
        self.setEnabled(layer is not None)
        if layer is None:
            self.number.setText("–")
            self.density.setText("")
            self.edits.setText("")
            return
        info = info_of(layer)
        self._default = float(info["detections"].threshold)
        self._show_threshold(info["threshold"])
        self.refresh()

    def set_threshold(self, threshold: float) -> None:
        """Move the threshold: shows and hides points, runs nothing."""
        self._show_threshold(threshold)
        if self.layer is None:
            return
        results.set_threshold(self.layer, threshold)

    def _show_threshold(self, threshold: float) -> None:
        for widget in (self.slider, self.spin):
            widget.blockSignals(True)
        self.slider.setValue(round(1000 * threshold))
        self.spin.setValue(threshold)
        for widget in (self.slider, self.spin):
            widget.blockSignals(False)

    def _changed(self, layer: Any) -> None:
        if layer is self.layer:
            self.refresh()

    def refresh(self) -> None:
        """Write number, density and corrections."""
        if self.layer is None:
            return
        found = results.summary(self.layer)
        self.number.setText(f"{found.count} impurit{'y' if found.count == 1 else 'ies'}")
        self.density.setText(
            f"{found.value:.4g} nm⁻²  ({found.low:.3g} to {found.high:.3g}, 95 %) on {found.area_nm2:.4g} nm²"
        )
        origin = self.layer.features["origin"]
        parts = [
            f"{int((origin == name).sum())} {name}" for name in results.BY_HAND if (origin == name).any()
        ]
        if removed := len(info_of(self.layer)["removed"]):
            parts.append(f"{removed} removed")
        self.edits.setText(f"By hand: {', '.join(parts)}" if parts else "")
        self.edits.setVisible(bool(parts))
        self.forget.setEnabled(bool(parts))

    def _forget(self) -> None:
        if self.layer is not None:
            results.forget_edits(self.layer)

    def ask_and_save(self, on_saved: Callable[[str], Any]) -> None:
        """Ask for a file and write the table there.

        Raises
        ------
        FriedelError
            If it cannot be written.
        """
        if self.layer is None:
            raise FriedelError("There is nothing to save yet: press “Detect impurities” first.")
        name = f"{info_of(self.layer).get('title', self.layer.name)}.csv".replace(" · ", "-").replace(
            " ", "_"
        )
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
        """Write the impurities that are shown, with hand-made corrections, as .csv, .json or .xyz."""
        from friedel.io.points import write_points

        write_points(results.table_of(self.layer), path)
