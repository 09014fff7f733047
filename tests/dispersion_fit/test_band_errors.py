"""Errors of a fitted band: they cover, grow with the scatter, and what is no parabola is refused."""

import numpy as np
import pytest

from friedel.dispersion_fit.band_errors import band_errors, band_of, maxima
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


def test_wavevectors_on_the_parabola_and_one_answer_of_all_folds_leave_no_error():
    errors = band_errors(ENDS, ENERGY, BAND.k(ENERGY), CALM, SAME)
    assert errors.onset < 1e-6 and errors.mass < 1e-9 and errors.scatter < 1e-12 and not errors.reason


def _through_scattered(rng, folds):
    """Least squares through k with 1 % of noise: E₀ − the true one, its stated error, and its error by the folds."""
    t = (ENERGY - ENERGY[0]) / (ENERGY[-1] - ENERGY[0])
    design, weight = np.stack([1 - t, t], axis=1), 1 / (2 * BAND.k(ENERGY) ** 2)
    noise = 0.01 * np.sqrt(folds) * rng.standard_normal((folds, 8))  # of each part of the scatterers

    def ends(of):
        k = BAND.k(ENERGY) * (1 + noise[of].mean(axis=0))
        return k, np.linalg.lstsq(design * weight[:, None], k**2 * weight, rcond=None)[0]

    k, best = ends(np.ones(folds, bool))
    parts = np.array([band_of(ends(np.arange(folds) != one)[1], ENERGY) for one in range(folds)])
    return band_of(best, ENERGY)[0] + 500, band_errors(best, ENERGY, k, CALM, parts).onset


def test_errors_cover_bands_through_scattered_wavevectors():
    """68 % of E₀ within one σ, or somewhat more: scatter and jackknife see the same noise, and the larger counts."""
    rng = np.random.default_rng(0)
    off, sigma = np.transpose([_through_scattered(rng, 8) for _ in range(300)])
    assert 0.64 < np.mean(np.abs(off) < sigma) < 0.8
    assert 0.44 < np.mean(np.abs(off) < 0.6745 * sigma) < 0.62


def test_the_larger_of_scatter_and_jackknife_counts():
    jackknife = np.sqrt(7 / 8 * (np.linspace(-5, 5, 8) ** 2).sum())
    folds = np.outer(np.linspace(-5, 5, 8), [1.0, 0.0])
    k = BAND.k(ENERGY) * (1 + 0.01 * np.array([1, -1, 1, -1, -1, 1, -1, 1]))
    by_scatter = band_errors(ENDS, ENERGY, k, CALM, SAME).onset
    for times in (0.01, 100.0):
        both = band_errors(ENDS, ENERGY, k, CALM, SAME + times * folds)
        assert both.onset == pytest.approx(max(by_scatter, times * jackknife))


def test_a_linear_band_is_no_parabola():
    t = np.linspace(-0.5, 0.5, 8)
    k = BAND.k(ENERGY).mean() * (1 + 1.2 * t)
    ends = k[[0, -1]] ** 2
    assert "bends" in band_errors(ends, ENERGY, k, CALM, SAME).reason


@pytest.mark.parametrize("seed", range(5))
def test_wavevectors_that_scatter_as_in_a_map_still_tell_a_linear_band_from_a_parabola(seed):
    """Both bands between k and 2k, as wide as the sampling of the waves allows."""
    noise = 1 + 0.012 * np.random.default_rng(seed).standard_normal(8)
    t = np.linspace(0, 1, 8)
    linear, parabola = 1 + t, np.sqrt(1 + 3 * t)
    ends = np.array([1.0, 4.0])
    assert "linear" in band_errors(ends, ENERGY, linear * noise * 0.97, CALM, SAME).reason
    assert not band_errors(ends, ENERGY, parabola * noise, CALM, SAME).reason


def test_wavevectors_beyond_the_window_or_without_order_are_refused():
    beyond = np.arange(8) < 4
    assert "6 % off" in band_errors(ENDS, ENERGY, BAND.k(ENERGY), beyond, SAME).reason
    wild = BAND.k(ENERGY) * (1 + 0.05 * np.array([1, -1, 1, -1, -1, 1, -1, 1]))
    assert "scatter" in band_errors(ENDS, ENERGY, wild, CALM, SAME).reason


def test_two_voltages_have_no_scatter_but_an_error():
    folds = SAME[:3] + np.array([[-1.0], [0.0], [1.0]]) * [2.0, 0.001]
    errors = band_errors(ENDS, ENERGY[[0, -1]], BAND.k(ENERGY[[0, -1]]), CALM[:2], folds)
    assert np.isnan(errors.scatter) and not errors.reason
    assert errors.onset == pytest.approx(np.sqrt(2 / 3 * 8))
