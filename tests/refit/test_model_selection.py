"""The posterior probability from network logit and Δχ²."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from friedel.refit.model_selection import SELECTION, averaged, posterior_probability

probabilities = st.floats(SELECTION.min_probability, 0.999)
rises = st.floats(1.0, 1e5)
kinds = st.sampled_from(["quick", "full"])
#: A field of ordinary impurities to compare with.
USUAL = (np.full(9, 0.98), np.full(9, 4000.0))


def _one(probability: float, delta_chi2: float, kind: str) -> float:
    p, e = (np.append(usual, x) for usual, x in zip(USUAL, (probability, delta_chi2), strict=True))
    return float(posterior_probability(p, e, kind)[-1])


@given(probabilities, rises, st.floats(1.01, 100), kinds)
def test_a_larger_delta_chi2_never_makes_an_impurity_less_probable(probability, delta_chi2, factor, kind):
    assert _one(probability, delta_chi2 * factor, kind) >= _one(probability, delta_chi2, kind) - 1e-9


@given(rises, probabilities, probabilities, kinds)
def test_a_higher_network_probability_never_makes_an_impurity_less_probable(delta_chi2, one, other, kind):
    low, high = sorted((one, other))
    assert _one(high, delta_chi2, kind) >= _one(low, delta_chi2, kind) - 1e-9


@given(st.lists(st.tuples(probabilities, st.floats(0, 1e6)), max_size=20))
def test_probabilities_stay_probabilities(candidates):
    p, e = np.array(candidates).reshape(-1, 2).T
    out = posterior_probability(p, e)
    assert out.shape == p.shape and ((out >= 0) & (out <= 1)).all()


def test_without_delta_chi2_the_probability_stays():
    p = np.array([0.9, 0.3, 0.7])
    out = posterior_probability(p, np.array([np.nan, 5000.0, 4000.0]))
    assert out[0] == 0.9 and out[1] != 0.3


@pytest.mark.parametrize("kind", ["quick", "full"])
def test_the_fit_overrules_the_network_on_both_sides(kind):
    assert _one(0.1, 4000.0, kind) > 0.5
    assert _one(0.9, 0.0, kind) < 0.1


def test_an_ordinary_impurity_stays_one():
    assert (posterior_probability(*USUAL) > 0.95).all()


def test_no_candidates():
    assert posterior_probability(np.zeros(0), np.zeros(0)) == pytest.approx(np.zeros(0))


def test_the_fit_counts_as_far_as_it_explains_the_field():
    network, fit = np.array([0.02, 0.9, 0.97]), np.array([0.99, 0.05, 1.0])
    assert averaged(network, fit, 0.95) == pytest.approx(fit)
    assert averaged(network, fit, float("nan")) == pytest.approx(fit)
    assert averaged(network, fit, 0.4) == pytest.approx(network)
    between = averaged(network, fit, 0.7)
    assert ((between > np.fmin(network, fit)) & (between < np.fmax(network, fit))).all()
    assert averaged(np.array([0.2]), np.array([0.8]), 0.7) == pytest.approx(0.5)
