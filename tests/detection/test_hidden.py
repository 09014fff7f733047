"""Scatterers that nobody reported: found where they are, worth what they turn out to be worth."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from friedel.benchmark.synthetic import make_twin
from friedel.detection.groups import average
from friedel.detection.hidden import ODDS, ScoreTest, by_fit, by_residual, odds
from friedel.detection.joint_fit import JointFit
from friedel.detection.strength_prior import StrengthPrior
from friedel.stack import didv, normalise

from .exact import EXACT


def _outside(places, size=36):
    return ((places < -0.5) | (places > size - 0.5)).any(axis=1)


def _gain(g, matrix):
    """By how much χ² falls with each alone, of whose strength nothing is known."""
    tight, _ = StrengthPrior(np.zeros(1, bool), 2).terms(np.zeros((1, 2)))
    every = np.arange(len(g))
    return (g * np.linalg.solve(matrix[every, :, every] + np.diag(tight), g[..., None])[..., 0]).sum(axis=1)


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
    promised = float(_gain(*ScoreTest(fit).adapted(place))[0])
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
    seen = ScoreTest(fit).adapted(places)
    gains = _gain(*seen)
    assert gains.min() >= 0
    assert gains.mean() < 4.5
    assert (gains > chi2.isf(0.001, 4)).mean() < 0.03
    assert (odds(*seen, fit.prior) > ODDS).mean() < 0.02


def _one_kind(strength, courses=1):
    """What a field of a dozen like impurities teaches."""
    prior = StrengthPrior(np.ones(12, bool), courses)
    prior.learn(np.full((12, courses), strength), np.zeros(12, bool))
    return prior


def _alone(matrix):
    """As of a single place."""
    return matrix[None, :, None, :]


@pytest.mark.parametrize("prior", [StrengthPrior(np.zeros(1, bool), 1), _one_kind(-0.3 + 0.2j)])
def test_the_odds_are_those_of_the_likelihood_averaged_over_strengths(prior):
    matrix, g = np.array([[60.0, 20.0], [20.0, 40.0]]), np.array([-12.0, 5.0])
    axis = np.linspace(-3, 3, 1501)
    s = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    log = s @ g - np.einsum("...i,ij,...j", s, matrix, s) / 2
    weight = np.exp(-(((s - prior.typical[0]) / prior.typical_spread[0]) ** 2).sum(axis=-1) / 2)
    expected = 2 * np.log((np.exp(log) * weight).sum() / weight.sum())
    assert odds(g[None], _alone(matrix), prior)[0] == pytest.approx(expected, abs=1e-6)


def test_a_weak_wave_is_none_where_all_impurities_are_strong():
    any_kind, strong = StrengthPrior(np.zeros(1, bool), 1), _one_kind(-0.5 + 0j)
    matrix = 400 * np.eye(2)
    for s, likely in ((0.25, False), (-0.5, True)):
        seen = (matrix @ [s, 0.0])[None], _alone(matrix)
        assert odds(*seen, any_kind)[0] > ODDS
        assert (odds(*seen, strong)[0] > odds(*seen, any_kind)[0]) == likely
    assert odds((matrix @ [0.25, 0.0])[None], _alone(matrix), strong)[0] < 0


def test_the_more_data_the_more_must_chi2_fall():
    prior, gain = StrengthPrior(np.zeros(1, bool), 1), 12.0
    small, large = (
        odds(np.array([[np.sqrt(gain * size), 0.0]]), _alone(size * np.eye(2)), prior)[0]
        for size in (1e2, 1e4)
    )
    assert small > large
    assert small - large == pytest.approx(2 * np.log(100), abs=1.0)
