"""Freed memory that is kept for the next request.

A network asks for blocks of some megabytes and frees them, layer after layer. glibc gives each back to the system,
which clears every page of the next one.
"""

from __future__ import annotations

from functools import cache

import numpy as np

#: Just below the 32 MiB that glibc takes for the size of a short-lived block at most.
LARGEST = 31 << 20


@cache
def keep_freed_memory() -> None:
    """Let glibc keep some 60 MiB of freed memory for this process; elsewhere it changes nothing.

    Freeing one large block teaches glibc that such blocks are short-lived: it raises M_MMAP_THRESHOLD to its size and
    M_TRIM_THRESHOLD to twice that (mallopt(3)), unless the user has set them.
    """
    np.empty(LARGEST, np.uint8)
