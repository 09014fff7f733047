"""Results go out in every format and come back."""

from __future__ import annotations

import json
from pathlib import Path

import gsffile
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from friedel.detections import COLUMNS, Detections
from friedel.errors import StackError
from friedel.io import open_stack
from friedel.io.maps import read_map, write_map
from friedel.io.points import read_points, write_points


def detections(count: int = 4) -> Detections:
    rng = np.random.default_rng(3)
    table = pd.DataFrame({name: rng.uniform(0, 50, count) for name in COLUMNS})
    table["x_nm"], table["y_nm"] = table["column"] * 0.25, table["row"] * 0.5
    table["probability"] = np.linspace(0.9, 0.3, count)
    table.loc[0, "sigma_nm"] = np.nan
    shape = (60, 60)
    provenance = {"model": "friedel", "sha256": "ab", "comment": "Ångström, 'quoted'\nline"}
    return Detections(table, 0.45, np.zeros(shape), np.zeros(shape), ((0, 60), (0, 60)), provenance)


@pytest.mark.parametrize(
    ("suffix", "format"), [(".csv", None), (".json", None), (".xyz", None), (".csv", "napari")]
)
def test_points_round_trip(tmp_path: Path, suffix: str, format: str | None) -> None:
    found = detections()
    path = tmp_path / f"points{suffix}"
    write_points(found, path, format=format)
    back = read_points(path)
    assert len(back) == len(found) == 3  # the one below the threshold stays out
    for name in ("row", "column", "x_nm", "y_nm", "probability"):
        np.testing.assert_allclose(back[name], found.impurities[name], rtol=1e-5)
    if format is None:
        assert back.attrs["provenance"]["comment"] == found.provenance["comment"]
        assert back.attrs["provenance"]["threshold"] == 0.45


@pytest.mark.parametrize(
    ("suffix", "format"), [(".csv", None), (".json", None), (".xyz", None), (".csv", "napari")]
)
def test_an_empty_table_is_a_table(tmp_path: Path, suffix: str, format: str | None) -> None:
    write_points(detections(0), tmp_path / f"none{suffix}", format=format)
    back = read_points(tmp_path / f"none{suffix}")
    assert len(back) == 0 and {"row", "column"} <= set(back.columns)


def test_the_csv_contract(tmp_path: Path) -> None:
    write_points(detections(), tmp_path / "points.csv")
    lines = (tmp_path / "points.csv").read_text(encoding="utf-8").splitlines()
    comments = [line for line in lines if line.startswith("#")]
    assert lines[: len(comments)] == comments
    assert "row [px]" in comments[1] and "tip_x_nm [nm]" in comments[1]
    names = lines[len(comments)].split(",")
    assert {"row", "column", "x_nm", "y_nm", "tip_x_nm", "tip_y_nm", "probability"} <= set(names)
    assert len(pd.read_csv(tmp_path / "points.csv", comment="#")) == 3
    content = json.loads(_json(tmp_path))
    assert content["units"]["x_nm"] == "nm" and content["points"][0]["sigma_nm"] is None


def _json(folder: Path) -> str:
    write_points(detections(), folder / "points.json")
    return (folder / "points.json").read_text(encoding="utf-8")


def test_naparis_own_csv(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("index,axis-0,axis-1,axis-2\n0,5.0,10.5,20.25\n1,5.0,3.0,4.0\n")
    table = read_points(tmp_path / "a.csv")
    assert table["row"].tolist() == [10.5, 3.0] and table["column"].tolist() == [20.25, 4.0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "empty"),
        ("# only a comment\n", "names of the columns"),
        ("x,y\n1,2\n", "row"),
        ("row,column\n1,two\n", "column"),
        ("row,column\n1,nan\n", "not a number"),
        ("row,column\n1,2,3,4\n5\n", "column|table"),
        ('{"points": 3}', "list of points"),
        ('{"points": [', "no table"),
        ("# pixel_nm (y, x): one two\n1\t2\t3\n", "no table"),
    ],
)
def test_a_bad_table_is_told(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "bad.csv").write_text(content)
    with pytest.raises(StackError, match=reason) as error:
        read_points(tmp_path / "bad.csv")
    assert "bad.csv" in str(error.value)


@given(content=st.binary(max_size=200))
def test_no_bytes_escape(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("points") / "any.csv"
    path.write_bytes(content)
    try:
        table = read_points(path)
    except StackError:
        return
    assert np.isfinite(table[["row", "column"]].to_numpy(dtype=float)).all()


def test_points_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"\.csv"):
        write_points(detections(), tmp_path / "a.doc")
    with pytest.raises(StackError, match="x_nm"):
        write_points(detections().table[["row", "column"]], tmp_path / "a.xyz")
    with pytest.raises(StackError, match="cannot be read"):
        read_points(tmp_path / "missing.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".nc", ".gsf"])
def test_maps_round_trip(tmp_path: Path, suffix: str) -> None:
    values = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    values[2, 3] = np.nan
    path = tmp_path / f"s{suffix}"
    write_map(
        values,
        path,
        pixel_nm=(0.5, 0.25),
        name="S",
        units="V",
        origin_nm=(1.0, 2.0),
        attributes={"model": "x"},
    )
    back = read_map(path)
    np.testing.assert_array_equal(back, values)
    np.testing.assert_allclose(back["y"], 1 + 0.5 * np.arange(5))
    np.testing.assert_allclose(back["x"], 2 + 0.25 * np.arange(7))
    assert back.name == "S" and back.attrs["units"] == "V"
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(StackError, match=path.name):
        read_map(path)


@pytest.mark.parametrize(("y_direction", "upper_row"), [(1, -1), (-1, 0)])
def test_a_gsf_stands_upright(tmp_path: Path, y_direction: int, upper_row: int) -> None:
    """The first line of the file is the one with the highest y; what reads it back keeps the stack's rows."""
    values = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    write_map(values, tmp_path / "a.gsf", pixel_nm=0.5, y_direction=y_direction)
    np.testing.assert_array_equal(gsffile.read_gsf(tmp_path / "a.gsf")[0][0], values[upper_row])
    np.testing.assert_array_equal(read_map(tmp_path / "a.gsf"), values)
    stack = open_stack(tmp_path / "a.gsf", bias=10)
    assert stack.attrs["y_direction"] == y_direction
    np.testing.assert_array_equal(stack["map"][0], values)
    gsffile.write_gsf(tmp_path / "foreign.gsf", values, {"XReal": 1e-9, "YReal": 1e-9, "XYUnits": "m"})
    foreign = open_stack(tmp_path / "foreign.gsf", bias=10)
    assert foreign.attrs["y_direction"] == -1
    np.testing.assert_array_equal(next(iter(foreign.data_vars.values()))[0], values)


def test_maps_that_cannot_be_written(tmp_path: Path) -> None:
    for array, name in ((np.zeros(3), "a.nc"), (np.zeros((0, 3)), "a.nc"), (np.zeros((2, 2)), "a.png")):
        with pytest.raises(StackError):
            write_map(array, tmp_path / name, pixel_nm=1.0)
    with pytest.raises(StackError, match="pixel"):
        write_map(np.zeros((2, 2)), tmp_path / "a.nc", pixel_nm=0)
