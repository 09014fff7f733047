"""A canvas that draws in the turn of the event loop after the one that changed its layers."""

from __future__ import annotations

import contextlib
from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer

from napari_friedel.turns import in_event_loop


class _Rest(QObject):
    """Takes a canvas' paint events away; what it showed last stays on the screen."""

    def __init__(self) -> None:
        super().__init__()
        self.canvases: list[Any] = []

    def eventFilter(self, _watched: Any, event: Any) -> bool:
        return bool(event.type() == QEvent.Type.Paint)


_rest: list[_Rest] = []


def rest(canvas: Any) -> None:
    """Let a canvas draw in the next turn of the event loop, not in this one.

    A new layer costs napari up to half a second, and the first drawing of it as much again: in two turns the window
    answers in between. Where no event loop runs (in a script), and before the first drawing, nothing happens.
    """
    if canvas is None or not in_event_loop() or not canvas.isValid() or resting(canvas):
        return
    if not _rest:
        _rest.append(_Rest())
    canvas.installEventFilter(_rest[0])
    _rest[0].canvases.append(canvas)
    QTimer.singleShot(1, lambda: _go_on(canvas))


def resting(canvas: Any) -> bool:
    """Whether the canvas draws in a later turn only."""
    return bool(_rest) and any(other is canvas for other in _rest[0].canvases)


def _go_on(canvas: Any) -> None:
    _rest[0].canvases = [other for other in _rest[0].canvases if other is not canvas]
    with contextlib.suppress(RuntimeError):  # closed meanwhile
        canvas.removeEventFilter(_rest[0])
        canvas.update()
