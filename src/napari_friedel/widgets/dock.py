"""What the docks share: a scrolling dock with a line for messages, layer choosers, a progress bar with Cancel."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from friedel.errors import FriedelError
from napari_friedel.jobs import Job, State, sentence
from napari_friedel.layers.viewing import attach, unwrapped


class Listener:
    """Connections to napari's events that end with the widget.

    napari keeps its callbacks weakly, but a widget's Python half may outlive its Qt half: without this, moving the
    slider after a dock was closed would call into a deleted object.
    """

    def __init__(self, widget: QWidget) -> None:
        self._connections: list[tuple[Any, Any]] = []
        connections = self._connections
        widget.destroyed.connect(lambda *_: _end(connections))

    def on(self, emitter: Any, callback: Callable[..., Any]) -> None:
        """Call `callback` at every event of `emitter` (of napari or psygnal)."""
        emitter.connect(callback)
        self._connections.append((emitter, callback))

    def end(self) -> None:
        """Hear nothing any more."""
        _end(self._connections)


class Dock(QWidget):
    """A dock: a message line above, the form below in a scroll area, so that it fits on a small screen.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer; a bare `ViewerModel` will do in tests.
    """

    def __init__(self, napari_viewer: Any) -> None:
        self._docked = False
        super().__init__()
        self.viewer = unwrapped(napari_viewer)
        attach(self.viewer)
        self.listener = Listener(self)
        self.message = Message()
        self.content = QWidget()
        self.form = QVBoxLayout(self.content)
        self.form.setContentsMargins(6, 6, 6, 6)
        self.form.setSpacing(6)
        scroll = QScrollArea()
        scroll.setWidget(self.content)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        outer.addWidget(self.message)
        self.setMinimumWidth(320)

    def event(self, event: QEvent | None) -> bool:
        """Go for good when napari takes the dock out of its window: it only unparents the widget."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            docked = self.parent() is not None
            if self._docked and not docked:
                self.listener.end()
                self.deleteLater()
            self._docked = docked
        return bool(super().event(event))

    def sizeHint(self) -> QSize:
        """Never ask for more than a small screen has."""
        return QSize(360, min(self.content.sizeHint().height() + 60, 640))

    def minimumSizeHint(self) -> QSize:
        """Shrink below the form's height: it scrolls."""
        return QSize(320, 120)

    def group(self, title: str) -> QFormLayout:
        """Add a titled group of rows and return its layout."""
        box = QGroupBox(title)
        rows = QFormLayout(box)
        rows.setContentsMargins(6, 6, 6, 6)
        rows.setVerticalSpacing(4)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self.form.addWidget(box)
        return rows

    def safely(self, action: Callable[..., Any]) -> Callable[..., None]:
        """Wrap a slot: an error becomes a sentence in the dock, and the dock stays alive."""
        return self.safely_with(lambda *_: action())

    def safely_with(self, action: Callable[..., Any]) -> Callable[..., None]:
        """As `safely`, for slots that take the signal's arguments."""

        def run(*arguments: Any) -> None:
            try:
                action(*arguments)
            except FriedelError as error:
                self.message.error(str(error))
            except Exception as error:
                self.message.error(sentence(error), details="".join(traceback.format_exception(error)))

        return run


