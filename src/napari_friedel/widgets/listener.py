"""Connections to napari's events that end with a widget."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QWidget


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


def _end(connections: list[tuple[Any, Any]]) -> None:
    while connections:
        emitter, callback = connections.pop()
        with contextlib.suppress(ValueError, RuntimeError):
            emitter.disconnect(callback)
