"""Damaged, truncated, absurd and forbidden files: one `StackError`, soon, in little memory, nothing made up."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import sys
import tracemalloc
from pathlib import Path

import h5py
import io_makers as makers
import numpy as np
import pytest
import vendor_makers as vendors
import xarray as xr
from hypothesis import given, settings, strategies as st
from io_makers import MAKERS as COMMON

from friedel.errors import StackError
from friedel.io import FORMATS, guard, open_stack, sniff
from friedel.io.maps import read_map
from friedel.io.points import read_points
from friedel.stack import channel_names, image_names

#: A small damaged file may cost this much at most: calls of functions, those of a first import included, and bytes.
#: A hang in compiled code ends at the time-out of the tests.
CALLS = 10_000_000
MEMORY = 64 << 20


def open_all(path: Path, options: dict) -> xr.Dataset | None:
    """Open and read every channel; None for a `StackError`, anything else fails the test."""
    message = ""
    calls = itertools.count()
    profiler = sys.getprofile()
    sys.setprofile(lambda *_: next(calls) and None)
    try:
        stack = open_stack(path, **options)
        for name in channel_names(stack) + image_names(stack):
            stack[name].to_numpy()
    except StackError as error:
        stack, message = None, str(error)
    finally:
        sys.setprofile(profiler)
    if stack is None:
        assert path.name in message, f"the message does not name the file: {message}"
        assert "\n" not in message.strip()
    assert next(calls) < CALLS
    return stack


def regions(size: int, count: int) -> list[tuple[int, int]]:
    edges = np.unique(np.linspace(0, size, count + 1).astype(int))
    return list(itertools.pairwise(edges))


def nothing_made_up(damaged: xr.Dataset, whole: xr.Dataset) -> None:
    """Whatever a cut-off file still gives is what was measured, or NaN."""
    for name in channel_names(damaged) + image_names(damaged):
        assert name in whole
        values, truth = damaged[name].to_numpy(), whole[name].to_numpy()
        assert values.shape == truth.shape
        np.testing.assert_array_equal(values[np.isfinite(values)], truth[np.isfinite(values)])


#: Every format that tests can write themselves.
MAKERS = {**COMMON, **vendors.VENDORS}
#: Each opening of these starts a process (`friedel.io.guard`): a few regions here, more of them in the slow test, and
#: any bytes in `tests.fuzz`, which runs every night.
HDF5 = ("nsid", "hdf5", "mat73", "netcdf")


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_every_region_damaged_in_turn(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suffix, maker = MAKERS[name]
    path = tmp_path / f"file{suffix}"
    options = maker(path)
    good = path.read_bytes()
    noise = np.random.default_rng(0)
    assert (
        open_all(path, options) is not None
    )  # and whatever is imported is imported before memory is counted
    monkeypatch.setattr(guard, "SECONDS", 1.0)
    tracemalloc.start()
    try:
        for number, (start, stop) in enumerate(regions(len(good), 4 if name in HDF5 else 8)):
            fills = (bytes(stop - start), b"\xff" * (stop - start), noise.bytes(stop - start))
            for fill in fills[number % 3 :][:1] if name in HDF5 else fills:
                path.write_bytes(good[:start] + fill + good[stop:])
                open_all(path, options)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_cut_off_anywhere(name: str, tmp_path: Path) -> None:
    suffix, maker = MAKERS[name]
    path = tmp_path / f"file{suffix}"
    options = maker(path)
    whole = open_all(path, options)
    assert whole is not None
    whole.load()
    good = path.read_bytes()
    for length in {*range(0, len(good), max(len(good) // 10, 1)), 1, 7, len(good) - 1, len(good) - 4}:
        path.write_bytes(good[:length])
        stack = open_all(path, options)
        if stack is not None:
            nothing_made_up(stack, whole)


@pytest.mark.parametrize(
    "name",
    ["nanonis-grid", "nanonis-scan", "igor", "gwyddion", "gsf", "npy", "createc-grid", *vendors.VENDORS],
)
@settings(max_examples=12)
@given(data=st.data())
def test_flipped_header_bytes(
    name: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    suffix, maker = MAKERS[name]
    path = tmp_path_factory.mktemp("flip") / f"file{suffix}"
    options = maker(path)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, min(len(raw), 1400) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    open_all(path, options)


@settings(max_examples=40)
@given(tail=st.binary(max_size=300), magic=st.integers(0, 17))
def test_random_bytes_behind_every_magic(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes, magic: int
) -> None:
    heads = [
        b"",
        b'Grid dim="2 x 2"\r\n',
        b":NANONIS_VERSION:\n",
        b"Experiment\t",
        b"\x38\x00" + "STiMage 005.004 1".encode("utf-16-le") + b"\x00\x00",
        b"ONTMATRX0101",
        b"GWYPGwyContainer\x00",
        b"GWYOGwyContainer\x00",
        b"Gwyddion Simple Field 1.0\n",
        b"[Paramco32]\r\n",
        b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM",
        b"\x89HDF\r\n\x1a\n",
        b"II*\x00",
        b"\x93NUMPY\x01\x00",
        b"[ParVERT30]\r\nDATA\r\n",
        b"WSxM file copyright UAM\r\n[Header end]\r\n",
        b"[DataSet]\r\nGr0-Ch0=DataSet-0:0\r\n#!",
        b"CDF\x01",
    ]
    path = tmp_path_factory.mktemp("random") / "file.bin"
    path.write_bytes(heads[magic] + tail)
    sniff(path)
    open_all(path, {"bias": "-60:60", "pixel_nm": 1.0})


def test_absurd_sizes_are_refused_before_anything_is_allotted(tmp_path: Path) -> None:
    makers.grid(tmp_path / "a.3ds")
    open_stack(tmp_path / "a.3ds")
    tracemalloc.start()
    try:
        makers.grid(tmp_path / "a.3ds", header=makers.grid_header(Grid__dim='"99999 x 99999"'))
        stack = open_stack(tmp_path / "a.3ds")  # it may be a grid that was broken off very early
        assert stack.attrs["acquired"] == 20 and stack.attrs["expected"] == 99999**2

        header = (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000, 1000), }".ljust(117) + "\n"
        )
        raw = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
        (tmp_path / "a.npy").write_bytes(raw + bytes(100))
        (tmp_path / "a.gsf").write_bytes(
            b"Gwyddion Simple Field 1.0\nXRes = 1000000\nYRes = 1000000\n\x00\x00" + bytes(80)
        )
        makers.igor(tmp_path / "a.ibw")
        wave = bytearray((tmp_path / "a.ibw").read_bytes())
        wave[76:80] = (2**31 - 1).to_bytes(4, "little")
        (tmp_path / "a.ibw").write_bytes(wave)
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset("d", (10**5, 10**4, 10**4), "f4", chunks=(1, 100, 100))
        for name in ("a.npy", "a.gsf", "a.ibw", "a.h5"):
            assert (
                open_all(
                    tmp_path / name, {"bias": "0:1", "pixel_nm": 1.0} if name != "a.gsf" else {"bias": 1}
                )
                is None
            )
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("place", range(8, 56, 4))
@pytest.mark.parametrize("length", [0x01000000, 0x7F000000, -1])
def test_absurd_lengths_of_texts_in_an_igor_wave(place: int, length: int, tmp_path: Path) -> None:
    """The library would go through each byte of them."""
    makers.igor(tmp_path / "a.ibw")
    wave = bytearray((tmp_path / "a.ibw").read_bytes())
    wave[place : place + 4] = length.to_bytes(4, "little", signed=True)
    (tmp_path / "a.ibw").write_bytes(wave)
    with pytest.raises(StackError, match=r"a\.ibw: the header is damaged"):
        open_stack(tmp_path / "a.ibw")


@pytest.mark.parametrize("suffix", sorted({item.suffixes[0] for item in FORMATS.values()}))
def test_an_empty_file_is_told(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"empty{suffix}"
    path.touch()
    with pytest.raises(StackError, match=r"empty|cut off|no known format"):
        open_stack(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    for name, read in (("a.nc", open_stack), ("a.csv", read_points), ("a.gsf", read_map)):
        os.mkfifo(tmp_path / name)
        with pytest.raises(StackError, match=rf"{name}: this is a pipe or a device"):
            read(tmp_path / name)
    makers.npy(tmp_path / "b.npy")
    with pytest.raises(StackError, match="pipe"):
        open_stack([tmp_path / "b.npy", tmp_path / "a.nc"])


def test_folders_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="no such file"):
        open_stack(tmp_path / "missing.3ds")
    with pytest.raises(StackError, match="no files"):
        open_stack(tmp_path)
    (tmp_path / "a.txt").write_text("words")
    (tmp_path / "b.txt").write_text("words")
    with pytest.raises(StackError, match="no files in this folder that can be opened"):
        open_stack(tmp_path)
    for name in ("a.npy", "b.npy"):
        makers.npy(tmp_path / name)
    with pytest.raises(StackError, match="do not form one stack"):
        open_stack(tmp_path)
    with pytest.raises(StackError, match="folder"):
        open_stack([tmp_path, tmp_path / "a.txt"])
    with pytest.raises(StackError, match="empty"):
        open_stack([])
    with pytest.raises(StackError):
        open_stack("a\x00b")
    for wrong in (None, 5, b"a.nc"):
        with pytest.raises(StackError, match="A path, or a list of paths"):
            open_stack(wrong)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything"
)
def test_no_permission(tmp_path: Path) -> None:
    makers.grid(tmp_path / "a.3ds")
    (tmp_path / "a.3ds").chmod(0)
    with pytest.raises(StackError, match=r"a\.3ds.*ermission"):
        open_stack(tmp_path / "a.3ds")


def test_no_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for a superuser, whom the system refuses nothing."""
    makers.grid(tmp_path / "a.3ds")

    def refuse(self: Path, *args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StackError, match=r"a\.3ds: cannot be read \(Permission denied\)"):
        open_stack(tmp_path / "a.3ds")


