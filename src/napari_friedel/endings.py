"""What is called when a Qt object ends, and whether a window has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtCore import QObject

#: Python's garbage collector may clear a function that only a dying object refers to before Qt calls it, and the call
#: is a crash then; so each function is held here until its call.
_waiting: set[Callable[..., None]] = set()


def at_end(thing: QObject, call: Callable[[], None]) -> None:
    """Call `call` when `thing` is destroyed; `call` must not refer to `thing`, which it would keep alive."""

    def ended(*_: Any) -> None:
        _waiting.discard(ended)
        call()

    _waiting.add(ended)
    thing.destroyed.connect(ended)


def is_closed(viewer: Any) -> bool:
    """Whether the window of `viewer` is gone; a bare ViewerModel never had one.

    napari's model outlives its window. A layer that is added then draws with an OpenGL context that was given back.
    """
    viewer = getattr(viewer, "__wrapped__", viewer)  # docks get a proxy
    if not hasattr(viewer, "window"):
        return False
    try:
        viewer.window._qt_window.objectName()  # its public methods build menus and docks first
    except (AttributeError, RuntimeError):  # closed by napari, or deleted by Qt
        return True
    return False
