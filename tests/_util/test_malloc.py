"""Freed memory stays at hand."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import sys

import numpy as np

if sys.argv[1] == "kept":
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


def _faults(kind):
    done = subprocess.run([sys.executable, "-c", FAULTS, kind], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be taught")
def test_pages_are_not_cleared_again():
    usual, kept = _faults("usual"), _faults("kept")
    assert kept < 100 < usual
