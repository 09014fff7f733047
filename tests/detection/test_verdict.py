"""The network's word and the fit's together: both count, and silence changes nothing."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from friedel.detection.verdict import DOUBT, verdict

probabilities = st.floats(DOUBT, 0.999)
evidences = st.floats(1.0, 1e5)
kinds = st.sampled_from(["quick", "full"])
#: A field of ordinary impurities to compare with.
USUAL = (np.full(9, 0.98), np.full(9, 4000.0))


def _one(probability: float, evidence: float, kind: str) -> float:
    p, e = (np.append(usual, x) for usual, x in zip(USUAL, (probability, evidence), strict=True))
    return float(verdict(p, e, kind)[-1])


@given(probabilities, evidences, st.floats(1.01, 100), kinds)
def test_more_evidence_never_makes_an_impurity_less_probable(probability, evidence, factor, kind):
    assert _one(probability, evidence * factor, kind) >= _one(probability, evidence, kind) - 1e-9


@given(evidences, probabilities, probabilities, kinds)
def test_the_network_counts_as_well(evidence, one, other, kind):
    low, high = sorted((one, other))
    assert _one(high, evidence, kind) >= _one(low, evidence, kind) - 1e-9


@given(st.lists(st.tuples(probabilities, st.floats(0, 1e6)), max_size=20))
def test_probabilities_stay_probabilities(candidates):
    p, e = np.array(candidates).reshape(-1, 2).T
    out = verdict(p, e)
    assert out.shape == p.shape and ((out >= 0) & (out <= 1)).all()


def test_where_the_fit_says_nothing_the_probability_stays():
    p = np.array([0.9, 0.3, 0.7])
    out = verdict(p, np.array([np.nan, 5000.0, 4000.0]))
    assert out[0] == 0.9 and out[1] != 0.3


@pytest.mark.parametrize("kind", ["quick", "full"])
def test_the_fit_overrules_the_network_on_both_sides(kind):
    assert _one(0.1, 4000.0, kind) > 0.5
    assert _one(0.9, 0.0, kind) < 0.1


def test_an_ordinary_impurity_stays_one():
    assert (verdict(*USUAL) > 0.95).all()


def test_no_candidates():
    assert verdict(np.zeros(0), np.zeros(0)) == pytest.approx(np.zeros(0))
