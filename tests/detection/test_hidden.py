"""Scatterers that nobody reported: found where they are, worth what they turn out to be worth."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from friedel.detection.groups import average
from friedel.detection.hidden import ScoreTest, by_fit, by_residual, gain
from friedel.detection.joint_fit import JointFit
from friedel.evaluation.twin import make_twin
from friedel.stack import didv, normalise

from .exact import EXACT


def _outside(places, size=36):
    return ((places < -0.5) | (places > size - 0.5)).any(axis=1)


def _fit(twin, points, turns=5):
    maps, k, *_ = average(normalise(didv(twin.stack).to_numpy()), twin.k, 16)
    fit = JointFit(maps, k, np.ones(maps.shape[1:], bool), points, np.full(len(points), 0.3))
    fit.guess_strengths()
    for turn in range(turns):
        fit.weigh()
        fit.step(positions=turn > 1)
    return fit


@pytest.fixture(scope="module")
def twin():
    return make_twin(EXACT, 3)


@pytest.fixture(scope="module")
def lacking(twin):
    """A fit of all scatterers but one outside and one inside; both are told."""
    points = twin.scatterers.position
    outside = np.flatnonzero(_outside(points))
    apart = np.array([np.sort(np.hypot(*(points - p).T))[1] for p in points])
    beyond = np.maximum(np.maximum(-points, points - 35).max(axis=1), 0)
    one = outside[(apart[outside] > 3) & (beyond[outside] < 6)][0]
    other = np.flatnonzero((apart > 3) & (points > 3).all(axis=1) & (points < 32).all(axis=1))[0]
    return _fit(twin, np.delete(points, [one, other], axis=0)), points[one], points[other]


def test_what_is_missing_is_found_where_it_is(lacking):
    fit, outside, inside = lacking
    found = by_fit(fit, 2, "anywhere")
    for place in (outside, inside):
        assert np.hypot(*(found - place).T).min() < 2.0


def test_outside_means_outside(lacking):
    fit, outside, _ = lacking
    for search in (by_fit, by_residual):
        found = search(fit, 5, "outside")
        assert len(found) and _outside(found).all()
    assert np.hypot(*(by_fit(fit, 5, "outside") - outside).T).min() < 2.0


def test_the_search_leaves_the_fit_as_it_was(lacking):
    fit = lacking[0]
    before = fit.position.copy(), fit.course.copy(), fit.chosen.copy(), fit.used.copy(), fit.residual.copy()
    by_fit(fit, 2, "outside")
    after = fit.position, fit.course, fit.chosen, fit.used, fit.residual
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("one", [0, 2, 9, 11])  # inside, at the corner, just outside, further out
def test_what_the_score_promises_the_fit_gains(twin, one):
    points = twin.scatterers.position
    place = points[one : one + 1]
    fit = _fit(twin, np.delete(points, one, axis=0), turns=12)
    promised = float(gain(*ScoreTest(fit).adapted(place))[0])
    before = fit.evaluate(slopes=False)[0]
    fit.add_hidden(place)
    fit.core[-1] = 0.0  # the same pixels with and without it
    fit.spread[-1] = 1e-3  # and at this place
    for _ in range(24):  # the longest way takes 12, by the rounding of the processor
        fit.step()
    assert promised > 20
    assert before - fit.evaluate(slopes=False)[0] == pytest.approx(promised, rel=0.1, abs=8.0)


def test_where_nothing_is_missing_the_gains_are_those_of_chance():
    """χ² with as many degrees of freedom as a strength has, or less: the prior holds it back."""
    twin = make_twin(replace(EXACT, noise=0.6), 4)
    points = twin.scatterers.position
    fit = _fit(twin, points, turns=8)
    places = np.random.default_rng(0).uniform(-10, 46, (150, 2))
    places = places[np.hypot(*(places[:, None] - points).transpose(2, 0, 1)).min(axis=1) > 2]
    gains = gain(*ScoreTest(fit).adapted(places))
    assert gains.min() >= 0
    assert gains.mean() < 4.5
    assert (gains > chi2.isf(0.001, 4)).mean() < 0.03
