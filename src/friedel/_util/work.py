"""Pieces of one piece of work, here or on an executor of `concurrent.futures`, in order and few at a time."""

from __future__ import annotations

import os
import sys
from collections import deque
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from friedel.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")


@dataclass(frozen=True)
class Work:
    """Where pieces of work are done.

    Parameters
    ----------
    executor : concurrent.futures.Executor, optional
        Processes of this machine or of a cluster; in this process if None.
    ahead : int
        Pieces that wait or are being done at a time: each holds its part of the maps.
    """

    executor: Executor | None = None
    ahead: int = 16

    def __post_init__(self) -> None:
        if self.executor is not None and not callable(getattr(self.executor, "submit", None)):
            raise SettingsError(
                f"An executor is one of concurrent.futures, or None, not {self.executor!r:.60}.",
                settings="executor",
            )

    def each(self, function: Callable[..., T], pieces: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        """Call a function of a module with the arguments of every piece; results come in the order of the pieces."""
        if self.executor is None:
            for arguments in pieces:
                yield function(*arguments)
            return
        waiting: deque[Future[T]] = deque()
        try:
            for arguments in pieces:
                if len(waiting) >= self.ahead:
                    yield waiting.popleft().result()
                waiting.append(self.executor.submit(function, *arguments))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


#: In this process.
HERE = Work()


def process_pool(jobs: int) -> ProcessPoolExecutor:
    """A pool of fresh processes that share this machine's cores.

    Parameters
    ----------
    jobs : int
        How many processes.
    """
    import multiprocessing

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, allowed // jobs)
    # spawn: torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin_worker, initargs=(threads,))


@contextmanager
def ended_early(pool: ProcessPoolExecutor) -> Iterator[None]:
    """End the processes of a pool at once where the block is left before its end."""
    try:
        yield
    except BaseException:
        # `kill_workers` from Python 3.14 on. A pool that is shut down does not know its workers any more.
        workers = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.kill()
            worker.join()
        raise


def _begin_worker(threads: int) -> None:
    # Read by torch when it is loaded; not every method loads it, and it takes seconds.
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
