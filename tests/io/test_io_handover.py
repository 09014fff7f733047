"""What is written for other programs: tip positions, regions of ImageJ, waves of Igor."""

from __future__ import annotations

import struct
from pathlib import Path

import io_makers as makers
import numpy as np
import pandas as pd
import pytest

from friedel.errors import StackError
from friedel.io import open_stack
from friedel.io.export import write_stack
from friedel.io.points import read_points, write_points

TABLE = pd.DataFrame(
    {
        "row": [1.25, 40.5, 3.0],
        "column": [7.0, 2.75, 60.125],
        "tip_x_nm": [-3.5, 4.25, 0.0],
        "tip_y_nm": [1e3, 2.0, -7.0],
    }
)


def test_tip_positions_are_in_metres(tmp_path: Path) -> None:
    write_points(TABLE, tmp_path / "tip.txt")
    back = np.loadtxt(tmp_path / "tip.txt", skiprows=1) * 1e9
    np.testing.assert_allclose(back, TABLE[["tip_x_nm", "tip_y_nm"]], atol=1e-9)
    with pytest.raises(StackError, match=r"tip\.txt.*tip_x_nm"):
        write_points(TABLE[["row", "column"]], tmp_path / "tip.txt")
    with pytest.raises(StackError, match="not known"):
        write_points(TABLE.assign(tip_x_nm=np.nan), tmp_path / "tip.txt")


def test_a_region_of_imagej_has_the_points_at_sub_pixels(tmp_path: Path) -> None:
    write_points(TABLE, tmp_path / "a.roi")
    raw = (tmp_path / "a.roi").read_bytes()
    assert raw[:4] == b"Iout" and raw[6] == 10 and struct.unpack_from(">H", raw, 16)[0] == 3
    assert struct.unpack_from(">h", raw, 50)[0] & 128  # sub-pixel coordinates follow
    top, left, bottom, right = struct.unpack_from(">4h", raw, 8)
    x, y = np.frombuffer(raw, ">f4", 6, 64 + 12).reshape(2, 3)
    np.testing.assert_allclose(x, TABLE["column"] + 0.5)  # ImageJ counts from the corner of the pixel
    np.testing.assert_allclose(y, TABLE["row"] + 0.5)
    assert left <= x.min() and x.max() <= right and top <= y.min() and y.max() <= bottom
    with pytest.raises(StackError, match="1 to 65535"):
        write_points(TABLE.iloc[:0], tmp_path / "a.roi")


def test_an_igor_wave_comes_back(tmp_path: Path) -> None:
    pytest.importorskip("igorwriter", reason="igorwriter is not installed")
    pytest.importorskip("igor2", reason="the extra 'igor' is not installed")
    stack = makers.stack()
    write_stack(stack, tmp_path / "a.ibw", channel="LockinX")
    back = open_stack(tmp_path / "a.ibw")
    np.testing.assert_array_equal(next(iter(back.data_vars.values())), stack["LockinX"])
    np.testing.assert_allclose(back["bias"], stack["bias"], atol=1e-9)
    write_stack(stack, tmp_path / "a.itx")
    assert (tmp_path / "a.itx").read_text().startswith("IGOR")
    uneven = stack.assign_coords(bias=[-60, -20, -10, 0, 1, 2, 3])
    with pytest.raises(StackError, match="uneven"):
        write_stack(uneven, tmp_path / "a.ibw")


def test_a_name_with_a_sign_that_ends_lines_comes_back(tmp_path: Path) -> None:
    names = ["LI\u2028X", "a\x85b", "c\x0bd"]
    table = TABLE.assign(channel=names)
    write_points(table, tmp_path / "a.csv", provenance={"channel": names[0]})
    back = read_points(tmp_path / "a.csv")
    assert back["channel"].tolist() == names and back.attrs["provenance"] == {"channel": names[0]}
