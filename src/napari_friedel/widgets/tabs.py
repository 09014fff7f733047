"""Our docks stand in one column, as tabs with short names in the order of work."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabBar, QWidget

ORDER = ("Import", "Detect", "Compare", "Fine-tune", "Inspect", "Folder")


def tab_together(widget: QWidget) -> None:
    """Put the dock of `widget` into one column of tabs with our other docks in the same window."""
    frame = frame_of(widget)
    window = None if frame is None else frame.parent()
    while window is not None and not isinstance(window, QMainWindow):
        window = window.parent()
    if frame is None or window is None:
        return
    frame.setWindowTitle(str(getattr(widget, "tab", "") or frame.windowTitle()))
    ours = [
        dock for dock in window.findChildren(QDockWidget) if _title(dock) in ORDER and not dock.isFloating()
    ]
    area = window.dockWidgetArea(frame)
    ours = [dock for dock in ours if window.dockWidgetArea(dock) == area]
    ours.sort(key=lambda dock: ORDER.index(_title(dock)))
    alone = [dock for dock in ours if len(window.tabifiedDockWidgets(dock)) + 1 < len(ours)]
    if alone or _order(window) != [_title(dock) for dock in ours]:
        for first, second in pairwise(ours):
            window.tabifyDockWidget(first, second)
    frame.raise_()


def _order(window: QMainWindow) -> list[str]:
    """Our tabs as they stand in the window now."""
    bars = ([bar.tabText(i) for i in range(bar.count())] for bar in window.findChildren(QTabBar))
    return max(([text for text in texts if text in ORDER] for texts in bars), key=len, default=[])


def frame_of(widget: Any) -> QDockWidget | None:
    """The dock window around a widget, or None."""
    parent = widget
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


def bring_up(widget: Any) -> None:
    """Raise the tab of a dock."""
    frame = frame_of(widget)
    if frame is not None:
        frame.show()
        frame.raise_()


def _title(dock: QDockWidget) -> str:
    inner = dock.widget()
    # napari may put a frame around a dock; to go through all its controls would take longer than the rest.
    direct = Qt.FindChildOption.FindDirectChildrenOnly
    candidates = [inner, *(inner.findChildren(QWidget, "", direct) if inner is not None else [])]
    return next((str(x.tab) for x in candidates if getattr(x, "tab", "") in ORDER), "")
