"""What impurities of one field tell of each other's strength."""

import numpy as np
import pytest

from friedel.detection.strength_prior import (
    COURSE_SPREAD,
    LEAST_KIN_SPREAD,
    STRENGTH,
    STRENGTH_SPREAD,
    StrengthPrior,
)

#: Twelve sure impurities, a doubtful point, two that nobody reported.
SURE, HIDDEN = np.arange(15) < 12, np.arange(15) > 12
UNKNOWN = [[STRENGTH_SPREAD] * 2, [COURSE_SPREAD] * 2]


def _alike() -> np.ndarray:
    random = np.random.default_rng(1)
    return (-0.5 + 0.6j) * np.array([1.0, 0.1]) + random.normal(0, 0.01, (15, 2))


def test_one_kind_tells_each_others_strength():
    prior, course = StrengthPrior(SURE, 2), _alike()
    course[14, 0] = 0.3  # another kind
    prior.learn(course, HIDDEN)
    kin = [0, 5, 11, 13]
    assert np.allclose(prior.usual[kin, 0], (-0.5, 0.6), atol=0.02)
    assert np.allclose(prior.spread[kin], LEAST_KIN_SPREAD)
    for stranger in (12, 14):  # the doubtful point, and what looks otherwise
        assert (prior.usual[stranger] == 0).all()
        assert np.allclose(prior.spread[stranger], UNKNOWN)


def test_many_kinds_tell_nothing():
    prior = StrengthPrior(SURE, 2)
    parts = np.random.default_rng(1).normal(0, 0.6, (2, 15, 2))
    prior.learn(parts[0] + 1j * parts[1], HIDDEN)
    assert prior.spread[:, 0].min() > 0.6 * STRENGTH_SPREAD


def test_few_tell_nothing():
    prior = StrengthPrior(SURE[:9], 2)
    prior.learn(_alike()[:9], HIDDEN[:9])
    assert (prior.usual[:, 0, 0] == STRENGTH).all()
    assert np.allclose(prior.spread, UNKNOWN)


def test_what_was_learnt_is_forgotten_where_it_no_longer_holds():
    prior, course = StrengthPrior(SURE, 2), _alike()
    prior.learn(course, HIDDEN)
    course[3, 0] = 0.4j
    prior.learn(course, HIDDEN)
    assert prior.usual[3, 0].tolist() == [STRENGTH, 0] and np.allclose(prior.spread[3], UNKNOWN)


@pytest.mark.parametrize("courses", [1, 2])
def test_terms_are_those_of_every_part(courses):
    prior, course = StrengthPrior(SURE, courses), _alike()[:, :courses]
    prior.learn(course, HIDDEN)
    tightness, distance = prior.terms(course)
    n = len(SURE)
    assert tightness.shape == distance.shape == (2 * courses * n,)
    for c in range(courses):
        for part, value in enumerate((course.real, course.imag)):
            here = slice((2 * c + part) * n, (2 * c + part + 1) * n)
            assert np.allclose(distance[here], value[:, c] - prior.usual[:, c, part])
            assert np.allclose(tightness[here], prior.spread[:, c, part] ** -2.0)


def test_scatterers_come_and_go():
    prior = StrengthPrior(SURE, 2)
    prior.learn(_alike(), HIDDEN)
    before = prior.usual.copy()
    prior.add(2)
    assert not prior.sure[-2:].any() and (prior.usual[-2:] == 0).all()
    prior.remove(np.array([0, 15, 16]))
    assert np.array_equal(prior.usual, before[1:]) and np.array_equal(prior.sure, SURE[1:])


def test_of_no_scatterer_nothing_is_expected():
    tightness, distance = StrengthPrior(np.zeros(0, bool), 2).terms(np.zeros((0, 2), complex))
    assert tightness.shape == distance.shape == (0,)