def test_no_python_objects_are_loaded(tmp_path: Path) -> None:
    makers.pickled(tmp_path / "a.npz")
    with pytest.raises(StackError, match="Python objects"):
        open_stack(tmp_path / "a.npz", dataset="didv", bias="0:1", pixel_nm=1.0)
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object))
    with pytest.raises(StackError):
        open_stack(tmp_path / "a.npy", bias="0:1", pixel_nm=1.0)


@pytest.mark.parametrize("suffix", [".h5", ".nc", ".mat"])
@pytest.mark.parametrize("way", ["link", "virtual", "storage"])
def test_hdf5_does_not_look_into_other_files(suffix: str, way: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["didv"] = makers.cube()
    path = tmp_path / f"a{suffix}"
    with h5py.File(path, "w", userblock_size=512 if suffix == ".mat" else 0) as file:
        if way == "link":
            file["didv"] = h5py.ExternalLink("secret.h5", "/didv")
        elif way == "virtual":
            layout = h5py.VirtualLayout(makers.SHAPE, "f4")
            layout[:] = h5py.VirtualSource(tmp_path / "secret.h5", "didv", makers.SHAPE)
            file.create_virtual_dataset("didv", layout)
        else:
            file.create_dataset("didv", makers.SHAPE, "f4", external=[(str(tmp_path / "secret.h5"), 0, 560)])
    if suffix == ".mat":
        raw = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
        path.write_bytes(raw + path.read_bytes()[len(raw) :])
    with pytest.raises(StackError, match="not followed"):
        open_stack(path, **makers.ASKED, axes="byx")


def test_a_file_that_shrinks_after_opening(tmp_path: Path) -> None:
    makers.grid(tmp_path / "a.3ds")
    stack = open_stack(tmp_path / "a.3ds")
    raw = (tmp_path / "a.3ds").read_bytes()
    (tmp_path / "a.3ds").write_bytes(raw[:900])
    with pytest.raises(StackError, match="shorter"):
        stack["LockinX"].to_numpy()


@pytest.mark.slow
@pytest.mark.parametrize("name", HDF5)
def test_hdf5_damaged_all_over(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SECONDS", 2.0)
    suffix, maker = MAKERS[name]
    path = tmp_path / f"file{suffix}"
    options = maker(path)
    good = path.read_bytes()
    noise = np.random.default_rng(2)
    for number, (start, stop) in enumerate(regions(len(good), 12)):
        fill = (noise.bytes(stop - start), bytes(stop - start), b"\xff" * (stop - start))[number % 3]
        path.write_bytes(good[:start] + fill + good[stop:])
        open_all(path, options)


REAL = {
    "nexus": "nexus/stm_5_with_default_config.nxs",
    "rhk-grid": "rhk/dI-dV_9K_ABC6_2020_07_02_08_50_47_967.sm4",
    "rhk-image": "rhk/lia_image_ABC_Graphite-Sample5_9K_2021_08_23_16_44_04_909.sm4",
    "matrix": "matrix/20201111--4_1.Z_mtrx",
    "gwyddion-1": "gwyddion/GwiddionReader_chip.gwy",
    "igor": "igor/Ta2NiSe5_CITS_I.ibw",
}
#: These take half a second to open: one kind of damage for each place.
LONG = ("nexus", "rhk-grid")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(REAL))
def test_real_files_damaged(
    name: str, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"rhk-grid": "spym", "rhk-image": "spym", "igor": "igor2"}.get(name)
    if extra is not None and importlib.util.find_spec(extra) is None:
        pytest.skip(f"the optional package {extra} is not installed")
    source = shared_data / REAL[name]
    path = tmp_path / source.name
    if name == "matrix":
        shutil.copyfile(source.parent / "20201111_0001.mtrx", tmp_path / "20201111_0001.mtrx")
    shutil.copyfile(source, path)
    options = {"bias": 10.0, "pixel_nm": 1.0} if name in ("gwyddion-1", "nexus") else {}
    whole = open_all(path, options)
    assert whole is not None
    whole.load()
    monkeypatch.setattr(guard, "SECONDS", 2.0)
    good = path.read_bytes()
    noise = np.random.default_rng(1)
    places = [*regions(4096, 6), *regions(len(good), 4)]
    for number, (start, stop) in enumerate(places):
        fills = (bytes(stop - start), b"\xff" * (stop - start), noise.bytes(stop - start))
        for fill in fills[number % 3 :][:1] if name in LONG else fills:
            path.write_bytes(good[:start] + fill + good[stop:])
            open_all(path, options)
    for length in (3, 60, 900, len(good) // 3, len(good) - 5):
        path.write_bytes(good[:length])
        stack = open_all(path, options)
        if stack is not None:
            nothing_made_up(stack, whole)


def test_half_a_matrix_parameter_file(shared_data: Path, tmp_path: Path) -> None:
    for name in ("20201111--4_1.Z_mtrx", "20201111_0001.mtrx"):
        shutil.copyfile(shared_data / "matrix" / name, tmp_path / name)
    parameters = tmp_path / "20201111_0001.mtrx"
    raw = parameters.read_bytes()
    parameters.write_bytes(raw[: raw.index("20201111--4_1.Z_mtrx".encode("utf-16-le")) - 100])
    with pytest.raises(StackError, match="parameter file"):
        open_stack(tmp_path / "20201111--4_1.Z_mtrx")
    parameters.unlink()
    with pytest.raises(StackError, match="must lie beside it"):
        open_stack(tmp_path / "20201111--4_1.Z_mtrx")


def test_an_archive_is_read_only_if_what_a_stack_of_it_takes_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = np.random.default_rng(0).normal(size=(3, 20, 20))
    np.savez_compressed(tmp_path / "maps.npz", didv=maps)
    told = {"bias": [-100.0, -50.0, 0.0], "pixel_nm": 0.4}
    monkeypatch.setattr("friedel.io.limits.free_memory", lambda: 3 * maps.nbytes)
    with pytest.raises(StackError, match="memory are free"):
        open_stack(tmp_path / "maps.npz", **told)
    monkeypatch.setattr("friedel.io.limits.free_memory", lambda: 4 * maps.nbytes)
    assert open_stack(tmp_path / "maps.npz", **told).sizes["bias"] == 3
