"""Simulated stacks: one object or its fields as keywords."""

from __future__ import annotations

import pytest
import xarray as xr

from friedel.errors import SettingsError
from friedel.physics.simulate import Simulation, simulate

SMALL = {"shape": (12, 16), "bias_mv": [-100.0, -50.0], "impurities": 2}


def test_keywords_and_an_object_give_the_same_stack():
    xr.testing.assert_identical(simulate(**SMALL, seed=4), simulate("au111", Simulation(**SMALL, seed=4)))


def test_a_keyword_changes_one_field_of_the_object():
    quiet = simulate("au111", Simulation(**SMALL), noise=0.0)
    xr.testing.assert_identical(quiet, simulate(**SMALL, noise=0.0))
    assert float(abs(quiet["LockinX"] - simulate(**SMALL)["LockinX"]).max()) > 0


def test_a_misspelt_keyword_is_refused():
    with pytest.raises(TypeError, match="nois"):
        simulate(nois=0.3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shape", (-3, 5)),
        ("shape", (24, 24, 24)),
        ("shape", 24),
        ("shape", (24.5, 24)),
        ("impurities", -1),
        ("impurities", 2.5),
        ("seed", -1),
        ("noise", float("nan")),
        ("noise", -1.0),
        ("jitter", float("inf")),
        ("rows", "much"),
        ("pixel_nm", 0.0),
        ("drift_px", float("nan")),
        ("closest_nm", -1.0),
        ("herringbone", float("nan")),
    ],
)
def test_what_makes_no_sense_is_named_before_anything_is_computed(name: str, value) -> None:
    with pytest.raises(SettingsError, match=name):
        simulate("au111", **{name: value})
