"""Connections to napari's events that end with a widget."""

from __future__ import annotations

import contextlib
import inspect
import weakref
from typing import TYPE_CHECKING, Any

from napari_friedel.endings import at_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget


class Listener:
    """Connections to napari's events that end with the widget.

    napari keeps its callbacks weakly, but a widget's Python half may outlive its Qt half: without this, moving the
    slider after a dock was closed would call into a deleted object.
    """

    def __init__(self, widget: QWidget) -> None:
        self._connections: list[tuple[Any, _Forward]] = []
        connections = self._connections
        at_end(widget, lambda: _end(connections))

    def on(self, emitter: Any, callback: Callable[..., Any]) -> None:
        """Call `callback` at every event of `emitter` (of napari, psygnal or Qt)."""
        forward = _Forward(callback)
        emitter.connect(forward.run)
        self._connections.append((emitter, forward))

    def end(self) -> None:
        """Hear nothing any more."""
        _end(self._connections)


class _Forward:
    """Stands in the emitter's list in place of the widget.

    Older versions of napari ask every callback's object what it is before they disconnect one, and a widget whose Qt
    half is gone does not answer.
    """

    def __init__(self, callback: Callable[..., Any]) -> None:
        self._callback: Callable[[], Callable[..., Any] | None] = (
            weakref.WeakMethod(callback) if inspect.ismethod(callback) else lambda: callback
        )
        self._most = _most_arguments(callback)
        self.ended = False

    def run(self, *arguments: Any) -> None:
        """Call with as many arguments as the callback takes."""
        callback = None if self.ended else self._callback()
        if callback is not None:
            callback(*arguments[: self._most])


def _most_arguments(callback: Callable[..., Any]) -> int | None:
    try:
        parameters = inspect.signature(callback).parameters.values()
    except (TypeError, ValueError):  # of Qt itself
        return None
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return None
    return sum(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in parameters)


def _end(connections: list[tuple[Any, _Forward]]) -> None:
    while connections:
        emitter, forward = connections.pop()
        forward.ended = True
        with contextlib.suppress(ValueError, RuntimeError, TypeError):
            emitter.disconnect(forward.run)
