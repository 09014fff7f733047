"""xarray's question to dask, pint, cupy and sparse: whether an array is one of theirs.

To ask it, xarray loads each of these packages that is installed, which takes longer than to describe a file. The arrays
of a command that opens a file and hands nothing to a scheduler are never theirs, and this can be said beforehand.
"""

from __future__ import annotations

import sys

_PACKAGES = ("dask", "pint", "cupy", "sparse")


def hide_array_packages() -> None:
    """Let every import of them fail in this process; for a process that is the program's own, before xarray loads."""
    if "xarray" in sys.modules:
        return
    for name in _PACKAGES:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
