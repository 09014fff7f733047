"""Curves of Omicron Matrix at points: which file is where, averaged, on a line or scattered (made objects)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from friedel.errors import StackError
from friedel.io import AxesMissing, matrix_library, open_stack
from friedel.stack import pixel_pitch, tip_position

AXIS = np.linspace(-0.1, 0.1, 5)


class Data:
    """What access2thematrix gives for a curve."""

    object_type = "curve"
    channel_name = "Aux2(V)"
    channel_name_and_unit = ("Aux2(V)", "V")

    def __init__(self, place: tuple[float, float] | None, level: float, points: int = 5) -> None:
        self.traces = {0: "trace", 1: "retrace"}
        self.scan = np.vstack([AXIS, level + AXIS, level - AXIS])
        self.param = {"EEPA::XYScanner.Angle": [0.0]}
        self.place, self.points = place, points

    def select_curve(self, trace: str):  # type: ignore[no-untyped-def]
        start = 0 if trace == "trace" else 5 - self.points
        part = slice(0, self.points) if trace == "trace" else slice(start, None)
        curve = SimpleNamespace(
            data=self.scan[[0, 1 if trace == "trace" else 2]][:, part],
            x_data_name_and_unit=["Spectroscopy Device 1", "Volt"],
        )
        if self.place is not None:
            curve.referenced_by = {"Location (m)": list(self.place)}
        return curve, ""


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    files: dict[str, Data] = {}

    def opened(path: Path) -> Data:
        if path.name not in files:
            raise StackError(f"{path}: damaged")
        return files[path.name]

    def make(*curves: Data | None) -> Path:
        for number, curve in enumerate(curves, start=1):
            path = tmp_path / f"day--{number}_1.Aux2(V)_mtrx"
            path.write_bytes(b"ONTMATRX0101")
            if curve is not None:
                files[path.name] = curve
        return tmp_path / "day--1_1.Aux2(V)_mtrx"

    monkeypatch.setattr(matrix_library, "open_result", opened)
    return make


def test_curves_along_a_line_are_one_line(experiment) -> None:  # type: ignore[no-untyped-def]
    places = [(n * 0.6e-9 + 1e-9, n * 0.8e-9 + 2e-9) for n in range(4)]
    stack = open_stack(experiment(*(Data(place, n) for n, place in enumerate(places))))
    assert dict(stack.sizes) == {"bias": 5, "y": 1, "x": 4}
    np.testing.assert_allclose(stack["bias"], [-100, -50, 0, 50, 100])
    np.testing.assert_allclose(pixel_pitch(stack)[1], 1.0)
    np.testing.assert_allclose(stack["Aux2(V)"][:, 0], np.arange(4) + AXIS[:, None], atol=1e-6)
    np.testing.assert_allclose(stack["Aux2(V) [retrace]"][:, 0], np.arange(4) - AXIS[:, None], atol=1e-6)
    x, y = tip_position(stack, stack["x"], np.zeros(4))
    np.testing.assert_allclose(np.column_stack([x, y]), np.array(places) * 1e9, atol=1e-6)


def test_curves_at_one_place_are_averaged_and_damaged_ones_left_out(experiment) -> None:  # type: ignore[no-untyped-def]
    path = experiment(Data((1e-9, 0), 1.0), Data((1e-9, 0), 3.0), None, Data((2e-9, 0), 7.0))
    stack = open_stack(path)
    assert (stack.sizes["y"], stack.sizes["x"]) == (1, 2)
    np.testing.assert_allclose(stack["Aux2(V)"][:, 0, 0], 2.0 + AXIS, atol=1e-6)


def test_scattered_curves_ask_for_a_pixel_size(experiment) -> None:  # type: ignore[no-untyped-def]
    places = [(0.0, 1e-9), (3.1e-9, 0.2e-9), (1.7e-9, 2.9e-9), (4.4e-9, 4.3e-9)]
    path = experiment(*(Data(place, n) for n, place in enumerate(places)))
    with pytest.raises(AxesMissing, match="pixel_nm"):
        open_stack(path)
    stack = open_stack(path, pixel_nm=0.5)
    assert stack.attrs["acquired"] == 4
    known = np.isfinite(stack["Aux2(V)"]).all("bias")
    assert int(known.sum()) == 4 < known.size


def test_a_curve_without_a_place_is_one_spectrum_and_its_missing_end_is_nan(experiment) -> None:  # type: ignore[no-untyped-def]
    stack = open_stack(experiment(Data(None, 1.0, points=3), Data(None, 2.0)))
    assert (stack.sizes["y"], stack.sizes["x"]) == (1, 1)
    np.testing.assert_allclose(stack["Aux2(V)"][:, 0, 0], [0.9, 0.95, 1.0, np.nan, np.nan], atol=1e-6)
    np.testing.assert_allclose(stack["Aux2(V) [retrace]"][:, 0, 0], [np.nan, np.nan, 1, 0.95, 0.9], atol=1e-6)
