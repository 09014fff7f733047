"""HDF5 files on which the library itself hangs or crashes cost a child process, not the program."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import h5py
import io_makers as makers
import numpy as np
import pytest

from friedel.errors import StackError
from friedel.io import guard, open_stack, sniff
from friedel.io.maps import read_map, write_map

HANGS = """
import sys, time
sys.stdin.read()
print("ready", flush=True)
time.sleep(3600)
"""


def mat73_with_text(path: Path) -> dict:
    """Write a .mat whose array carries a string of variable length, which lies in a heap."""
    options = makers.mat73(path)
    head = path.read_bytes()[:128]
    with h5py.File(path, "r+") as file:
        file["didv"].attrs["note"] = "grown at 300 K"
    path.write_bytes(head + path.read_bytes()[128:])
    return options


def zero_the_heap(path: Path) -> None:
    """Overwrite what the first global heap holds; objects of no length make the library go round for ever."""
    raw = path.read_bytes()
    start = raw.index(b"GCOL")
    size = int.from_bytes(raw[start + 8 : start + 16], "little")
    path.write_bytes(raw[: start + 16] + bytes(size - 16) + raw[start + size :])


@pytest.mark.parametrize(
    ("suffix", "maker"), [(".h5", makers.nsid), (".nc", makers.netcdf), (".mat", mat73_with_text)]
)
def test_a_file_on_which_the_library_hangs(
    suffix: str, maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"a{suffix}"
    options = maker(path)
    open_stack(path, **options)
    monkeypatch.setattr(guard, "SECONDS", 1.0)
    zero_the_heap(path)
    with pytest.raises(StackError, match=rf"a{suffix}: the HDF5 file is damaged.*does not return"):
        open_stack(path, **options)


def test_a_real_file_on_which_the_library_hangs(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "SECONDS", 2.0)
    path = tmp_path / "a.nxs"
    path.write_bytes((shared_data / "nexus" / "stm_5_with_default_config.nxs").read_bytes())
    zero_the_heap(path)
    with pytest.raises(StackError, match=r"a\.nxs.*damaged.*does not return"):
        open_stack(path, bias=100)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (HANGS, "does not return from it within 1 s"),
        ("import os, sys; sys.stdin.read(); print('ready', flush=True); os.abort()", "crashes"),
        ("import sys; sys.stdin.read(); print('ready'); sys.exit(1)", "crashes"),
    ],
)
def test_hang_and_crash_of_the_child_are_told(
    code: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    makers.hdf5(tmp_path / "a.h5")
    (tmp_path / "child.py").write_text(code)
    monkeypatch.setattr(guard, "WALKER", tmp_path / "child.py")
    monkeypatch.setattr(guard, "SECONDS", 1.0)
    children: list[subprocess.Popen] = []
    start = subprocess.Popen

    def kept(*words: object, **options: object) -> subprocess.Popen:
        children.append(start(*words, **options))
        return children[-1]

    monkeypatch.setattr(subprocess, "Popen", kept)
    with pytest.raises(StackError, match=rf"a\.h5.*damaged.*{reason}"):
        open_stack(tmp_path / "a.h5", **makers.ASKED)
    (child,) = children
    assert child.returncode not in (None, 0), "it has ended, and not by itself after an hour"


def test_without_a_child_files_still_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen program, a system that forbids processes, a child that finds no h5py."""
    makers.hdf5(tmp_path / "a.h5")
    (tmp_path / "child.py").write_text("raise ImportError('h5py')")

    def forbidden(*args: object, **kwargs: object) -> None:
        raise PermissionError(1, "not permitted")

    for owner, name, value in (
        (guard, "WALKER", tmp_path / "child.py"),
        (guard, "WALKER", tmp_path / "missing.py"),
        (subprocess, "Popen", forbidden),
        (sys, "executable", ""),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, value)
            assert open_stack(tmp_path / "a.h5", **makers.ASKED).sizes["bias"] == 7


def test_one_child_for_one_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []
    check = guard.check_hdf5

    def counted(path: Path) -> None:
        calls.append(path)
        check(path)

    monkeypatch.setattr("friedel.io.hdf5.check_hdf5", counted)
    for name in ("nsid", "hdf5", "mat73", "netcdf"):
        suffix, maker = makers.MAKERS[name]
        options = maker(tmp_path / f"{name}{suffix}")
        sniff(tmp_path / f"{name}{suffix}")
        assert not calls
        open_stack(tmp_path / f"{name}{suffix}", **options)
        assert len(calls) == 1
        calls.clear()
    makers.nsid(tmp_path / "other.nc")
    open_stack(tmp_path / "other.nc")
    assert len(calls) == 1
    calls.clear()
    write_map(np.ones((3, 4)), tmp_path / "map.nc", pixel_nm=1.0)
    read_map(tmp_path / "map.nc")
    assert len(calls) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_the_child_does_not_open_other_files_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a pipe that nobody writes to would wait for ever."""
    monkeypatch.setattr(guard, "SECONDS", 5.0)
    os.mkfifo(tmp_path / "pipe")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["didv"] = h5py.ExternalLink("pipe", "/didv")
        file["soft"] = h5py.SoftLink("/didv")
        file.create_dataset("raw", makers.SHAPE, "f4", external=[(str(tmp_path / "pipe"), 0, 560)])
    guard.check_hdf5(tmp_path / "a.h5")


@pytest.mark.parametrize("name", ["nsid", "mat73", "netcdf"])
def test_a_missing_end_is_seen_without_the_library(name: str, tmp_path: Path) -> None:
    suffix, maker = makers.MAKERS[name]
    path = tmp_path / f"a{suffix}"
    maker(path)
    guard.check_length(path)
    raw = path.read_bytes()
    path.write_bytes(raw[:-1])
    with pytest.raises(StackError, match=f"cut off.*{len(raw) - 1} of {len(raw)} bytes"):
        guard.check_length(path)


@pytest.mark.parametrize("version", ["earliest", "v108", "latest"])
def test_every_version_of_the_first_block(version: str, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=(version, "latest"), userblock_size=1024) as file:
        file["didv"] = makers.cube()
    open_stack(path, format="hdf5", **makers.ASKED)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(StackError, match="cut off"):
        guard.check_length(path)


def test_the_child_loads_little() -> None:
    tree = ast.parse(guard.WALKER.read_text(encoding="utf-8"))
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert imported - set(sys.stdlib_module_names) == {"h5py"}
