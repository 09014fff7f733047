"""Where a reference map lies over the stack: registration, nudging by hand, the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QGroupBox,
    QLabel,
    QPushButton,
    QWidget,
)

from friedel.errors import FriedelError, StackError
from friedel.progress import Progress
from friedel.stack import row_direction
from napari_friedel.jobs import Job, State
from napari_friedel.layers import reference, results
from napari_friedel.layers.info import frame_of, kind_of
from napari_friedel.layers.stack_layers import stack_of
from napari_friedel.words import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

#: Arrow, its place in the grid, its step on the screen (up, right).
ARROWS = (("▲", (0, 1), (1, 0)), ("◀", (1, 0), (0, -1)), ("▶", (1, 2), (0, 1)), ("▼", (2, 1), (-1, 0)))
TARGETS = {
    "probability": "probability of this detection",
    "s": "S of this detection",
    "topograph": "topograph of the stack",
}


class PlaceBox(QGroupBox):
    """Moves the reference layer.

    Parameters
    ----------
    viewer : ViewerModel
    pair : callable
        Gives (stack layer, reference layer), or raises `FriedelError` with what is missing.
    """

    moved = Signal()
    problem = Signal(str)
    remark = Signal(str)

    def __init__(self, viewer: Any, pair: Callable[[], tuple[Any, Any]]) -> None:
        super().__init__("Position of the reference")
        self._viewer, self._pair = viewer, pair
        self.job = Job(self, "registration of a reference map")
        self.target = QComboBox()
        for key, text in TARGETS.items():
            self.target.addItem(text, key)
        self.target.setToolTip("Both maps must show the same thing with the same sign")
        self.register = QPushButton("Register")
        self.register.setToolTip("Find the shift between the two maps by phase correlation, and apply it")
        self.shift = QLabel("")
        self.shift.setWordWrap(True)
        self.step = QDoubleSpinBox()
        self.step.setRange(0.05, 50)
        self.step.setValue(0.5)
        self.step.setSuffix(" px")
        self.step.setToolTip("By how many pixels of the stack an arrow moves the reference")
        rows = QFormLayout(self)
        rows.setContentsMargins(6, 6, 6, 6)
        rows.setVerticalSpacing(4)
        rows.addRow("Against", self.target)
        rows.addRow(self.register)
        rows.addRow(self.shift)
        rows.addRow("Nudge by", self.step)
        rows.addRow("", self._arrows())
        self.register.clicked.connect(lambda: self._try(self.start))
        self.job.returned.connect(lambda result: self._try(lambda: self._registered(result)))
        self.job.failed.connect(lambda text, _details: self.problem.emit(text))
        self.job.state_changed.connect(self._render)

    def _arrows(self) -> QWidget:
        holder = QWidget()
        grid = QGridLayout(holder)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(2)
        self.arrows = {}
        for text, place, step in ARROWS:
            button = self.arrows[text] = QPushButton(text)
            button.setToolTip("Move the reference this way")
            button.clicked.connect(lambda _=False, step=step: self._try(lambda: self.nudge(*step)))
            grid.addWidget(button, *place)
        self.home = QPushButton("⌂")
        self.home.setToolTip("Back to where the file says it lies")
        self.home.clicked.connect(lambda: self._try(self.reset))
        grid.addWidget(self.home, 1, 1)
        for button in (*self.arrows.values(), self.home):
            button.setFixedSize(32, 24)
        grid.setColumnStretch(3, 1)
        return holder

    def _try(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except FriedelError as error:
            self.problem.emit(sentence(error))

    def start(self) -> None:
        """Find the shift between the reference and a map of the stack's own frame, off the GUI thread.

        Raises
        ------
        FriedelError
            If a map is missing.
        """
        stack_layer, layer = self._pair()
        stack, _ = stack_of(stack_layer)
        margin = (stack.sizes["y"] // 2, stack.sizes["x"] // 2)
        fixed = reference.resampled(self._target(stack_layer, stack), stack, (0, 0))
        moving = reference.resampled(layer, stack, margin)

        def work() -> Generator[Progress, None, Any]:
            yield Progress(0.0, "correlating the two maps")
            from friedel.reference import register

            shift = register(moving, fixed)
            return layer, stack, shift, (shift.rows + margin[0], shift.columns + margin[1])

        self.job.start(work)

    def _target(self, stack_layer: Any, stack: Any) -> Any:
        kind = self.target.currentData()
        if kind == "topograph":
            layers = (x for x in self._viewer.layers if kind_of(x) == kind and frame_of(x) is stack)
            found = next(layers, None)
            words = "The stack has no topograph in the viewer."
        else:
            found = results.find(self._viewer, stack_layer, kind)
            words = "There is no detection yet: press “Detect” first, or register against the topograph."
        if found is None:
            raise StackError(words)
        return found

    def _registered(self, result: Any) -> None:
        layer, stack, shift, (rows, columns) = result
        if not shift.trusted:
            self.remark.emit(
                f"Not moved. {shift.remark} (Best guess: {rows:+.2f} rows, {columns:+.2f} columns.)"
            )
            return
        reference.move(layer, stack, rows, columns)
        self.refresh(f" Correlation {shift.correlation:.2f}, {shift.significance:.0f} σ above chance.")
        self.moved.emit()

    def _render(self, state: State) -> None:
        busy = state in (State.RUNNING, State.CANCELLING)
        self.register.setEnabled(not busy)
        self.register.setText("Registering…" if busy else "Register")

    def nudge(self, up: float, right: float) -> None:
        """Move the reference by steps on the screen."""
        stack_layer, layer = self._pair()
        stack, _ = stack_of(stack_layer)
        # The screen's y points up, whatever the direction of the scan.
        up *= row_direction(stack)
        reference.move(layer, stack, up * self.step.value(), right * self.step.value())
        self.refresh()
        self.moved.emit()

    def reset(self) -> None:
        """Put the reference back to where its file says it lies."""
        stack_layer, layer = self._pair()
        reference.reset(layer, stack_of(stack_layer)[0])
        self.refresh()
        self.moved.emit()

    def refresh(self, more: str = "") -> None:
        """Say by how much the reference was moved."""
        try:
            rows, columns = reference.shift_of(self._pair()[1])
        except FriedelError:
            rows, columns = 0.0, 0.0
        moved = abs(rows) > 1e-6 or abs(columns) > 1e-6
        words = f"Shifted by {rows:+.2f} rows, {columns:+.2f} columns." if moved else "No shift: as recorded."
        self.shift.setText(words + more)