class Message(QLabel):
    """One line of words below the form: information, a warning or an error, in that order of loudness."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setContentsMargins(8, 4, 8, 6)
        self.setVisible(False)
        self.level = ""

    def error(self, text: str, details: str = "") -> None:
        """Say what went wrong; the traceback, if any, is in the tool tip."""
        self._show("error", text, details)

    def warn(self, text: str) -> None:
        """Say what the user should know about a result that stands."""
        self._show("warning", text)

    def info(self, text: str) -> None:
        """Say what was done."""
        self._show("info", text)

    def clear(self) -> None:
        """Say nothing."""
        self._show("", "")

    def _show(self, level: str, text: str, details: str = "") -> None:
        colour = {"error": "#e5484d", "warning": "#e0a100", "info": "palette(mid)"}.get(level, "transparent")
        self.level = level
        self.setText(text)
        self.setToolTip(details[-3000:])
        self.setStyleSheet(f"Message {{ border-left: 4px solid {colour}; padding-left: 6px; }}")
        self.setVisible(bool(text))


class LayerBox(QComboBox):
    """A chooser of layers that follows the viewer's layer list.

    Parameters
    ----------
    viewer : ViewerModel
    accept : callable
        Whether a layer is offered.
    none : str
        Text of an entry for "no layer", or empty for none.
    """

    def __init__(self, viewer: Any, accept: Callable[[Any], bool], none: str = "") -> None:
        super().__init__()
        self._viewer, self._accept, self._none = viewer, accept, none
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._listener = Listener(self)
        for name in ("inserted", "removed", "reordered"):
            self._listener.on(getattr(viewer.layers.events, name), self.refresh)
        self.refresh()

    def refresh(self, _event: Any = None) -> None:
        """Offer what the viewer holds now, newest first, and keep the choice if it is still there."""
        kept = self.layer()
        offered = [layer for layer in reversed(self._viewer.layers) if self._accept(layer)]
        self.blockSignals(True)
        self.clear()
        if self._none:
            self.addItem(self._none, None)
        for layer in offered:
            self.addItem(_short(layer.name), layer)
            self.setItemData(self.count() - 1, layer.name, Qt.ItemDataRole.ToolTipRole)
            layer.events.name.connect(self._renamed)
        index = next((i for i in range(self.count()) if kept is not None and self.itemData(i) is kept), -1)
        if index < 0:
            index = 1 if self._none and kept is not None and self.count() > 1 else 0
        self.setCurrentIndex(index)
        self.blockSignals(False)
        if self.layer() is not kept:
            self.currentIndexChanged.emit(self.currentIndex())

    def _renamed(self, _event: Any = None) -> None:
        for i in range(self.count()):
            if (layer := self.itemData(i)) is not None:
                self.setItemText(i, _short(layer.name))

    def layer(self) -> Any:
        """The chosen layer, or None."""
        return self.currentData()

    def choose(self, layer: Any) -> None:
        """Choose `layer` if it is offered."""
        for i in range(self.count()):
            if self.itemData(i) is layer:
                self.setCurrentIndex(i)


class JobBar(QWidget):
    """A start button, progress with time left, and Cancel: the face of a `Job`."""

    def __init__(self, job: Job, start: str) -> None:
        super().__init__()
        self.job = job
        self.start = QPushButton(start)
        self.start.setMinimumHeight(32)
        self.start.setStyleSheet("QPushButton { font-weight: bold; }")
        self.cancel = QPushButton("Cancel")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(True)
        self.text = QLabel("")
        self.text.setWordWrap(True)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.start)
        row = QHBoxLayout()
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)
        rows.addLayout(row)
        rows.addWidget(self.text)
        self._began = 0.0
        # A sign of life also while the first step (loading torch, say) takes its time.
        self._clock = QTimer(self)
        self._clock.setInterval(500)
        self._clock.timeout.connect(self._tick)
        self._last = ("", 0.0)
        self.cancel.clicked.connect(job.cancel)
        job.state_changed.connect(self._render)
        job.progressed.connect(self._progress)
        self._render(job.state)

    def _render(self, state: State) -> None:
        busy = state in (State.RUNNING, State.CANCELLING)
        self.start.setEnabled(not busy)
        for widget in (self.bar, self.cancel, self.text):
            widget.setVisible(busy)
        self.cancel.setEnabled(state is State.RUNNING)
        self.cancel.setText("Cancelling…" if state is State.CANCELLING else "Cancel")
        if state is State.RUNNING:
            self._began = time.monotonic()
            self._last = ("starting", 0.0)
            self.bar.setRange(0, 0)
            self._clock.start()
            self._tick()
        elif not busy:
            self._clock.stop()

    def _progress(self, steps: list[Any]) -> None:
        step = steps[-1]
        self._last = (step.message, step.fraction)
        if step.fraction > 0:
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(1000 * min(step.fraction, 1.0)))
        self._tick()

    def _tick(self) -> None:
        message, fraction = self._last
        spent = time.monotonic() - self._began
        left = (
            f", {duration(spent * (1 - fraction) / fraction)} left" if fraction > 0.02 and spent > 1 else ""
        )
        self.text.setText(f"{message or 'working'} · {duration(spent)}{left}")


class Advanced(QWidget):
    """A button that folds a form away: what a beginner need not see."""

    def __init__(self, title: str = "Advanced") -> None:
        super().__init__()
        self.button = QToolButton()
        self.button.setText(title)
        self.button.setCheckable(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setArrowType(Qt.ArrowType.RightArrow)
        self.button.setStyleSheet("QToolButton { border: none; }")
        self.inner = QWidget()
        self.rows = QFormLayout(self.inner)
        self.rows.setContentsMargins(12, 0, 0, 0)
        self.inner.setVisible(False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.button)
        outer.addWidget(self.inner)
        self.button.toggled.connect(self.unfold)

    def unfold(self, shown: bool) -> None:
        """Show or hide the form."""
        self.button.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
        self.inner.setVisible(shown)


def hint(text: str) -> QLabel:
    """A quiet line of explanation."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setStyleSheet("QLabel { color: palette(mid); }")
    return label


def side_by_side(*widgets: QWidget) -> QWidget:
    """Widgets in one line, of equal share, for a row of a form."""
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget, 1)
    return holder


def duration(seconds: float) -> str:
    """Write a time span as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


def setting(group: str, key: str, default: Any) -> Any:
    """Read one of the plugin's settings from napari's preferences; `default` where there are none."""
    try:
        from napari.settings import get_plugin_settings

        return getattr(getattr(get_plugin_settings("napari-friedel"), group), key)
    except Exception:  # no plugin manager (bare ViewerModel), or a settings file of another version
        return default


def _short(name: str, length: int = 34) -> str:
    """Leave the middle out of a long name: its end, the channel, matters most."""
    half = (length - 1) // 2
    return name if len(name) <= length else f"{name[:half].rstrip()}…{name[-half:].lstrip()}"


def _end(connections: list[tuple[Any, Any]]) -> None:
    while connections:
        emitter, callback = connections.pop()
        with contextlib.suppress(ValueError, RuntimeError):
            emitter.disconnect(callback)
