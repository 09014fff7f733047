"""Cores are found as large as they are, weak ones too, and nothing else is taken for one."""

import numpy as np
import pytest

from friedel.detection.cores import LARGEST, RING, grown

PIXELS = np.argwhere(np.ones((60, 60))).astype(float)
POINTS = np.array([[10.2, 11.0], [30.0, 42.7], [45.5, 20.1]])
MAPS = 8


def _misfit(radius: float, strength: float, seed: int = 0) -> np.ndarray:
    """χ² over its median where the first point's core adds `strength` σ to every map."""
    rng = np.random.default_rng(seed)
    left = rng.normal(size=(MAPS, len(PIXELS)))
    inside = np.hypot(*(PIXELS - POINTS[0]).T) < radius
    left[:, inside] += strength * rng.choice([-1, 1], size=int(inside.sum()))
    chi2 = (left**2).sum(axis=0)
    return chi2 / np.median(chi2)


def _grown(misfit: np.ndarray, points: np.ndarray = POINTS, first: float = 1.5) -> np.ndarray:
    away = np.hypot(*(PIXELS[:, None] - points).transpose(2, 0, 1)).min(axis=1) > first
    return grown(points, np.full(len(points), first), PIXELS[away], misfit[away], MAPS)


@pytest.mark.parametrize("strength", [1.5, 6.0])
@pytest.mark.parametrize("radius", [1.0, 2.1, 2.9])
def test_a_core_is_left_out_as_far_as_it_reaches(radius, strength):
    found = np.array([_grown(_misfit(radius, strength, seed)) for seed in range(10)])
    least = max(radius, 1.5)
    assert (np.abs(np.median(found[:, 0]) - least) <= RING).all()
    assert (found[:, 0] >= least - 0.35).mean() >= 0.9
    assert found[:, 1:] == pytest.approx(1.5, abs=0.31)
    assert (found[:, 1:] == 1.5).mean() > 0.9


def test_no_core_grows_beyond_the_largest():
    found = _grown(_misfit(7.0, 6.0))
    assert LARGEST <= found[0] < LARGEST + 0.31 or found[0] == 1.5


def test_what_fits_badly_everywhere_is_no_core():
    rng = np.random.default_rng(1)
    assert (_grown(rng.chisquare(MAPS, len(PIXELS)) / MAPS * 4) == 1.5).all()


def test_a_core_without_surroundings_stays():
    near = np.hypot(*(PIXELS - POINTS[0]).T) < 3
    assert grown(POINTS[:1], np.array([1.5]), PIXELS[near], np.full(near.sum(), 9.0), MAPS) == [1.5]
