"""Run a generator of `Progress` off the GUI thread: progress, cancel, errors, memory.

A job is always in one of five states, and a dock only has to render them. Whatever happens in the generator, the
job ends in `DONE`, `FAILED` or `IDLE` (cancelled), so that a dock is never left dead.
"""

from __future__ import annotations

import atexit
import contextlib
import enum
import functools
import gc
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Generator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from qtpy.QtCore import QObject, QThreadPool, QTimer, Signal

from friedel.errors import FriedelWarning
from friedel.progress import Progress
from napari_friedel.endings import at_end
from napari_friedel.turns import lock_at_once
from napari_friedel.words import WorkerError, in_window_words, sentence

Work = Generator[Progress, None, Any]


class State(enum.Enum):
    """What a job is doing."""

    IDLE = "idle"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"


class JobError(WorkerError):
    """An error on its way from the worker to the dock; not a RuntimeError, which napari's worker would swallow."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(sentence(error))
        self.details = "".join(traceback.format_exception(error))


class _Task(functools.partial):  # type: ignore[type-arg]
    """A call with a name that people can read: napari shows it when it asks whether to close the window."""

    title: str

    def __new__(cls, title: str, function: Callable[..., Any], *arguments: Any) -> _Task:
        made = super().__new__(cls, function, *arguments)
        made.title = title
        return made

    def __repr__(self) -> str:
        return self.title

    __str__ = __repr__


@dataclass(frozen=True)
class _Failure:
    """An error that the worker returns.

    One that is raised, or returned bare, calls napari's own answer, which PySide6 gives too many arguments.
    """

    error: JobError


_CANCELLED = object()
#: Cancel events of the jobs that have run: all are set when the interpreter ends.
_cancels: weakref.WeakSet[threading.Event] = weakref.WeakSet()
#: How long the interpreter's end waits for workers [ms]. One that computes on while Python is taken down under it is a
#: crash; napari waits in `napari.run()` only, which a script that closes its viewer never enters.
END_MS = 20_000
# A worker that is collected before its thread ends takes Qt objects with it that are still in use.
_alive: set[Any] = set()


class Job(QObject):
    """One piece of long work at a time, started by a dock.

    Parameters
    ----------
    parent : QObject, optional
        The dock; when it goes, the work is cancelled.
    name : str
        For napari's list of running tasks.
    """

    state_changed = Signal(object)
    progressed = Signal(object)  # list[Progress]: all steps since the last signal
    returned = Signal(object)
    warned = Signal(str)
    failed = Signal(str, str)  # a sentence, and the traceback for a bug report
    cancelled = Signal()

    #: Steps are handed to the GUI at most this often [s]: a fast generator must not flood the event loop.
    interval = 0.03
    #: napari's bar handles all waiting events at each change, drawing included: it moves less often [s].
    bar_interval = 0.5

    def __init__(self, parent: QObject | None = None, name: str = "friedel") -> None:
        super().__init__(parent)
        self.name = name
        self.state = State.IDLE
        self._cancel = threading.Event()
        self._worker: Any = None
        self._bar: Any = None
        self._unfinished = 0
        self._next_bar = 0.0
        if parent is not None:
            # A closed dock must not leave a network running. The event outlives this object.
            at_end(parent, self._cancel.set)

    @property
    def busy(self) -> bool:
        """Whether work is under way."""
        return self.state in (State.RUNNING, State.CANCELLING)

    def start(self, make: Callable[[], Work]) -> None:
        """Run the generator that `make` gives; `make` is called in the worker, so it may import torch.

        A second start while one is running is ignored.
        """
        if self.busy:
            return
        from napari.qt.threading import create_worker

        self._cancel.clear()
        _end_at_exit(self._cancel)
        # The dock shows errors; napari would raise them a second time in the event loop.
        worker = create_worker(
            _Task(self.name, _guarded, make, self._cancel, self.interval),
            _start_thread=False,
            _ignore_errors=True,
            _progress={"total": 0, "desc": self.name},
        )
        self._bar = getattr(worker, "pbar", None)
        self._worker = worker
        _alive.add(worker)
        worker.yielded.connect(self.progressed)
        worker.yielded.connect(self._show_progress)
        worker.returned.connect(self._on_returned)
        worker.warned.connect(self._on_warned)
        worker.errored.connect(self._on_errored)
        worker.finished.connect(_forget(worker))
        worker.finished.connect(self._on_finished)
        self._unfinished += 1
        self._set(State.RUNNING)
        worker.start()

    def _show_progress(self, steps: list[Progress]) -> None:
        """Move napari's own bar in the activity dock; `update` would run the event loop in the middle of things."""
        now = time.monotonic()
        if self._bar is None or steps[-1].fraction <= 0 or now < self._next_bar:
            return
        self._next_bar = now + self.bar_interval
        share = min(steps[-1].fraction, 1.0)
        # In a turn of its own: the dock may have added a layer in this one.
        QTimer.singleShot(0, lambda: self._move_bar(share))

    def _move_bar(self, share: float) -> None:
        with contextlib.suppress(RuntimeError, AttributeError):  # the window closes, or the work is done
            if not self._bar.total:
                self._bar.total = 1000
            self._bar.n = round(1000 * share)
            self._bar.events.value(value=self._bar.n)

    def cancel(self) -> None:
        """Ask the work to stop; it does so at its next step."""
        if self.state is State.RUNNING:
            self._cancel.set()
            self._set(State.CANCELLING)

    def _set(self, state: State) -> None:
        self.state = state
        self.state_changed.emit(state)

    def _on_returned(self, value: Any) -> None:
        if value is _CANCELLED:
            self._set(State.IDLE)
            self.cancelled.emit()
            return
        if isinstance(value, _Failure):
            self._on_errored(value.error)
            return
        self._set(State.DONE)
        self.returned.emit(value)

    def _on_warned(self, warning: Any) -> None:
        message, category = warning[0], warning[1]
        if issubclass(category, FriedelWarning):
            self.warned.emit(in_window_words(" ".join(str(message).split())))

    def _on_errored(self, error: BaseException) -> None:
        details = getattr(error, "details", "") or "".join(traceback.format_exception(error))
        self._set(State.FAILED)
        self.failed.emit(str(error) if isinstance(error, JobError) else sentence(error), details)

    def _on_finished(self) -> None:
        self._unfinished -= 1
        if self._unfinished:  # a worker ends after its result came, and the next one may have begun between
            return
        self._worker = self._bar = None
        if self.busy:  # stopped by napari itself, for example while the viewer closes
            self._set(State.IDLE)
            self.cancelled.emit()


