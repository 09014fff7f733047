"""Freed memory that is kept for the next request.

A network asks for blocks of some megabytes and frees them, layer after layer. glibc gives each back to the system,
which clears every page of the next one.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from functools import cache

import numpy as np

#: Just below the 32 MiB that glibc takes for the size of a short-lived block at most.
LARGEST = 31 << 20
#: What dask.distributed sets for each of its workers, without being asked (``distributed.nanny.pre-spawn-environ``).
#: It stops glibc from learning, and blocks from 128 KiB on go back at once.
DASK_TRIM_THRESHOLD = "65536"
#: Of ``malloc.h``.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@cache
def keep_freed_memory() -> None:
    """Let glibc keep some 60 MiB of freed memory for this process; elsewhere it changes nothing.

    Freeing one large block teaches glibc that such blocks are short-lived: it raises M_MMAP_THRESHOLD to its size and
    M_TRIM_THRESHOLD to twice that (mallopt(3)), unless the user has set them. In a worker of dask, which sets one of
    them for every program, both are set to the same values.
    """
    if "distributed" in sys.modules and os.environ.get("MALLOC_TRIM_THRESHOLD_") == DASK_TRIM_THRESHOLD:
        with suppress(AttributeError, OSError, TypeError):  # a C library that has no mallopt
            library = ctypes.CDLL(None)
            library.mallopt(_M_MMAP_THRESHOLD, LARGEST)
            library.mallopt(_M_TRIM_THRESHOLD, 2 * LARGEST)
    np.empty(LARGEST, np.uint8)
