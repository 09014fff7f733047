"""The truth of a simulated stack follows whatever part of the field is left."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from friedel.errors import StackError
from friedel.geometry import know_truth
from friedel.stack import make_stack, tip_position, true_positions

PIXELS = np.array([[2.0, 3.5], [10.25, 14.0], [17.0, 1.0]])


@pytest.fixture
def stack() -> xr.Dataset:
    maps = np.random.default_rng(0).normal(size=(3, 20, 16))
    return know_truth(make_stack({"dI/dV": maps}, bias_mv=[-10, 0, 10], pixel_nm=(0.5, 0.25)), PIXELS)


def test_truth_of_the_whole_field_is_what_was_put_in(stack: xr.Dataset) -> None:
    np.testing.assert_allclose(true_positions(stack), PIXELS)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda s: s.isel(y=slice(8, 14), x=slice(10, 16)), [[2.25, 4.0]]),
        (lambda s: s.isel(y=slice(None, None, -1)), [[17.0, 3.5], [8.75, 14.0], [2.0, 1.0]]),
        (lambda s: s.isel(x=slice(None, None, -1)), [[2.0, 11.5], [10.25, 1.0], [17.0, 14.0]]),
        (lambda s: s.isel(y=slice(None, None, 2)), [[1.0, 3.5], [5.125, 14.0], [8.5, 1.0]]),
        (lambda s: s.coarsen(y=2, x=2).mean(), [[0.75, 1.5], [4.875, 6.75], [8.25, 0.25]]),
        (lambda s: s.sortby("y", ascending=False), [[17.0, 3.5], [8.75, 14.0], [2.0, 1.0]]),
    ],
)  # fmt: skip
def test_truth_follows(stack: xr.Dataset, change, expected: list[list[float]]) -> None:
    with xr.set_options(keep_attrs=True):
        changed = change(stack)
    np.testing.assert_allclose(true_positions(changed), expected)


def test_truth_keeps_its_place_for_the_tip(stack: xr.Dataset) -> None:
    part = stack.isel(y=slice(19, 5, -2), x=slice(0, 16))
    rows, columns = true_positions(part).T
    x, y = (np.interp(i, range(part.sizes[d]), part[d]) for i, d in ((columns, "x"), (rows, "y")))
    whole = tip_position(stack, PIXELS[1:, 1] * 0.25, PIXELS[1:, 0] * 0.5)
    np.testing.assert_allclose(tip_position(part, x, y), whole)


def test_a_measured_stack_knows_no_truth() -> None:
    with pytest.raises(StackError, match="does not know its impurities"):
        true_positions(make_stack({"dI/dV": np.ones((1, 4, 4))}, bias_mv=[0], pixel_nm=1.0))
