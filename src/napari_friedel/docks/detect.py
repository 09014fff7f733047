"""The main dock: choose a stack, press "Detect impurities", read positions in nm."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from typing import Any

from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QHBoxLayout, QLabel, QPushButton, QWidget

from friedel.errors import FriedelError
from friedel.progress import Progress
from friedel.stack import Area, channel_names, pixel_pitch
from napari_friedel import tuning
from napari_friedel.jobs import Job, loading_torch
from napari_friedel.layers import info_of, kind_of, results, stack_of
from napari_friedel.layers.areas import PAPER_FIELD, area_from_shapes, new_area_layer, show_tiles
from napari_friedel.layers.viewing import stack_index
from napari_friedel.widgets import Advanced, Dock, JobBar, LayerBox, setting
from napari_friedel.widgets.band_box import FIT, BandBox
from napari_friedel.widgets.result_box import ResultBox

METHODS = {
    "network": "Network",
    "matched-field": "Matched field (classical)",
    "omp": "Matched field + OMP (classical)",
}
REFITS = {"auto": "Automatic", "none": "None", "quick": "Quick", "full": "Full (slow)"}
TILES = {"blend": "Overlapping, blended", "paper": "Disjoint 20×20 (paper)"}


class DetectDock(Dock):
    """Dock "Detect impurities"."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.job = Job(self, "detection of impurities")
        self._build_stack()
        self.band = BandBox(self.current, self.viewer, self._bias_index)
        self.form.addWidget(self.band)
        self._build_how()
        self.bar = JobBar(self.job, "Detect impurities")
        self.form.addWidget(self.bar)
        self.result = ResultBox()
        self.form.addWidget(self.result)
        self.form.addStretch(1)
        self._connect()
        self.band.choose(setting("detection", "band", FIT))
        self._stack_changed()

    # --- the form -------------------------------------------------------------------------------------------------

    def _build_stack(self) -> None:
        rows = self.group("Stack")
        # Layers that cannot be used are offered too: choosing one tells why.
        self.stack = LayerBox(
            self.viewer, lambda x: type(x).__name__ == "Image" and kind_of(x) in ("stack", "")
        )
        self.about = QLabel("")
        self.about.setWordWrap(True)
        self.area = LayerBox(self.viewer, lambda x: kind_of(x) == "area" or _has_shapes(x), none="Whole map")
        self.draw = QPushButton("Draw…")
        self.draw.setToolTip("Add a rectangle to the map; drag it, then detect")
        self.snap = QCheckBox(f"Snap to {PAPER_FIELD}×{PAPER_FIELD} pixels")
        rows.addRow("Layer", self.stack)
        rows.addRow(self.about)
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.area, 1)
        row.addWidget(self.draw)
        rows.addRow("Area", holder)
        rows.addRow(self.snap)

    def _build_how(self) -> None:
        rows = self.group("Model")
        self.model = QComboBox()
        self.model.setToolTip("Bundled models, your fine-tuned ones, or a .safetensors file")
        self.fill_models()
        rows.addRow("Model", self.model)
        more = Advanced("Method, tiles, device")
        self.method = _combo(METHODS, setting("detection", "method", "network"))
        self.tiles = _combo(TILES, setting("detection", "tiles", "blend"))
        self.device = QComboBox()
        self.fill_devices()
        self.grid = QCheckBox("Show the tile grid")
        self.refit = _combo(REFITS, setting("detection", "refit", "auto"))
        self.refit.setToolTip(
            "Fits all candidates once more, together, by waves that scatter many times. Quick: doubtful ones are "
            "decided by what the waves need, about a second for 80×80 pixels. Full: better positions, too, "
            "several seconds"
        )
        more.rows.addRow("Method", self.method)
        more.rows.addRow("Tiles", self.tiles)
        more.rows.addRow("Device", self.device)
        more.rows.addRow("Refit", self.refit)
        more.rows.addRow(self.grid)
        rows.addRow(more)

    def _connect(self) -> None:
        self.stack.currentIndexChanged.connect(self._stack_changed)
        self.area.currentIndexChanged.connect(self._draw_grid)
        self.snap.toggled.connect(self._draw_grid)
        self.tiles.currentIndexChanged.connect(self._draw_grid)
        self.grid.toggled.connect(self._draw_grid)
        self.draw.clicked.connect(self.safely(self.draw_area))
        self.model.activated.connect(self.safely(self._model_chosen))
        self.method.currentIndexChanged.connect(
            lambda *_: self.model.setEnabled(self.method.currentData() == "network")
        )
        self.band.problem.connect(self.message.error)
        self.band.changed.connect(self._draw_grid)
        self.bar.start.clicked.connect(self.safely(self.detect))
        self.result.save.clicked.connect(
            self.safely(lambda: self.result.ask_and_save(lambda path: self.message.info(f"Saved {path}.")))
        )
        self.listener.on(tuning.EVENTS.models_changed, self._models_changed)
        self.job.returned.connect(self._finished)
        self.job.failed.connect(self.message.error)
        self.job.warned.connect(self.message.warn)
        self.job.cancelled.connect(lambda: self.message.info("Cancelled; the layers are as they were."))
        self.listener.on(self.viewer.dims.events.point, self._slider_moved)

    def fill_models(self, chosen: str | None = None) -> None:
        """List the bundled and the user's models; reads headers only, no weights."""
        from friedel.models.registry import list_models

        chosen = chosen or self.model.currentData() or setting("detection", "model", "friedel")
        self.model.clear()
        for info in list_models():
            if not info.problem:
                self.model.addItem(info.name if info.bundled else f"{info.name} (yours)", info.name)
        if self.model.findData(chosen) < 0 and chosen not in (None, "…"):
            self.model.addItem(chosen, chosen)
        self.model.addItem("Choose a file…", "…")
        self.model.setCurrentIndex(max(self.model.findData(chosen), 0))

    def fill_devices(self) -> None:
        """List the devices; torch is asked only if it is loaded already, for loading takes seconds."""
        chosen = self.device.currentData() or setting("detection", "device", "auto")
        self.device.clear()
        names = [("auto", "Automatic"), ("cpu", "CPU")]
        torch = sys.modules.get("torch")
        if torch is not None and hasattr(torch, "cuda"):
            names += [(f"cuda:{i}", torch.cuda.get_device_name(i)) for i in range(torch.cuda.device_count())]
            if torch.backends.mps.is_available():
                names.append(("mps", "Apple GPU (MPS)"))
        for key, text in names:
            self.device.addItem(text, key)
        self.device.setCurrentIndex(max(self.device.findData(chosen), 0))

    # --- choices --------------------------------------------------------------------------------------------------

    def current(self) -> tuple[Any, str]:
        """The chosen stack and its channel; raises `StackError` with the reason if there is none."""
        return stack_of(self.stack.layer())

    def current_area(self) -> Area | None:
        """The chosen area, None for the whole map."""
        stack, _ = self.current()
        shapes = self.area.layer()
        return (
            None
            if shapes is None
            else area_from_shapes(shapes, stack, PAPER_FIELD if self.snap.isChecked() else None)
        )

    def _bias_index(self) -> int:
        return stack_index(self.viewer, self.stack.layer())

    def _stack_changed(self, *_args: Any) -> None:
        self.message.clear()
        self.band.reset()
        try:
            stack, channel = self.current()
        except FriedelError as error:
            self.about.setText("")
            if self.stack.layer() is not None:
                self.message.error(str(error))
            else:
                self.about.setText(str(error))
            self.result.follow(None)
            return
        self.about.setText(describe(stack, channel))
        if material := json.loads(stack.attrs.get("header") or "{}").get("material"):
            self.band.choose(str(material))  # simulated stacks know their band
        self.result.follow(results.find(self.viewer, self.stack.layer(), "impurities"))
        self._draw_grid()

    def _slider_moved(self, _event: Any = None) -> None:
        if self.band.ring.isChecked():
            self.band.refresh()

    def draw_area(self) -> None:
        """Add a rectangle and choose it."""
        stack, _ = self.current()
        self.area.choose(new_area_layer(self.viewer, stack))

    def _models_changed(self, name: str) -> None:
        """A model was saved, or shall be used from now on."""
        self.fill_models(name or None)
        self.result.follow(
            results.find(self.viewer, self.stack.layer(), "impurities") if self.stack.layer() else None
        )

    def _model_chosen(self) -> None:
        if self.model.currentData() != "…":
            return
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model", "", "Models (*.safetensors)")
        self.fill_models(path or "friedel")

    def _draw_grid(self, *_args: Any) -> None:
        layer = self.stack.layer()
        if kind_of(layer) != "stack":
            return
        owner = info_of(layer).get("id", layer.unique_id)
        stack, _ = stack_of(layer)
        tiles = None
        if self.grid.isChecked():
            try:
                tiles = self._tiles(stack)
            except FriedelError as error:
                self.message.error(str(error))
        show_tiles(self.viewer, stack, tiles, owner)

    def _tiles(self, stack: Any) -> list[Any]:
        from friedel.candidates.tile_outlines import tile_outlines

        return tile_outlines(
            stack,
            dispersion=self.band.dispersion(),
            model=self.model.currentData(),
            area=self.current_area(),
            tiles=self.tiles.currentData(),
        )

    # --- the run --------------------------------------------------------------------------------------------------

    def detect(self) -> None:
        """Start the detection with what is chosen."""
        layer = self.stack.layer()
        stack, channel = self.current()
        options = {
            "channel": channel,
            "dispersion": self.band.dispersion(),
            "model": self.model.currentData(),
            "method": self.method.currentData(),
            "tiles": self.tiles.currentData(),
            "area": self.current_area(),
            "device": self.device.currentData(),
            "refit": None if (refit := self.refit.currentData()) == "auto" else refit,
        }
        self.message.clear()
        self._running_on = layer

        def work() -> Generator[Progress, None, Any]:
            if options["method"] == "network":
                yield from loading_torch()
            yield Progress(0.0, "loading the detector")
            from friedel.pipeline import iter_detect

            return (yield from iter_detect(stack, **options))

        self.job.start(work)

    def _finished(self, detections: Any) -> None:
        self.fill_devices()  # torch is loaded now
        layer = self._running_on
        if layer not in self.viewer.layers:
            self.message.warn(
                "The stack was removed while it was searched; there is nothing to show the result on."
            )
            return
        try:
            points = results.show(self.viewer, layer, detections)
        except FriedelError as error:
            self.message.error(str(error))
            return
        self.viewer.layers.selection.active = points
        if self.stack.layer() is layer:
            self.result.follow(points)
        self.band.adopt(detections.provenance.get("dispersion"))
        warnings = detections.provenance.get("warnings") or []
        if warnings:
            self.message.warn(" ".join(str(text) for text in warnings))
        elif not results.counted(points).any():
            self.message.info("No impurity above the threshold. Move the slider to see weaker candidates.")


