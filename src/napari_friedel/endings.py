"""What is called when a Qt object ends."""

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
