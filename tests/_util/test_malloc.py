"""Freed memory stays at hand."""

import os
import platform
import subprocess
import sys

import pytest

from friedel._util.malloc import DASK_TRIM_THRESHOLD

FAULTS = """
import resource
import sys

import numpy as np

if "dask" in sys.argv:
    import distributed
if "kept" in sys.argv:
    from friedel._util.malloc import keep_freed_memory

    keep_freed_memory()

def use():
    for _ in range(8):  # as a layer does: one block for the result, one for what it is made of
        first, second = np.ones(1_000_000), np.ones(1_000_000)
        del first, second

use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(*words, trim=None):
    given = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    given |= {} if trim is None else {"MALLOC_TRIM_THRESHOLD_": trim}
    command = [sys.executable, "-c", FAULTS, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=given)
    return int(done.stdout)


needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be taught")


@needs_glibc
def test_pages_are_not_cleared_again():
    usual, kept = _faults("usual"), _faults("kept")
    assert kept < 100 < usual


@needs_glibc
def test_in_a_worker_of_dask_pages_are_not_cleared_again():
    distributed = pytest.importorskip("distributed")
    shipped = distributed.config["distributed"]["nanny"]["pre-spawn-environ"]["MALLOC_TRIM_THRESHOLD_"]
    assert str(shipped) == DASK_TRIM_THRESHOLD
    usual, kept = (_faults("dask", word, trim=DASK_TRIM_THRESHOLD) for word in ("usual", "kept"))
    assert kept < 100 < usual


@needs_glibc
def test_what_the_user_has_set_for_glibc_stays():
    pytest.importorskip("distributed")
    assert _faults("dask", "kept", trim="131072") > 100
    assert _faults("kept", trim=DASK_TRIM_THRESHOLD) > 100
