"""What the docks share: a scrolling form with a line for messages; tabs in one column; a calm wheel."""

from __future__ import annotations

import contextlib
import traceback
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtWidgets import QFormLayout, QFrame, QGroupBox, QLabel, QScrollArea, QVBoxLayout, QWidget

from friedel.errors import FriedelError
from napari_friedel.ahead import load_ahead
from napari_friedel.layers.viewing import attach, unwrapped
from napari_friedel.widgets.calm import finish
from napari_friedel.widgets.listener import Listener
from napari_friedel.widgets.shared import shared
from napari_friedel.widgets.small import what_is_this
from napari_friedel.widgets.tabs import tab_together
from napari_friedel.words import sentence

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_friedel.widgets.layer_box import LayerBox


class Dock(QWidget):
    """A dock: a message line above, the form below in a scroll area, so that it fits on a small screen.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer; a bare `ViewerModel` will do in tests.
    """

    #: Text of the dock's tab.
    tab = ""
    #: Page of the documentation that explains the dock.
    page = ""

    def __init__(self, napari_viewer: Any) -> None:
        self._docked = False
        super().__init__()
        self.viewer = unwrapped(napari_viewer)
        attach(self.viewer)
        self.shared = shared(self.viewer)
        self.listener = Listener(self)
        self.message = Message()
        self.content = QWidget()
        self.form = QVBoxLayout(self.content)
        self.form.setContentsMargins(6, 6, 6, 6)
        self.form.setSpacing(6)
        self.content.installEventFilter(self)
        scroll = QScrollArea()
        scroll.setWidget(self.content)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll = scroll
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        outer.addWidget(self.message)
        if self.page:
            self.form.addWidget(what_is_this(self.page))
        self.setMinimumWidth(320)

    def event(self, event: QEvent | None) -> bool:
        """Go for good when napari takes the dock out of its window: it only unparents the widget."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            docked = self.parent() is not None
            if self._docked and not docked:
                self.listener.end()
                # Not at once: Qt 5 never comes back to what is given up while it delivers an event outside its loop.
                QTimer.singleShot(0, self.deleteLater)
            self._docked = docked
            if docked:
                QTimer.singleShot(0, self._settle)
        return bool(super().event(event))

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """A form that has grown gets its room: what is filled in later may be wider."""
        if watched is self.content and event.type() == QEvent.Type.LayoutRequest and self.isVisible():
            self._make_room()
        return bool(super().eventFilter(watched, event))

    def _settle(self) -> None:
        """Stand in one column with our other docks, as tabs with short names in the order of work."""
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            if self.parent() is not None:
                tab_together(self)
                finish(self)
                QTimer.singleShot(2000, load_ahead)  # the window is drawn first

    def showEvent(self, event: Any) -> None:
        """Give what was built meanwhile a tool tip of its row, and take the wheel from it."""
        super().showEvent(event)
        finish(self)
        self._make_room()

    def _make_room(self) -> None:
        """Never be narrower than the form: there is no horizontal scroll bar, and its right edge would be cut off."""
        bar = self._scroll.verticalScrollBar()
        beside = bar.sizeHint().width() if bar is not None else 0
        needed = max(320, self.content.minimumSizeHint().width() + beside)
        if needed != self.minimumWidth():
            self.setMinimumWidth(needed)

    def share_stack(self, box: LayerBox) -> None:
        """Let a chooser of the stack follow the other docks and the active layer."""

        def chosen(*_: Any) -> None:
            self.shared.choose_stack(box.layer())

        def follow(layer: Any) -> None:
            if layer is not box.layer():
                box.choose(layer)

        box.currentIndexChanged.connect(chosen)
        self.listener.on(self.shared.stack_changed, follow)
        if self.shared.stack is not None:
            box.choose(self.shared.stack)
        elif box.layer() is not None:
            self.shared.choose_stack(box.layer())

    def sizeHint(self) -> QSize:
        """Never ask for more than a small screen has."""
        return QSize(360, min(self.content.sizeHint().height() + 60, 640))

    def minimumSizeHint(self) -> QSize:
        """Shrink below the form's height: it scrolls."""
        return QSize(320, 120)

    def scroll_to(self, widget: QWidget) -> None:
        """Scroll the form until `widget` stands at its top, or as near as the form's end allows."""
        bar = self._scroll.verticalScrollBar()
        if bar is not None:
            # What appeared just now has its place after the layout has run.
            def scroll() -> None:
                with contextlib.suppress(RuntimeError):  # closed meanwhile
                    bar.setValue(widget.mapTo(self.content, widget.rect().topLeft()).y())

            QTimer.singleShot(0, scroll)

    def into_sight(self, widget: QWidget) -> None:
        """Scroll the form no farther than `widget` needs to be seen, once the layout has run."""

        def show() -> None:
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                self._scroll.ensureWidgetVisible(widget)

        QTimer.singleShot(0, show)

    def pin(self, widget: QWidget) -> None:
        """Keep a widget below the form, in sight however far the form is scrolled."""
        outer = self.layout()
        if isinstance(outer, QVBoxLayout):
            outer.insertWidget(1, widget)

    def group(self, title: str) -> QFormLayout:
        """Add a titled group of rows and return its layout."""
        box = QGroupBox(title)
        rows = QFormLayout(box)
        rows.setContentsMargins(6, 6, 6, 6)
        rows.setVerticalSpacing(4)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
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
                self.message.error(sentence(error))
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

    def error_of(self, error: BaseException) -> None:
        """Say in a sentence what an error tells."""
        self.error(sentence(error))

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
        colour = {"error": "#e5484d", "warning": "#e0a100", "info": "#8a8f98"}.get(level, "transparent")
        self.level = level
        self.setText(text)
        self.setToolTip(details[-3000:])
        self.setStyleSheet(f"Message {{ border-left: 4px solid {colour}; padding-left: 6px; }}")
        self.setVisible(bool(text))
