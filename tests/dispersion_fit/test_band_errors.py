"""Errors of a fitted band: they cover, grow with the scatter, and what is no parabola is refused."""

import numpy as np
import pytest

from friedel.dispersion_fit.band_errors import FLOOR, band_errors, band_of, maxima
from friedel.physics.dispersion import Dispersion

BAND = Dispersion(-500.0, 0.26)
ENERGY = np.linspace(-230.0, 16.0, 8)
ENDS = BAND.k([ENERGY[0], ENERGY[-1]]) ** 2
CALM = np.zeros(8, bool)
SAME = np.tile([-500.0, 0.26], (8, 1))


def test_the_ends_give_the_band_back():
    onset, mass = band_of(ENDS, ENERGY)
    assert onset == pytest.approx(-500, abs=1e-6) and mass == pytest.approx(0.26, rel=1e-6)


def test_a_maximum_between_two_factors_is_found_and_one_beyond_is_said():
    factors = np.linspace(0.94, 1.06, 7)
    curves = -((factors - np.array([[1.013], [1.2]])) ** 2)
    found, at_end = maxima(curves, factors)
    assert found[0] == pytest.approx(1.013, abs=1e-6) and at_end.tolist() == [False, True]


def test_without_scatter_the_floor_is_left():
    errors = band_errors(ENDS, ENERGY, BAND.k(ENERGY), CALM, SAME)
    # ΔE₀ of k² wrong by 2·FLOOR at either end, by hand: E₀ = E₂ − k₂² (E₂ − E₁)/(k₂² − k₁²)
    low, high = ENDS
    span = ENERGY[-1] - ENERGY[0]
    by_low, by_high = high * span / (high - low) ** 2, low * span / (high - low) ** 2
    expected = 2 * FLOOR * np.hypot(by_low * low, by_high * high)
    assert errors.onset == pytest.approx(expected, rel=0.01)
    assert errors.scatter < 1e-12 and not errors.reason


def test_errors_cover_bands_through_scattered_wavevectors():
    """Least squares through k with 1 % of noise: 68 % of E₀ within one σ."""
    rng = np.random.default_rng(0)
    t = (ENERGY - ENERGY[0]) / (ENERGY[-1] - ENERGY[0])
    design, z = np.stack([1 - t, t], axis=1), []
    for _ in range(300):
        k = BAND.k(ENERGY) * (1 + 0.01 * rng.standard_normal(8))
        weight = 1 / (2 * BAND.k(ENERGY) ** 2)
        ends = np.linalg.lstsq(design * weight[:, None], k**2 * weight, rcond=None)[0]
        errors = band_errors(ends, ENERGY, k, CALM, SAME)
        z.append((band_of(ends, ENERGY)[0] + 500) / errors.onset)
    assert 0.6 < np.mean(np.abs(z) < 1) < 0.78


def test_the_jackknife_adds_to_the_error():
    folds = SAME + np.outer(np.linspace(-5, 5, 8), [1.0, 0.0])
    alone = band_errors(ENDS, ENERGY, BAND.k(ENERGY), CALM, SAME)
    both = band_errors(ENDS, ENERGY, BAND.k(ENERGY), CALM, folds)
    spread = np.sqrt(7 / 8 * (np.linspace(-5, 5, 8) ** 2).sum())
    assert both.onset == pytest.approx(np.hypot(alone.onset, spread))


def test_a_linear_band_is_no_parabola():
    t = np.linspace(-0.5, 0.5, 8)
    k = BAND.k(ENERGY).mean() * (1 + 1.2 * t)
    ends = k[[0, -1]] ** 2
    assert "bends" in band_errors(ends, ENERGY, k, CALM, SAME).reason


def test_wavevectors_beyond_the_window_or_without_order_are_refused():
    beyond = np.arange(8) < 4
    assert "6 % off" in band_errors(ENDS, ENERGY, BAND.k(ENERGY), beyond, SAME).reason
    wild = BAND.k(ENERGY) * (1 + 0.05 * np.array([1, -1, 1, -1, -1, 1, -1, 1]))
    assert "scatter" in band_errors(ENDS, ENERGY, wild, CALM, SAME).reason


def test_two_voltages_have_no_scatter_but_an_error():
    errors = band_errors(ENDS, ENERGY[[0, -1]], BAND.k(ENERGY[[0, -1]]), CALM[:2], SAME[:3])
    assert np.isnan(errors.scatter) and errors.onset > 0 and not errors.reason
