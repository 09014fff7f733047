"""Fields of which scattered pixels alone were measured: impurities are found, and the result says its doubt."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

import friedel
from friedel.errors import FriedelWarning
from friedel.prepare.gaps import fill_gaps
from friedel.scoring.matching import match
from friedel.stack import true_positions

WAVE = np.cos(2 * np.pi * np.mgrid[:64, :64][1] / 14) * np.cos(2 * np.pi * np.mgrid[:64, :64][0] / 16)


def scattered(shape: tuple[int, int], share: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


@pytest.mark.parametrize(("share", "error"), [(0.6, 0.2), (0.3, 0.4)])
def test_a_wave_between_scattered_points_is_interpolated(share: float, error: float) -> None:
    known = scattered(WAVE.shape, share)
    filled = fill_gaps(np.where(known, WAVE, np.nan)[None], 2.0)[0]
    np.testing.assert_array_equal(filled[known], WAVE[known])
    between = np.isfinite(filled) & ~known
    assert between.sum() > 0.97 * (~known).sum()
    assert np.sqrt(np.mean((filled - WAVE)[between] ** 2)) < error * WAVE.std()


@pytest.mark.parametrize("width", [6, 20])
def test_a_solid_gap_beside_scattered_points_stays_unknown(width: int) -> None:
    known = scattered(WAVE.shape, 0.97)
    known[:, 30 : 30 + width] = False
    filled = fill_gaps(np.where(known, WAVE, np.nan)[None], 2.0)[0]
    assert np.isnan(filled[:, 32 : 28 + width]).all()


@pytest.mark.slow
@pytest.mark.parametrize(("share", "recall", "false"), [(0.6, 14, 1), (0.3, 12, 4)])
def test_impurities_are_found_in_a_field_of_scattered_spectra(share: float, recall: int, false: int) -> None:
    whole = friedel.simulate(
        "au111", shape=(64, 64), bias_mv=np.arange(-200, 21, 10.0), impurities=15, seed=0
    )
    with xr.set_options(keep_attrs=True):
        part = whole.drop_vars(["Z", "bound_state"]).where(scattered((64, 64), share, seed=5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FriedelWarning)
        found = friedel.detect(part, dispersion="au111")
    right = len(match(found.positions, true_positions(part), 1.5))
    assert right >= recall and len(found) - right <= false
    # The result says that much of the field was never seen, or that it is doubtful.
    assert "bad data" in {check.name for check in (*found.failed, *found.noted)}
