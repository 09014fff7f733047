"""Real files read by other code: the same numbers, bias and tip positions.

nanonis-reader is in the group ``oracles`` of the project, because it brings slides and scikit-learn; it holds a copy of
the library from which nanonispy2 comes. For RHK the packages that exist (rhkpy, spym) share the parser that is used
here, so `sm4_plain` reads the pages by the format's published fields instead. rhkpy divides by zero on the real grid.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sm4_plain
from scipy.spatial import cKDTree

from friedel.io import open_stack
from friedel.stack import pixel_pitch, tip_position

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


def need_spym() -> None:
    """Importing spym needs plotting libraries that reading does not."""
    if importlib.util.find_spec("spym") is None:
        pytest.skip("the extra 'rhk' is not installed")


RHK_GRID = "rhk/dI-dV_9K_ABC6_2020_07_02_08_50_47_967.sm4"
RHK_IMAGE = "rhk/lia_image_ABC_Graphite-Sample5_9K_2021_08_23_16_44_04_909.sm4"


def test_an_rhk_grid_has_each_spectrum_at_its_stored_position(shared_data: Path) -> None:
    need_spym()
    stack = open_stack(shared_data / RHK_GRID)
    lines = {page.label: page for page in sm4_plain.pages(shared_data / RHK_GRID) if page.line}
    assert set(lines) == {"LIA Current", "Current"}
    x, y = tip_position(stack, *np.meshgrid(stack["x"], stack["y"]))
    pixels = np.column_stack([x.ravel(), y.ravel()])
    for name, page in lines.items():
        assert (stack.sizes["y"], stack.sizes["x"]) == page.grid
        axis = page.offset[0] + page.scale[0] * np.arange(page.stored.shape[1])
        np.testing.assert_allclose(stack["bias"], axis * 1e3, atol=1e-3)
        # The tip drifted by a small part of a pitch during the hours of a grid.
        apart, at = cKDTree(pixels).query(page.places * 1e9)
        assert apart.max() < 0.3 * min(pixel_pitch(stack)) and len(set(at)) == len(at)
        spectra = stack[name].to_numpy().reshape(len(axis), -1).T
        np.testing.assert_allclose(spectra[at], page.values, rtol=1e-6)


@pytest.mark.parametrize("path", [RHK_GRID, RHK_IMAGE])
def test_rhk_images_have_the_numbers_of_their_pages_with_x_rising(path: str, shared_data: Path) -> None:
    need_spym()
    stack = open_stack(shared_data / path, dataset="image")
    images = [page for page in sm4_plain.pages(shared_data / path) if not page.line]
    assert len(images) == 6
    for page in images:
        name = {"Topography": "Z"}.get(page.label, page.label) + (" [bwd]" if page.backward else "")
        mirrored = page.values[:, ::-1] if page.scale[0] < 0 else page.values
        np.testing.assert_allclose(stack[name].to_numpy().squeeze(), mirrored, rtol=1e-6)
        np.testing.assert_allclose(pixel_pitch(stack), np.abs(page.scale[1::-1]) * 1e9)
    np.testing.assert_allclose(stack["bias"], [images[0].bias * 1e3], rtol=1e-6)
