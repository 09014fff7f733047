"""Nanonis files read by other libraries: the same numbers, bias and tip positions.

nanonis-reader is asked only where it is installed: it needs plotting, slides and scikit-learn, and holds a copy of the
library from which nanonispy2 comes. rhkpy is asked for no number: it divides by zero on the real grid.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from friedel.io import open_stack
from friedel.stack import tip_position

GRID, IMAGE = "cases/one_impurity_dropped.3ds", "nanonis/FeSe_topography.sxm"


def reader(name: str, suffix: str) -> Callable[[str], Any]:
    """Give what opens a file in another library."""
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"{name} or what it needs is not installed ({error})")
    if name == "nanonis_reader":
        return module.load  # type: ignore[no-any-return]
    read = importlib.import_module("nanonispy2.read")
    return {"3ds": read.Grid, "sxm": read.Scan}[suffix]  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["nanonispy2", "nanonis_reader"])
def test_a_grid_has_the_numbers_bias_and_positions_of_another_library(name: str, shared_data: Path) -> None:
    path = shared_data / GRID
    try:
        other = reader(name, "3ds")(str(path))
    except KeyError as error:
        pytest.skip(f"{name} refuses this header: {error}")
    stack = open_stack(path)
    for ours, theirs in (("Current", "Current (A)"), ("LI Demod 1 X", "LI Demod 1 X (A)")):
        np.testing.assert_array_equal(stack[ours], np.asarray(other.signals[theirs]).transpose(2, 0, 1))
    theirs_mv = np.asarray(other.signals["sweep_signal"]) * 1e3  # in float32
    np.testing.assert_allclose(stack["bias"], theirs_mv, rtol=1e-6, atol=5e-5)
    x, y = tip_position(stack, *np.meshgrid(stack["x"], stack["y"]))
    stored = np.asarray(other.signals["params"])[:, :, 2:4] * 1e9
    np.testing.assert_allclose(np.stack([x, y], axis=-1), stored, atol=1e-3)


@pytest.mark.parametrize("name", ["nanonispy2", "nanonis_reader"])
def test_an_image_has_the_numbers_of_another_library(name: str, shared_data: Path) -> None:
    other = reader(name, "sxm")(str(shared_data / IMAGE))
    stack = open_stack(shared_data / IMAGE)
    forward, backward = (np.asarray(other.signals["Z"][way]) for way in ("forward", "backward"))
    np.testing.assert_array_equal(stack["Z"], forward)
    np.testing.assert_array_equal(stack["Z [bwd]"][:, ::-1], backward)
