"""Search for undetected scatterers: found where they are, with the Δχ² that they turn out to have."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from friedel.benchmark.synthetic import make_synthetic
from friedel.refit.amplitude_prior import AmplitudePrior
from friedel.refit.joint_fit.evaluation import evaluate
from friedel.refit.joint_fit.step import (
    add_scatterers,
    guess_amplitudes,
    step,
    update_weights,
)
from friedel.refit.source_search import SEARCH, ScoreTest, by_residual, by_score_test, log_odds

from .exact import EXACT, joint_fit


def _outside(places, size=36):
    return ((places < -0.5) | (places > size - 0.5)).any(axis=1)


def _gain(g, matrix):
    """By how much χ² falls with each alone, of whose amplitude nothing is known."""
    tight, _ = AmplitudePrior.of(np.zeros(1, bool), 2).terms(np.zeros((1, 2)))
    every = np.arange(len(g))
    return (g * np.linalg.solve(matrix[every, :, every] + np.diag(tight), g[..., None])[..., 0]).sum(axis=1)


def _fit(simulated, points, iterations=5):
    data, state = joint_fit(simulated, points)
    guess_amplitudes(data, state)
    for number in range(iterations):
        update_weights(data, state)
        step(data, state, positions=number > 1)
    return data, state


@pytest.fixture(scope="module")
def simulated():
    return make_synthetic(EXACT, 3)


@pytest.fixture(scope="module")
def lacking(simulated):
    """A fit of all scatterers but one outside and one inside; both are told."""
    points = simulated.scatterers.position
    outside = np.flatnonzero(_outside(points))
    apart = np.array([np.sort(np.hypot(*(points - p).T))[1] for p in points])
    beyond = np.maximum(np.maximum(-points, points - 35).max(axis=1), 0)
    one = outside[(apart[outside] > 3) & (beyond[outside] < 6)][0]
    other = np.flatnonzero((apart > 3) & (points > 3).all(axis=1) & (points < 32).all(axis=1))[0]
    return _fit(simulated, np.delete(points, [one, other], axis=0)), points[one], points[other]


def test_what_is_missing_is_found_where_it_is(lacking):
    fit, outside, inside = lacking
    found = by_score_test(*fit, 2, "everywhere")
    for place in (outside, inside):
        assert np.hypot(*(found - place).T).min() < 2.0


def test_outside_means_outside(lacking):
    fit, outside, _ = lacking
    for search in (by_score_test, by_residual):
        found = search(*fit, 5, "outside")
        assert len(found) and _outside(found).all()
    assert np.hypot(*(by_score_test(*fit, 5, "outside") - outside).T).min() < 2.0


def test_the_search_leaves_the_fit_unchanged(lacking):
    data, state = lacking[0]

    def content():
        s = state.scatterers
        return [s.position, s.coefficients, state.subset.maps, state.used, state.now().residual]

    before = [one.copy() for one in content()]
    by_score_test(data, state, 2, "outside")
    assert all(np.array_equal(a, b) for a, b in zip(before, content(), strict=True))


@pytest.mark.parametrize("one", [0, 2, 9, 11])  # inside, at the corner, just outside, further out
def test_what_the_score_promises_the_fit_gains(simulated, one):
    points = simulated.scatterers.position
    place = points[one : one + 1]
    data, state = _fit(simulated, np.delete(points, one, axis=0), iterations=12)
    promised = float(_gain(*ScoreTest(data, state).profiled(place))[0])
    before = evaluate(data, state).cost
    add_scatterers(state, place)
    last = np.arange(len(points)) == len(points) - 1
    s = state.scatterers
    # The same pixels with and without it, and at this place.
    state.update(core=np.where(last, 0.0, s.core), spread=np.where(last, 1e-3, s.spread))
    for _ in range(24):  # 12 may be needed, depending on the rounding of the processor
        step(data, state)
    assert promised > 20
    assert before - evaluate(data, state).cost == pytest.approx(promised, rel=0.1, abs=8.0)


def test_where_nothing_is_missing_the_gains_are_those_of_chance():
    """χ² with as many degrees of freedom as an amplitude has, or less: the prior holds it back."""
    simulated = make_synthetic(replace(EXACT, noise=0.6), 4)
    points = simulated.scatterers.position
    fit = _fit(simulated, points, iterations=8)
    places = np.random.default_rng(0).uniform(-10, 46, (150, 2))
    places = places[np.hypot(*(places[:, None] - points).transpose(2, 0, 1)).min(axis=1) > 2]
    seen = ScoreTest(*fit).profiled(places)
    gains = _gain(*seen)
    assert gains.min() >= 0
    assert gains.mean() < 4.5
    assert (gains > chi2.isf(0.001, 4)).mean() < 0.03
    assert (log_odds(*seen, fit[1].prior) > SEARCH.min_log_odds).mean() < 0.02


def _one_class(amplitude, n_coefficients=1):
    """The prior after a field of a dozen identical impurities."""
    prior = AmplitudePrior.of(np.ones(12, bool), n_coefficients)
    return prior.pooled(np.full((12, n_coefficients), amplitude), np.zeros(12, bool))


def _alone(matrix):
    """As of a single place."""
    return matrix[None, :, None, :]


@pytest.mark.parametrize("prior", [AmplitudePrior.of(np.zeros(1, bool), 1), _one_class(-0.3 + 0.2j)])
def test_the_odds_are_those_of_the_likelihood_averaged_over_amplitudes(prior):
    matrix, g = np.array([[60.0, 20.0], [20.0, 40.0]]), np.array([-12.0, 5.0])
    axis = np.linspace(-3, 3, 1501)
    s = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    log = s @ g - np.einsum("...i,ij,...j", s, matrix, s) / 2
    weight = np.exp(-(((s - prior.typical[0]) / prior.typical_spread[0]) ** 2).sum(axis=-1) / 2)
    expected = 2 * np.log((np.exp(log) * weight).sum() / weight.sum())
    assert log_odds(g[None], _alone(matrix), prior)[0] == pytest.approx(expected, abs=1e-6)


def test_a_weak_wave_is_none_where_all_impurities_are_strong():
    any_class, strong = AmplitudePrior.of(np.zeros(1, bool), 1), _one_class(-0.5 + 0j)
    matrix = 400 * np.eye(2)
    for s, likely in ((0.25, False), (-0.5, True)):
        seen = (matrix @ [s, 0.0])[None], _alone(matrix)
        assert log_odds(*seen, any_class)[0] > SEARCH.min_log_odds
        assert (log_odds(*seen, strong)[0] > log_odds(*seen, any_class)[0]) == likely
    assert log_odds((matrix @ [0.25, 0.0])[None], _alone(matrix), strong)[0] < 0


def test_the_more_data_the_more_must_chi2_fall():
    prior, gain = AmplitudePrior.of(np.zeros(1, bool), 1), 12.0
    small, large = (
        log_odds(np.array([[np.sqrt(gain * size), 0.0]]), _alone(size * np.eye(2)), prior)[0]
        for size in (1e2, 1e4)
    )
    assert small > large
    assert small - large == pytest.approx(2 * np.log(100), abs=1.0)
