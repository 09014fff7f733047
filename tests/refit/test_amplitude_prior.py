"""The prior of the amplitudes: a class of identical impurities narrows it, a heterogeneous field does not."""

import numpy as np
import pytest

from friedel.refit.amplitude_prior import AMPLITUDES, AmplitudePrior

#: Twelve confident impurities, a doubtful point, two undetected ones.
CONFIDENT, UNDETECTED = np.arange(15) < 12, np.arange(15) > 12
UNKNOWN = [[AMPLITUDES.spread] * 2, [AMPLITUDES.slope_spread] * 2]


def _alike() -> np.ndarray:
    random = np.random.default_rng(1)
    return (-0.5 + 0.6j) * np.array([1.0, 0.1]) + random.normal(0, 0.01, (15, 2))


def test_identical_impurities_narrow_the_prior():
    prior, coefficients = AmplitudePrior.of(CONFIDENT, 2), _alike()
    coefficients[14, 0] = 0.3  # of another class
    prior = prior.pooled(coefficients, UNDETECTED)
    same = [0, 5, 11, 13]
    assert np.allclose(prior.mean[same, 0], (-0.5, 0.6), atol=0.02)
    assert np.allclose(prior.spread[same], AMPLITUDES.min_class_spread)
    for other in (12, 14):  # the doubtful point, and one of another class
        assert (prior.mean[other] == 0).all()
        assert np.allclose(prior.spread[other], UNKNOWN)


def test_heterogeneous_impurities_leave_the_prior():
    prior = AmplitudePrior.of(CONFIDENT, 2)
    parts = np.random.default_rng(1).normal(0, 0.6, (2, 15, 2))
    prior = prior.pooled(parts[0] + 1j * parts[1], UNDETECTED)
    assert prior.spread[:, 0].min() > 0.6 * AMPLITUDES.spread


def test_a_small_class_leaves_the_prior():
    prior = AmplitudePrior.of(CONFIDENT[:9], 2)
    prior = prior.pooled(_alike()[:9], UNDETECTED[:9])
    assert (prior.mean[:, 0, 0] == AMPLITUDES.mean).all()
    assert np.allclose(prior.spread, UNKNOWN)


def test_pooling_starts_afresh_each_time():
    prior, coefficients = AmplitudePrior.of(CONFIDENT, 2), _alike()
    prior = prior.pooled(coefficients, UNDETECTED)
    coefficients[3, 0] = 0.4j
    prior = prior.pooled(coefficients, UNDETECTED)
    assert prior.mean[3, 0].tolist() == [AMPLITUDES.mean, 0] and np.allclose(prior.spread[3], UNKNOWN)


@pytest.mark.parametrize("n_coefficients", [1, 2])
def test_terms_are_those_of_every_part(n_coefficients):
    prior, coefficients = AmplitudePrior.of(CONFIDENT, n_coefficients), _alike()[:, :n_coefficients]
    prior = prior.pooled(coefficients, UNDETECTED)
    tightness, distance = prior.terms(coefficients)
    n = len(CONFIDENT)
    assert tightness.shape == distance.shape == (2 * n_coefficients * n,)
    for c in range(n_coefficients):
        for part, value in enumerate((coefficients.real, coefficients.imag)):
            here = slice((2 * c + part) * n, (2 * c + part + 1) * n)
            assert np.allclose(distance[here], value[:, c] - prior.mean[:, c, part])
            assert np.allclose(tightness[here], prior.spread[:, c, part] ** -2.0)


def test_scatterers_come_and_go():
    prior = AmplitudePrior.of(CONFIDENT, 2)
    prior = prior.pooled(_alike(), UNDETECTED)
    before = prior.mean.copy()
    prior = prior.extended(2)
    assert not prior.confident[-2:].any() and (prior.mean[-2:] == 0).all()
    prior = prior.without(np.array([0, 15, 16]))
    assert np.array_equal(prior.mean, before[1:]) and np.array_equal(prior.confident, CONFIDENT[1:])


def test_no_scatterer_has_no_terms():
    tightness, distance = AmplitudePrior.of(np.zeros(0, bool), 2).terms(np.zeros((0, 2), complex))
    assert tightness.shape == distance.shape == (0,)
