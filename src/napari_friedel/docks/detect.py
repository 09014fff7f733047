"""The main dock: choose a stack, press "Detect", read positions in nm."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog

from friedel.errors import FriedelError
from friedel.progress import Progress
from napari_friedel import functions, remembered, tuning
from napari_friedel.docks.detect_form import DetectForm
from napari_friedel.docks.detect_run import detection, searched
from napari_friedel.jobs import Job
from napari_friedel.layers import navigate, results, showing
from napari_friedel.layers.adopt import adopt
from napari_friedel.layers.areas import PAPER_FIELD, area_from_shapes, new_area_layer, show_tiles
from napari_friedel.layers.describe import describe
from napari_friedel.layers.info import ImpuritiesInfo, kind_of, known
from napari_friedel.layers.stack_layers import stack_of
from napari_friedel.layers.viewing import stack_index
from napari_friedel.turns import in_turns
from napari_friedel.widgets import JobBar, setting
from napari_friedel.widgets.band_box import FIT, BandBox
from napari_friedel.widgets.result_box import ResultBox
from napari_friedel.words import sentence

if TYPE_CHECKING:
    from collections.abc import Generator

    from friedel.stack import Area


class DetectDock(DetectForm):
    """Dock "Detect"."""

    tab = "Detect"
    page = "tutorial.html"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.job = Job(self, "detection of impurities")
        self.waves_job = Job(self, "view of the waves")
        self._build_stack()
        self.band = BandBox(self.current, self.viewer, self._bias_index, lambda: self.prepare.settings())
        self.form.addWidget(self.band)
        self._build_how()
        self.bar = JobBar(self.job, "Detect")
        self.bar.start.setToolTip("Find the impurities of the chosen stack (key Shift+D on the stack)")
        self.pin(self.bar)
        self.result = ResultBox(self.viewer)
        self.form.addWidget(self.result)
        self._build_fit(self.band, self._follow)
        self.form.addStretch(1)
        self._connect()
        self.share_stack(self.stack)
        if self.shared.band is None:
            self.band.choose(setting("detection", "band", FIT))
        self._stack_changed()

    def _connect(self) -> None:
        self.stack.currentIndexChanged.connect(self._stack_changed)
        self.area.currentIndexChanged.connect(self._draw_grid)
        self.snap.toggled.connect(self._draw_grid)
        self.options.changed.connect(self._option_changed)
        self.grid.toggled.connect(self._draw_grid)
        self.draw.clicked.connect(self.safely(self.draw_area))
        self.waves.clicked.connect(self.safely(self.show_waves))
        self.adopt.clicked.connect(self.safely(self.adopt_points))
        self.points.currentIndexChanged.connect(self._points_offered)
        self.model.activated.connect(self.safely(self._model_chosen))
        self.defaults.clicked.connect(self.safely(self.reset))
        self.python.clicked.connect(self.safely(lambda: functions.copy_python(self)))
        self.command.clicked.connect(self.safely(lambda: functions.copy_command(self)))
        self.band.problem.connect(self.message.error)
        self.band.changed.connect(self._draw_grid)
        self.bar.start.clicked.connect(self.safely(self.detect))
        self.result.save.clicked.connect(
            self.safely(lambda: self.result.ask_and_save(lambda path: self.message.info(f"Saved {path}.")))
        )
        self.result.table.clicked.connect(
            self.safely(lambda: functions.open_table(self.viewer, self.result.layer))
        )
        self.listener.on(remembered.EVENTS.restored, self._recalled)
        self.listener.on(tuning.EVENTS.models_changed, self._models_changed)
        self.listener.on(results.EVENTS.changed, self._result_changed)
        self.job.returned.connect(self._finished)
        self.job.failed.connect(self.message.error)
        self.job.warned.connect(self.message.warn)
        self.job.cancelled.connect(lambda: self.message.info("Cancelled; the layers are as they were."))
        self.waves_job.returned.connect(self.safely_with(self._waves_made))
        self.waves_job.failed.connect(self.message.error)
        self.listener.on(self.viewer.dims.events.point, self._slider_moved)
        self._option_changed("method")
        self._points_offered()

    # --- what is chosen -------------------------------------------------------------------------------------------

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
        if self.shared.band is None:
            self.band.reset()
        try:
            stack, channel = self.current()
        except FriedelError as error:
            self.about.setText("")
            if self.stack.layer() is not None:
                self.message.error(sentence(error))
            else:
                self.about.setText(sentence(error))
            self.result.follow(None)
            return
        self.about.setText(describe(stack, channel))
        layer = self.stack.layer()
        layer.bind_key(navigate.DETECT_KEY, lambda _layer: self.safely(self.detect)(), overwrite=True)
        if material := json.loads(stack.attrs.get("header") or "{}").get("material"):
            self.band.choose(str(material))  # simulated stacks know their band
        self._follow(results.find(self.viewer, layer, "impurities"))
        self._draw_grid()

    def _follow(self, points: Any) -> None:
        if points is not None and known(points, ImpuritiesInfo).detections is None:
            return  # it is being filled; `EVENTS.changed` tells when it is ready
        self.result.follow(points)
        if points is not None:
            navigate.bind(self.viewer, points)
            points.bind_key(navigate.DETECT_KEY, lambda _layer: self.safely(self.detect)(), overwrite=True)

    def _result_changed(self, points: Any) -> None:
        """A result came from elsewhere: a table was adopted, a session opened, another result chosen."""
        layer = self.stack.layer()
        if layer is None or points is self.result.layer or points not in self.viewer.layers:
            return
        info = known(points, ImpuritiesInfo)
        if info.owner == results.owner_of(layer) and info.current and info.detections is not None:
            self._follow(points)

    def _slider_moved(self, _event: Any = None) -> None:
        if self.band.ring.isChecked():
            self.band.refresh()

    def draw_area(self) -> None:
        """Add a rectangle and choose it."""
        stack, _ = self.current()
        self.area.choose(new_area_layer(self.viewer, stack))

    def adopt_points(self) -> None:
        """Make the chosen points the result of the stack."""
        points = self.points.layer()
        if points is None:
            raise FriedelError("Choose the points first: a table that was opened, or a Points layer.")
        made = adopt(self.viewer, self.stack.layer(), points)
        self._follow(made)
        self.viewer.layers.selection.active = made
        self.message.info(
            f"{self.result.number.text()} of {made.name!r}; edit, compare and save them as any result."
        )

    def _points_offered(self, *_: Any) -> None:
        self.adopt.setEnabled(self.points.layer() is not None)

    def show_waves(self) -> None:
        """Show the waves, or hide them if they are shown."""
        from napari_friedel.layers.waves import waves

        stack, channel = self.current()
        layer = results.find(self.viewer, self.stack.layer(), "waves")
        if layer is not None and layer.visible:
            layer.visible = False
            return
        self._waves_of = self.stack.layer()

        def work() -> Generator[Progress, None, Any]:
            yield Progress(0.0, "averaging the maps")
            return waves(stack, channel)

        self.waves_job.start(work)

    def _waves_made(self, values: Any) -> None:
        from napari_friedel.layers.waves import show_waves

        if self._waves_of in self.viewer.layers:
            show_waves(self.viewer, self._waves_of, values)

    def _option_changed(self, name: str) -> None:
        if name == "method":
            self.model.setEnabled(self.options.value("method") == "network")
        if name == "tiles":
            self._draw_grid()

    def _models_changed(self, name: str) -> None:
        """A model was saved, or shall be used from now on."""
        self.fill_models(name or None)
        self._follow(results.find(self.viewer, self.stack.layer(), "impurities"))

    def _model_chosen(self) -> None:
        if self.model.currentData() == "…":
            path, _ = QFileDialog.getOpenFileName(self, "Choose a model", "", "Models (*.safetensors)")
            self.fill_models(path or "friedel")
        remembered.keep("DetectDock", {"model": self.model.currentData()})

    def _recalled(self, group: str) -> None:
        self.options.recall(group)
        self.prepare.recall(group)
        self.fill_models(remembered.values("DetectDock").get("model"))
        self._option_changed("method")

    def _draw_grid(self, *_args: Any) -> None:
        layer = self.stack.layer()
        if kind_of(layer) != "stack":
            return
        stack, _ = stack_of(layer)
        tiles = None
        if self.grid.isChecked():
            try:
                tiles = self._tiles(stack)
            except FriedelError as error:
                self.message.error(sentence(error))
        show_tiles(self.viewer, stack, tiles, results.owner_of(layer))

    def _tiles(self, stack: Any) -> list[Any]:
        from friedel.candidates.tile_outlines import tile_outlines

        options = {"model": self.model.currentData(), "tiles": self.options.value("tiles")}
        return tile_outlines(stack, dispersion=self.band.dispersion(), area=self.current_area(), **options)

    # --- the run --------------------------------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """What the detection is called with, beside the stack.

        Raises
        ------
        FriedelError
            If something is missing or does not fit.
        """
        _, channel = self.current()
        return {
            "channel": channel,
            "dispersion": self.band.dispersion(),
            "model": self.model.currentData(),
            "area": self.current_area(),
            **self.options.values(),
            "prepare": self.prepare.settings(),
        }

    def detect(self) -> None:
        """Start the detection with what is chosen."""
        layer = self.stack.layer()
        stack, _ = self.current()
        options = self.settings()
        stack = searched(stack, self.excluded.layer())
        self.message.clear()
        self._running_on = layer
        by_hand = results.made_by_hand(results.find(self.viewer, layer, "impurities"))
        self.job.start(lambda: detection(stack, options, by_hand))

    def _finished(self, detections: Any) -> None:
        self.options.refill("device")  # torch is loaded now
        layer = self._running_on
        if layer not in self.viewer.layers:
            self.message.warn("The stack was removed while it was searched: the result has no place.")
            return
        try:
            points = showing.show_points(self.viewer, layer, detections)
        except FriedelError as error:
            self.message.error(sentence(error))
            return
        self.viewer.layers.selection.active = points
        in_turns(showing.show_maps(self.viewer, layer, points), viewer=self.viewer)
        if self.stack.layer() is layer:
            self._follow(points)
            self.scroll_to(self.result)
        self.band.adopt(detections.provenance.get("dispersion"))
        shown = {check.sentence for check in (*detections.failed, *detections.noted)}
        self.message.clear()  # of what was warned of on the way and is in sight now
        warnings = [text for text in detections.provenance.get("warnings") or [] if text not in shown]
        if warnings:
            self.message.warn(" ".join(str(text) for text in warnings))
        elif not results.counted(points).any():
            self.message.info("No impurity above the threshold. Move the slider to see weaker candidates.")