def describe(stack: Any, channel: str) -> str:
    """One line about a stack: channel, voltages, pixels, completeness."""
    bias = stack["bias"].to_numpy()
    pitch_y, pitch_x = pixel_pitch(stack)
    rows, columns = stack.sizes["y"], stack.sizes["x"]
    pitch = f"{pitch_x:.4g}" if abs(pitch_x - pitch_y) < 1e-6 * pitch_x else f"{pitch_y:.4g}×{pitch_x:.4g}"
    span = f"{bias.min():+.4g} to {bias.max():+.4g} mV" if len(bias) > 1 else f"{bias[0]:+.4g} mV"
    text = f"{channel}: {len(bias)} voltage{'s' if len(bias) > 1 else ''}, {span}; {rows}×{columns} px of {pitch} nm"
    acquired, expected = int(stack.attrs.get("acquired", 0)), int(stack.attrs.get("expected", 0))
    if acquired < expected:
        text += f"; {acquired} of {expected} pixels acquired"
    if len(channel_names(stack)) > 1:
        text += f"; {len(channel_names(stack)) - 1} more channels (Import stack)"
    return text


def _has_shapes(layer: Any) -> bool:
    return type(layer).__name__ == "Shapes" and kind_of(layer) == ""


def _combo(entries: dict[str, str], chosen: str) -> QComboBox:
    box = QComboBox()
    for key, text in entries.items():
        box.addItem(text, key)
    box.setCurrentIndex(max(box.findData(chosen), 0))
    return box
