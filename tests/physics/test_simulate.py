"""Simulated stacks: one object or its fields as keywords."""

from __future__ import annotations

import pytest
import xarray as xr

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
