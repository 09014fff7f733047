"""A disk that fills at any moment kills no process, leaves the older file whole and nothing half-written behind.

A limit on the size of a file stands in for the full disk: the kernel refuses the same `write`,
as EFBIG instead of ENOSPC.
Where a file system can be mounted (as root), a real one of 1 MB is filled as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource")
CHILD = Path(__file__).with_name("full_disk_child.py")


def tries(folder: Path, how: str) -> list[list]:
    done = subprocess.run(
        [sys.executable, str(CHILD), str(folder), how], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(found: list[list]) -> None:
    assert {kind for kind, *_ in found} == {"nc", "npz", "model", "checkpoint"}
    for kind, level, size, outcome, number, left in found:
        what = kind, level, size, outcome
        assert not left, (*what, left)
        if outcome == "written":
            assert number == 2, what
        else:
            assert number == 1 and "\n" not in outcome, what
            assert any(words in outcome for words in ("No space left", "File too large")), what
    for kind in {kind for kind, *_ in found}:  # both ends of the scale were met
        assert any(one[0] == kind and one[3] == "written" for one in found), kind
        assert any(one[0] == kind and one[3] != "written" for one in found), kind


def test_every_level_of_a_limit_on_the_size_of_a_file(tmp_path: Path) -> None:
    check(tries(tmp_path, "limit"))


def test_every_level_of_a_real_small_disk(tmp_path: Path) -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root mounts a file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        check(tries(tmp_path, "disk"))
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_command_on_a_full_disk_ends_in_one_line(tmp_path: Path) -> None:
    import friedel

    stack = friedel.simulate("au111", shape=(16, 16), impurities=1, bias_mv=[-200.0, -100.0, 0.0], seed=1)
    friedel.write_stack(stack, tmp_path / "grid.nc")
    grid = str(tmp_path / "grid.nc")
    before = sorted(tmp_path.iterdir())
    commands = [
        ["convert", grid, str(tmp_path / "out.nc")],
        ["simulate", "--shape", "16,16", "--bias", "-100", "--impurities", "1", "-o", str(tmp_path / "s.nc")],
        ["detect", grid, "--material", "au111", "--method", "omp", "-o", str(tmp_path / "p.csv")],
    ]
    done = subprocess.run(
        [sys.executable, str(CHILD), "commands", "100"],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for words, line in zip(commands, done.stdout.splitlines(), strict=True):
        code, told = json.loads(line)
        errors = [line for line in told if "warning" not in line]
        assert code == 2 and len(errors) == 1, (words, code, told)
        assert "File too large" in errors[0] and words[-1] in errors[0]
    assert sorted(tmp_path.iterdir()) == before
