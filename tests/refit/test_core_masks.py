"""Cores are found as large as they are, weak ones too, and nothing else is taken for one."""

import numpy as np
import pytest

from friedel.refit.core_masks import CORES, fitted

PIXELS = np.argwhere(np.ones((60, 60))).astype(float)
POINTS = np.array([[10.2, 11.0], [30.0, 42.7], [45.5, 20.1]])
MAPS = 16


def _away(point: np.ndarray) -> np.ndarray:
    return np.hypot(*(PIXELS - point).T)


def _misfit(radius: float, strength: float, seed: int = 0) -> np.ndarray:
    """χ² over its median where the first point's core adds `strength` σ to every map."""
    rng = np.random.default_rng(seed)
    left = rng.normal(size=(MAPS, len(PIXELS)))
    inside = _away(POINTS[0]) < radius
    left[:, inside] += strength * rng.choice([-1, 1], size=int(inside.sum()))
    chi2 = (left**2).sum(axis=0)
    return chi2 / np.median(chi2)


def _fitted(misfit: np.ndarray, points: np.ndarray = POINTS) -> np.ndarray:
    free = np.min([_away(p) for p in points], axis=0) > CORES.min_px
    return fitted(points, PIXELS[free], misfit[free])


@pytest.mark.parametrize("strength", [1.5, 6.0])
@pytest.mark.parametrize("radius", [0.7, 1.3, 2.1, 2.9])
def test_a_core_is_left_out_as_far_as_it_reaches_and_no_further(radius, strength):
    found = np.array([_fitted(_misfit(radius, strength, seed)) for seed in range(20)])
    inner = _away(POINTS[0])[(_away(POINTS[0]) < radius) & (_away(POINTS[0]) > CORES.min_px)]
    edge = inner.max() + CORES.rim_px if len(inner) else CORES.min_px
    assert (np.abs(found[:, 0] - edge) < 0.01).mean() >= 0.65
    assert np.abs(found[:, 0] - edge).mean() < 0.25
    assert (found[:, 1:] == CORES.min_px).mean() > 0.7
    assert found[:, 1:].mean() < CORES.min_px + 0.25


def test_a_large_core_leaves_its_neighbour_small():
    near = np.array([POINTS[0], POINTS[0] + [0.0, 4.6]])
    found = np.array([_fitted(_misfit(2.2, 6.0, seed), near) for seed in range(20)])
    assert (found[:, 0] > 2).all()
    assert (found[:, 1] == CORES.min_px).mean() > 0.7


def test_no_core_grows_beyond_the_largest():
    assert 3.3 < _fitted(_misfit(4.5, 6.0))[0] <= CORES.max_px + CORES.rim_px


def test_what_fits_badly_everywhere_is_no_core():
    rng = np.random.default_rng(1)
    assert (_fitted(rng.chisquare(MAPS, len(PIXELS)) / MAPS * 4) < 2).all()


def test_a_core_without_surroundings_is_found_all_the_same():
    near = (_away(POINTS[0]) < 3) & (_away(POINTS[0]) > CORES.min_px)
    misfit = np.where(_away(POINTS[0]) < 2, 9.0, 1.0)
    assert 1.7 < fitted(POINTS[:1], PIXELS[near], misfit[near])[0] < 2.2


def test_a_point_beyond_the_border_has_the_smallest():
    assert (fitted(np.array([[-8.0, 5.0], [30.0, 30.0]]), PIXELS, np.ones(len(PIXELS))) == CORES.min_px).all()
