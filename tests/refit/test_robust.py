"""Robust noise and weights: what a few pixels say does not count, what all maps have in common is told apart."""

import numpy as np
import pytest

from friedel._util.robust import deviation
from friedel.refit.robust import ROBUST, misfit, weights

MAPS, PIXELS = 12, 4000


@pytest.fixture
def left():
    return np.random.default_rng(0).normal(size=(MAPS, PIXELS))


def test_a_few_bad_pixels_hardly_change_the_noise(left):
    assert deviation(left) == pytest.approx(np.ones(MAPS), abs=0.06)
    left[:, :200] += 100
    assert deviation(left) == pytest.approx(np.ones(MAPS), abs=0.12)
    assert (left.std(axis=1) > 20).all()


def test_what_all_maps_have_in_common_counts_by_its_share(left):
    common = np.ones(MAPS) / np.sqrt(MAPS)
    shaken = left + 5 * common[:, None]
    np.testing.assert_allclose(misfit(shaken, common, 1.0), misfit(left, common, 1.0), atol=1e-9)
    assert misfit(left, common, 1.0).mean() == pytest.approx(MAPS - 1, rel=0.03)
    np.testing.assert_allclose(misfit(left, common, 0.0), (left**2).sum(axis=0))


def test_usual_pixels_count_fully_worse_ones_less_outliers_hardly():
    usual = np.full(1000, float(MAPS))
    ratios = np.array([0.5, 1.0, 2.0, 4.0, 0.99 * ROBUST.outlier_ratio, 1.01 * ROBUST.outlier_ratio, 100.0])
    said = weights(np.append(usual, MAPS * ratios), MAPS)
    assert (said[:1002] == 1).all()
    assert (np.diff(said[1001:]) <= 0).all() and said[1004] > 10 * ROBUST.lost
    assert (said[-2:] == ROBUST.lost).all()
