"""The turns of the event loop: work beside it, work in small steps, and the interpreter's lock for it at once."""

from __future__ import annotations

import contextlib
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from napari_friedel.endings import is_closed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

T = TypeVar("T")
#: How long a worker keeps the interpreter's lock once the window asks for it [s]. Python's default is 5 ms. The
#: window gives the lock away in each of the some hundred calls of OpenGL of a new layer, and would wait as often.
SWITCH_S = 0.001
_lock = threading.Lock()
_working: list[float] = []  # one entry for each worker: the interval before it came


@contextlib.contextmanager
def lock_at_once() -> Iterator[None]:
    """Let the window have the interpreter's lock within `SWITCH_S` while a worker computes."""
    with _lock:
        _working.append(_working[0] if _working else sys.getswitchinterval())
        sys.setswitchinterval(min(SWITCH_S, _working[0]))
    try:
        yield
    finally:
        with _lock:
            before = _working.pop()
            if not _working:
                sys.setswitchinterval(before)


def in_event_loop() -> bool:
    """Whether a window is alive around this call: the GUI thread, called by its event loop."""
    if not in_application():
        return False
    from qtpy.QtCore import QCoreApplication, QThread

    thread = QThread.currentThread()
    return bool(thread == QCoreApplication.instance().thread() and thread.loopLevel() > 0)


def in_application() -> bool:
    """Whether there is a Qt application, so that a next turn will come."""
    if "qtpy.QtCore" not in sys.modules:  # the reader decides without Qt
        return False
    from qtpy.QtCore import QCoreApplication

    return QCoreApplication.instance() is not None


def next_turn(call: Callable[[], None]) -> None:
    """Call in the next turn of the event loop."""
    from qtpy.QtCore import QTimer

    QTimer.singleShot(0, call)


def after_drawing(call: Callable[[], None]) -> None:
    """Call once the window has drawn what is new: a canvas that rests (`layers.resting`) does so between two timers."""
    from qtpy.QtCore import QTimer

    QTimer.singleShot(1, lambda: QTimer.singleShot(1, call))


def draw_while(work: Callable[[], T]) -> T:
    """Run `work` in a thread and return what it gives; the window goes on drawing meanwhile.

    For places where napari wants an answer at once. Clicks and keys wait until it is there, so that nothing is
    started twice. Where no event loop runs (in a script), `work` is just called.
    """
    if not in_event_loop():
        return work()
    from qtpy.QtCore import QEventLoop, QTimer

    loop, timer = QEventLoop(), QTimer()
    with lock_at_once(), ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        timer.timeout.connect(lambda: loop.quit() if future.done() else None)
        timer.start(20)
        loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
        timer.stop()
        return future.result()


def in_turns(
    steps: Generator[None, None, T],
    done: Callable[[T], None] | None = None,
    failed: Callable[[Exception], None] | None = None,
    *,
    viewer: Any = None,
) -> None:
    """Take steps in the GUI thread, one in a turn of the event loop: each new layer costs napari a quarter second.

    Where no event loop runs (in a script), all are taken at once. `failed` is told an error; without it, it is raised.
    With a `viewer`, the steps end with its window.
    """
    alone = not in_event_loop()

    def turn() -> None:
        if is_closed(viewer):
            steps.close()
            return
        try:
            next(steps)
            while alone:
                next(steps)
        except StopIteration as end:
            if done is not None:
                done(end.value)
        except Exception as error:
            if failed is None:
                raise
            failed(error)
        else:
            after_drawing(turn)

    turn()
