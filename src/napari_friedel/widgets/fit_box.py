"""The box "Fit" of the detect dock: fitted waves, residual, what could be missed, the waves of one's own points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QGroupBox, QLabel

from friedel.errors import FriedelError, StackError
from friedel.progress import Progress
from napari_friedel.jobs import Job
from napari_friedel.layers import fitted, results, showing
from napari_friedel.layers.areas import world_to_pixel
from napari_friedel.layers.info import ImpuritiesInfo, info_of
from napari_friedel.layers.stack_layers import stack_of
from napari_friedel.layers.viewing import stack_index
from napari_friedel.widgets.layer_box import LayerBox
from napari_friedel.widgets.listener import Listener
from napari_friedel.widgets.small import button, side_by_side
from napari_friedel.words import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from friedel.physics.dispersion import Dispersion


class FitBox(QGroupBox):
    """Shows what was fitted, and fits points from any source.

    Parameters
    ----------
    viewer : ViewerModel
    stack_layer : callable
        The stack layer that the dock works on, or None.
    band : callable
        The surface band that is chosen; raises `FriedelError`.
    """

    problem = Signal(str)
    remark = Signal(str)
    #: With the layer of a new result.
    made = Signal(object)

    def __init__(
        self, viewer: Any, stack_layer: Callable[[], Any], band: Callable[[], Dispersion | str | None]
    ) -> None:
        super().__init__("Fit")
        self._viewer, self._stack_layer, self._band = viewer, stack_layer, band
        self._running_on: Any = None
        self.job = Job(self, "fit of the waves")
        self._build()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(150)
        self._timer.timeout.connect(lambda: self._try(self._follow_bias))
        listener = Listener(self)
        listener.on(viewer.dims.events.point, self._slider_moved)
        listener.on(results.EVENTS.changed, self.refresh)
        self.refresh()

    def _build(self) -> None:
        self.explained = QLabel("")
        self.explained.setWordWrap(True)
        self.waves = button(
            "Fitted waves and residual", "Model and residual at the slider's voltage; they follow the slider"
        )
        self.missed = button(
            "What could be missed",
            "A map of the scattering amplitude at which half of the impurities would be missed, and one of where the "
            "data ask for one more",
        )
        self.points = LayerBox(self._viewer, lambda x: type(x).__name__ == "Points", none="–")
        self.points.setToolTip("Points from any source: by hand, a loaded table, a reference, a result")
        self.fit = button("Fit", "Fit amplitude, phase shift, σ and probability of these points")
        self.hold = QCheckBox("Hold the positions")
        self.hold.setToolTip("Fit only the waves; the points stay where they are")
        rows = QFormLayout(self)
        rows.setContentsMargins(6, 6, 6, 6)
        rows.setVerticalSpacing(4)
        rows.addRow(self.explained)
        rows.addRow(side_by_side(self.waves, self.missed))
        rows.addRow("Points", side_by_side(self.points, self.fit))
        rows.addRow("", self.hold)
        self.waves.clicked.connect(lambda: self._try(self.show_waves))
        self.missed.clicked.connect(lambda: self._try(self.show_missed))
        self.fit.clicked.connect(lambda: self._try(self.fit_points))
        self.points.currentIndexChanged.connect(self.refresh)
        self.job.returned.connect(lambda result: self._try(lambda: self._finished(result)))
        self.job.failed.connect(lambda text, *_: self.problem.emit(text))
        self.job.state_changed.connect(self.refresh)

    def tells(self, message: Any, made: Callable[[Any], Any]) -> None:
        """Let a dock's message bar show problems and remarks, and `made` take the layer of a new result."""
        self.problem.connect(message.error)
        self.remark.connect(message.info)
        self.made.connect(made)

    def _try(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except FriedelError as error:
            self.problem.emit(sentence(error))

    def refresh(self, *_: Any) -> None:
        """Say how much is explained, and which buttons have something to do."""
        stack, text = self._stack_layer(), ""
        points = None if stack is None else results.find(self._viewer, stack, "impurities")
        info = None if points is None else info_of(points)
        if isinstance(info, ImpuritiesInfo) and info.detections is not None:
            text = fitted.explained_text(info.detections)
        self.explained.setText(
            text or "No fit: detect with a quick or full refit, or fit points of your own."
        )
        idle = not self.job.busy
        self.waves.setEnabled(bool(text))
        self.missed.setEnabled(bool(text) and idle)
        self.fit.setEnabled(stack is not None and self.points.layer() is not None and idle)

    def _bias(self, layer: Any) -> float:
        stack, _ = stack_of(layer)
        return float(stack["bias"].sortby("bias")[stack_index(self._viewer, layer)])

    def show_waves(self) -> None:
        """Show model and residual at the shown bias, or hide them."""
        layer = self._stack_layer()
        if fitted.fit_is_shown(self._viewer, layer):
            for kind in fitted.KINDS:
                results.find(self._viewer, layer, kind).visible = False
            return
        shown = fitted.show_fit(self._viewer, layer, self._bias(layer))
        self.remark.emit(f"Fitted waves and residual at {shown:+.4g} mV, below the points.")

    def _slider_moved(self, _event: Any = None) -> None:
        layer = self._stack_layer()
        if layer is not None and fitted.fit_is_shown(self._viewer, layer):
            self._timer.start()

    def _follow_bias(self) -> None:
        layer = self._stack_layer()
        if layer is not None and fitted.fit_is_shown(self._viewer, layer):
            fitted.show_fit(self._viewer, layer, self._bias(layer), reveal=False)

    def show_missed(self) -> None:
        """Compute the completeness maps, off the GUI thread."""
        self._running_on = self._stack_layer()
        found = fitted.found_of(self._viewer, self._running_on)

        def work() -> Generator[Progress, None, Any]:
            yield Progress(0.0, "score test at every place")
            return found.completeness()

        self.job.start(work)

    def fit_points(self) -> None:
        """Fit the chosen points, off the GUI thread.

        Raises
        ------
        FriedelError
            If there are none, or no band.
        """
        layer, points = self._stack_layer(), self.points.layer()
        if points is None:
            raise FriedelError("Choose the points first: any Points layer.")
        stack, channel = stack_of(layer)
        place = _places(points, stack)
        band, hold = self._band(), self.hold.isChecked()
        self._running_on = layer

        def work() -> Generator[Progress, None, Any]:
            yield Progress(0.0, f"fitting {len(place)} points")
            from friedel.given_points import refit_points

            return refit_points(stack, place, dispersion=band, channel=channel, hold=hold)  # type: ignore[arg-type]

        self.job.start(work)

    def _finished(self, result: Any) -> None:
        layer = self._running_on
        if layer not in self._viewer.layers:
            raise StackError("The stack was removed meanwhile; there is nothing to show the result on.")
        if hasattr(result, "table"):
            points = showing.show(self._viewer, layer, result, maps=False)
            self.made.emit(points)
            self.remark.emit(f"{len(result.table)} points fitted; {fitted.explained_text(result)}")
        else:
            fitted.show_completeness(self._viewer, layer, result)
            count = int(result.missing.sum())
            self.remark.emit(
                f"The data ask for one more scatterer at {count} pixels. The map tells which |s| would be missed."
            )
        self.refresh()


def _places(layer: Any, stack: Any) -> np.ndarray:
    """Row and column of the points of a layer that count [px of the stack]."""
    info = info_of(layer)
    if isinstance(info, ImpuritiesInfo) and info.stack is stack:
        return results.impurity_positions(layer)
    data = np.asarray(layer.data, dtype=float)
    world = np.array([layer.data_to_world(one) for one in data], dtype=float).reshape(len(data), -1)
    place = world_to_pixel(stack, world[:, -2:])
    inside = (place >= -0.5) & (place <= np.array([stack.sizes["y"], stack.sizes["x"]]) - 0.5)
    return np.asarray(place[inside.all(axis=1)])
