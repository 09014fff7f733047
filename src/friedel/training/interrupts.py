"""Ctrl-C and SIGTERM wait for the end of a training step, so that what is saved then is whole.

An exception in the middle of an optimiser's step would leave some weights moved and others not. SIGTERM, which a
cluster sends before it takes a machine away, is treated as Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM") if hasattr(signal, name))


class Interrupts:
    """Context in which both signals raise `KeyboardInterrupt`, but not inside a `step`.

    Outside the main thread, where Python allows no signal handlers, it changes nothing. In a forked process, such as
    a worker that simulates, the signals do what they did before.
    """

    def __init__(self) -> None:
        self.pending = False
        self._in_step = False
        self._before: dict[int, Any] = {}
        self._process = os.getpid()

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            # None stands for a handler that Python did not install.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        elif self._in_step and not self.pending:
            self.pending = True
        else:  # between two steps, or asked for a second time
            self.pending = True
            raise KeyboardInterrupt

    @contextmanager
    def step(self) -> Iterator[None]:
        """Hold both signals back; at the end of the block `pending` says whether one came."""
        self._in_step = True
        try:
            yield
        except Exception as error:
            if self.pending:  # a worker that Ctrl-C has ended, for example
                raise KeyboardInterrupt from error
            raise
        finally:
            self._in_step = False
