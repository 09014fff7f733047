"""The form of the detect dock: stack, area, points, model, method."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel

from friedel.settings import DetectSettings, PrepareSettings
from napari_friedel import remembered
from napari_friedel.layers.adopt import adoptable
from napari_friedel.layers.areas import PAPER_FIELD
from napari_friedel.layers.info import kind_of
from napari_friedel.widgets import Dock, LayerBox, button, form_for, setting, side_by_side
from napari_friedel.widgets.fit_box import FitBox
from napari_friedel.widgets.small import fold

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_friedel.widgets.band_box import BandBox


class DetectForm(Dock):
    """What is chosen before a detection; `DetectDock` runs it."""

    def _build_stack(self) -> None:
        rows = self.group("Stack")
        # Layers that cannot be used are offered too: choosing one tells why.
        self.stack = LayerBox(
            self.viewer, lambda x: type(x).__name__ == "Image" and kind_of(x) in ("stack", "")
        )
        self.stack.setToolTip("The dI/dV stack that is searched")
        self.about = QLabel("")
        self.about.setWordWrap(True)
        self.waves = button("Show waves", "Mean over neighbouring voltages, divided by the background")
        self.area = LayerBox(self.viewer, lambda x: kind_of(x) == "area" or has_shapes(x), none="Whole map")
        self.area.setToolTip("A rectangle of a Shapes layer: only this part is searched")
        self.draw = button("Draw…", "Add a rectangle to the map; drag it, then detect")
        self.snap = QCheckBox(f"Snap to {PAPER_FIELD}×{PAPER_FIELD} pixels")
        self.snap.setToolTip("The size of field that the paper's network saw")
        self.excluded = LayerBox(
            self.viewer, lambda x: has_shapes(x) or type(x).__name__ == "Labels", none="Nothing"
        )
        self.excluded.setToolTip("Shapes of any form, or labels: pixels below them are left out")
        self.points = LayerBox(self.viewer, adoptable, none="–")
        self.points.setToolTip("A table that was loaded, or points of any kind")
        self.adopt = button(
            "Adopt", "Make these points the result of this stack: threshold, edits, comparison, saving"
        )
        rows.addRow("Layer", self.stack)
        rows.addRow(self.about)
        rows.addRow(self.waves)
        rows.addRow("Area", side_by_side(self.area, self.draw))
        rows.addRow(self.snap)
        rows.addRow("Exclude", self.excluded)
        rows.addRow("Points", side_by_side(self.points, self.adopt))
        self._stack_rows = rows

    def _build_how(self) -> None:
        rows = self.group("Method")
        self.model = QComboBox()
        self.model.setToolTip("Bundled models, your fine-tuned ones, or a .safetensors file")
        self.fill_models()
        rows.addRow("Model", self.model)
        names = ("method", "refit", "tiles", "device")
        refit = setting("detection", "refit", "auto")
        initial = {name: setting("detection", name, None) for name in ("method", "tiles", "device")}
        self.options = form_for(
            DetectSettings,
            names,
            choices={"device": self.devices},
            folded="Tiles, device",
            initial={
                **{k: v for k, v in initial.items() if v is not None},
                "refit": None if refit == "auto" else refit,
            },
        )
        self.prepare = form_for(PrepareSettings)
        self.preparation = fold(
            "Preparation of the maps", "What is done to the recorded maps before the search", self.prepare
        )
        self.grid = QCheckBox("Show the tile grid")
        self.grid.setToolTip("Draw where the tiles of the network lie")
        self.options.add_row("", self.grid)
        self.defaults = button("Defaults", "All settings of this dock as they were at first")
        self.python = button("Copy as Python", "Lines that repeat this detection in a notebook")
        self.command = button("Copy as command", "A line that repeats this detection in a shell")
        rows.addRow(self.options)
        rows.addRow(self.preparation)
        rows.addRow(self.defaults)
        rows.addRow(side_by_side(self.python, self.command))

    def _build_fit(self, band: BandBox, made: Callable[[Any], Any]) -> None:
        """The box of what was fitted; `made` takes the layer of fitted points."""
        self.fit = FitBox(self.viewer, self.stack.layer, band.dispersion)
        self.fit.tells(self.message, made)
        self.form.addWidget(self.fit)

    def fill_models(self, chosen: str | None = None) -> None:
        """List the bundled and the user's models; reads headers only, no weights."""
        from friedel.models.registry import list_models

        first = remembered.values("DetectDock").get("model") or setting("detection", "model", "friedel")
        chosen = chosen or self.model.currentData() or first
        self.model.clear()
        for info in list_models():
            if not info.problem:
                self.model.addItem(info.name if info.bundled else f"{info.name} (yours)", info.name)
        if self.model.findData(chosen) < 0 and chosen not in (None, "…"):
            self.model.addItem(chosen, chosen)
        self.model.addItem("Choose a file…", "…")
        self.model.setCurrentIndex(max(self.model.findData(chosen), 0))

    def devices(self) -> list[str]:
        """Devices that torch offers, once it is loaded; before, what it may offer."""
        found = ["auto", "cpu"]
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            found += [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        if torch is not None and torch.backends.mps.is_available():
            found.append("mps")
        chosen = setting("detection", "device", "auto")
        return found if chosen in found else [*found, chosen]

    def reset(self) -> None:
        """Put every setting back to its default."""
        remembered.forget("DetectSettings")
        remembered.forget("PrepareSettings")
        remembered.forget("DetectDock")
        self.options.reset()
        self.prepare.reset()
        self.fill_models(setting("detection", "model", "friedel"))
        self.area.setCurrentIndex(0)
        self.excluded.setCurrentIndex(0)
        self.snap.setChecked(False)
        self.grid.setChecked(False)


def has_shapes(layer: Any) -> bool:
    """Whether a layer holds shapes that a user has drawn."""
    return type(layer).__name__ == "Shapes" and kind_of(layer) == ""
