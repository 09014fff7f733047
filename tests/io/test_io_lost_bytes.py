"""A Nanonis grid that lost bytes anywhere is refused, or what is left of it is right."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import io_makers as makers
import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings, strategies as st

from friedel.errors import FriedelWarning, StackError
from friedel.io import open_stack
from friedel.stack import channel_names, tip_position

#: Bytes of a record of the made grid: 5 parameters, two channels of 7 points.
RECORD = 4 * (5 + 2 * 7)


def tip_grid(stack: xr.Dataset) -> np.ndarray:
    """Tip positions [nm], shape (y, x, 2)."""
    return np.stack(tip_position(stack, *np.meshgrid(stack["x"], stack["y"])), axis=-1)


@cache
def whole(folder: Path) -> tuple[bytes, xr.Dataset]:
    path = folder / "whole.3ds"
    makers.grid(path)
    return path.read_bytes(), open_stack(path).load()


def nothing_wrong(stack: xr.Dataset, truth: xr.Dataset) -> None:
    """Every spectrum that is there is that of its place; a damaged name changes no number."""
    if stack.attrs["sweep"] == "bias":
        np.testing.assert_allclose(stack["bias"], truth["bias"])
    places, known = tip_grid(stack), tip_grid(truth).reshape(-1, 2)
    for name, own in zip(channel_names(stack), channel_names(truth), strict=True):
        values = stack[name].to_numpy()
        spectra = truth[own].to_numpy().reshape(len(truth["bias"]), -1)
        for row, column in np.argwhere(np.isfinite(values).any(axis=0)):
            distance = np.hypot(*(known - places[row, column]).T)
            # One position that a cut went through moves the frame by less than a twentieth of a pixel.
            assert distance.min() < 0.0125, (row, column)
            np.testing.assert_array_equal(values[:, row, column], spectra[:, int(distance.argmin())])


def read_without(start: int, count: int, folder: Path) -> xr.Dataset | None:
    raw, truth = whole(folder)
    path = folder / "cut.3ds"
    path.write_bytes(raw[:start] + raw[start + count :])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FriedelWarning)
            stack = open_stack(path).load()
    except StackError as error:
        assert "cut.3ds" in str(error)
        return None
    nothing_wrong(stack, truth)
    return stack


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lost")


def looks_broken_off(start: int, count: int, size: int) -> bool:
    """Whole records are gone up to the end: nothing tells this from a grid that was broken off."""
    return count % RECORD == 0 and start + count > size - RECORD


@settings(max_examples=150, deadline=None)
@given(place=st.floats(0, 1), count=st.integers(1, 400))
@example(place=0.97, count=10)  # within the last record but one: the file ends like one that was broken off
@example(place=0.5, count=RECORD)
@example(place=0.25, count=4 * RECORD)
def test_lost_bytes_are_refused_or_the_rest_is_right(place: float, count: int, folder: Path) -> None:
    raw, _ = whole(folder)
    start = int(place * (len(raw) - count))
    if not looks_broken_off(start, count, len(raw)):
        read_without(start, count, folder)


@pytest.mark.parametrize("count", [RECORD, 3 * RECORD])
def test_a_record_made_of_two_is_left_out_with_a_word(count: int, folder: Path) -> None:
    raw, truth = whole(folder)
    start = len(raw) - 20 * RECORD + 7 * RECORD + 40
    (folder / "cut.3ds").write_bytes(raw[:start] + raw[start + count :])
    with pytest.warns(FriedelWarning, match="missing in the middle"):
        stack = open_stack(folder / "cut.3ds").load()
    nothing_wrong(stack, truth)
    gone = 1 + count // RECORD
    assert int(np.isfinite(stack["LockinX"]).all("bias").sum()) == stack.attrs["acquired"] == 20 - gone


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"Grid dim": '"5 x 1"'}, "20 records"), ({"Grid dim": '"3 x 4"'}, "20 records")],
)
def test_a_header_of_fewer_pixels_than_records_is_refused(
    changes: dict[str, str], message: str, tmp_path: Path
) -> None:
    makers.grid(tmp_path / "a.3ds", header=makers.grid_header() | changes)
    with pytest.raises(StackError, match=rf"a\.3ds.*{message}"):
        open_stack(tmp_path / "a.3ds")


def test_a_header_that_miscounts_its_parameters_keeps_to_its_grid(tmp_path: Path) -> None:
    makers.grid(tmp_path / "whole.3ds")
    truth = open_stack(tmp_path / "whole.3ds").load()
    makers.grid(tmp_path / "a.3ds", header=makers.grid_header() | {"Experiment parameters": '"Y (m);Z (m)"'})
    with pytest.warns(FriedelWarning, match="names 4 parameters"):
        stack = open_stack(tmp_path / "a.3ds")
    nothing_wrong(stack, truth)
    assert "Z" not in stack
