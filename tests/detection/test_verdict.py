"""The network's word and the fit's together: both count, and silence changes nothing."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from friedel.detection.verdict import DOUBT, verdict

probabilities = st.floats(DOUBT, 0.999)
evidences = st.floats(1.0, 1e5)
#: A field of ordinary impurities to compare with.
USUAL = (np.full(9, 0.98), np.full(9, 4000.0))


def _one(probability: float, evidence: float) -> float:
    p, e = (np.append(usual, x) for usual, x in zip(USUAL, (probability, evidence), strict=True))
    return float(verdict(p, e)[-1])


@given(probabilities, evidences, st.floats(1.01, 100))
def test_more_evidence_never_makes_an_impurity_less_probable(probability, evidence, factor):
    assert _one(probability, evidence * factor) >= _one(probability, evidence) - 1e-9


@given(evidences, probabilities, probabilities)
def test_the_network_counts_as_well(evidence, one, other):
    low, high = sorted((one, other))
    assert _one(high, evidence) >= _one(low, evidence) - 1e-9


@given(st.lists(st.tuples(probabilities, st.floats(0, 1e6)), max_size=20))
def test_probabilities_stay_probabilities(candidates):
    p, e = np.array(candidates).reshape(-1, 2).T
    out = verdict(p, e)
    assert out.shape == p.shape and ((out >= 0) & (out <= 1)).all()


def test_where_the_fit_says_nothing_the_probability_stays():
    p = np.array([0.9, 0.3, 0.7])
    out = verdict(p, np.array([np.nan, 5000.0, 4000.0]))
    assert out[0] == 0.9 and out[1] != 0.3


def test_the_fit_overrules_the_network_on_both_sides():
    assert _one(0.1, 4000.0) > 0.9
    assert _one(0.9, 0.0) < 0.1


def test_an_ordinary_impurity_stays_one():
    assert (verdict(*USUAL) > 0.95).all()


def test_no_candidates():
    assert verdict(np.zeros(0), np.zeros(0)) == pytest.approx(np.zeros(0))
