"""Intervals of counts: none seen is not none there."""

import numpy as np
import pytest
from scipy.stats import poisson as law

from friedel.scoring.intervals import mean_count, poisson


def test_the_ends_are_garwoods():
    assert poisson(0) == (0.0, pytest.approx(3.689, abs=1e-3))
    low, high = poisson(5)
    assert law.sf(4, low) == pytest.approx(0.025) and law.cdf(5, high) == pytest.approx(0.025)


def test_fields_without_any_count_leave_a_rate_open():
    low, high = mean_count(np.zeros(10), 2.0)
    assert low == 0.0
    assert high == pytest.approx(poisson(0)[1] / 20)


def test_fields_that_differ_more_than_poisson_have_the_wider_interval():
    counts = [0, 0, 0, 0, 30, 0, 0, 0, 0, 30]
    low, high = mean_count(counts)
    exact = [end / 10 for end in poisson(60)]
    assert low < exact[0] and high > exact[1]
    assert np.isnan(mean_count([])).all()