def _guarded(
    make: Callable[[], Work], cancel: threading.Event, interval: float
) -> Generator[list[Progress], None, Any]:
    """Drain the work; the window goes first meanwhile."""
    with lock_at_once():
        return (yield from _drained(make, cancel, interval))


def _drained(
    make: Callable[[], Work], cancel: threading.Event, interval: float
) -> Generator[list[Progress], None, Any]:
    """Batch the steps of the work, end it on cancel, wrap its errors."""
    work: Work | None = None
    steps: list[Progress] = []
    last = 0.0
    try:
        work = make()
        while not cancel.is_set():
            steps.append(next(work))
            if (now := time.monotonic()) - last >= interval:
                last = now
                yield steps
                steps = []
        return _CANCELLED
    except StopIteration as end:
        if steps:
            yield steps
        return end.value
    except GeneratorExit:
        raise
    except BaseException as error:
        return _Failure(JobError(error))
    finally:
        if work is not None:
            work.close()  # in this thread: its `finally` blocks run now, not when the memory is collected
        del work
        release_memory()


def _end_at_exit(cancel: threading.Event) -> None:
    if not _cancels:
        atexit.unregister(_end_workers)
        atexit.register(_end_workers)  # last in, first out: before Qt's own, and before Python's threads
    _cancels.add(cancel)


def _end_workers() -> None:
    """Cancel all work and wait for it."""
    for cancel in list(_cancels):
        cancel.set()
    QThreadPool.globalInstance().waitForDone(END_MS)


def loading_torch() -> Generator[Progress, None, None]:
    """Load torch in the worker, as a step that tells what takes these seconds; nothing where it is loaded already."""
    if "torch" not in sys.modules:
        yield Progress(0.0, "loading torch, once a session")
        import_module("torch")


def release_memory() -> None:
    """Give GPU memory that is cached but unused back to the driver, if torch is loaded at all."""
    torch = sys.modules.get("torch")
    if torch is None:
        return
    cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
    mps = getattr(torch.backends, "mps", None) is not None and torch.backends.mps.is_available()
    if not (cuda or mps):
        return  # a collection holds the GUI up; it is worth that for a GPU's memory only
    gc.collect()
    if cuda:
        torch.cuda.empty_cache()
    else:
        torch.mps.empty_cache()


def _forget(worker: Any) -> Callable[[], None]:
    return lambda: _alive.discard(worker)
