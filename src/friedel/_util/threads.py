"""Independent pieces of numpy work on all cores.

numpy lets go of the interpreter's lock while it computes. The BLAS library underneath has threads of its own, which
gain nothing on matrices of some hundred columns and get in each other's way: they are held back meanwhile.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

#: More threads wait for the interpreter more than they compute.
MOST = 4
T = TypeVar("T")


def cores() -> int:
    """Cores that this process may use, no more than OMP_NUM_THREADS allows, at most `MOST`."""
    return min(network_threads(), MOST)


def network_threads() -> int:
    """Threads of a network on the processor: the cores that this process may use, or fewer by OMP_NUM_THREADS."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(allowed, int(asked) if asked.isdigit() else allowed))


@cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="friedel")


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread_each() -> AbstractContextManager[Any]:
    """Hold the BLAS library to one thread for every call, as long as this lasts."""
    result: AbstractContextManager[Any] = _libraries().limit(limits=1, user_api="blas")
    return result


def each(work: Callable[[T], object], pieces: Iterable[T]) -> None:
    """Call `work` on every piece, several at a time; the first error is raised.

    Parameters
    ----------
    work : callable
        Writes its result where no other piece writes.
    pieces : iterable
    """
    pieces = list(pieces)
    count = min(cores(), len(pieces))
    with one_thread_each():
        if count < 2:
            for piece in pieces:
                work(piece)
        else:
            for _ in _pool(count).map(work, pieces):
                pass
