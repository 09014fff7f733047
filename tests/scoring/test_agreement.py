"""The three lists of an agreement partition both sets."""

import numpy as np
import pandas as pd
import pytest

from friedel.scoring.agreement import agreement
from friedel.scoring.chance import chance_recall


def test_lists_and_figures():
    reference = pd.DataFrame({"row": [5.0, 20.0, 30.0], "column": [5.0, 20.0, 30.0]})
    found = pd.DataFrame({"row": [5.5, 12.0], "column": [5.0, 12.0]})
    result = agreement(found, reference, 1.0, (40, 40))
    assert result.matched[["found", "reference"]].to_numpy().tolist() == [[0, 0]]
    assert result.matched.loc[0, "distance_px"] == pytest.approx(0.5)
    assert result.missed.tolist() == [[20, 20], [30, 30]]
    assert result.false.tolist() == [[12, 12]]
    assert (result.precision, result.recall, result.f1) == pytest.approx((1 / 2, 1 / 3, 2 / 5))
    assert result.chance == pytest.approx(chance_recall(reference.to_numpy(), 2, 1.0, (40, 40)))
    assert "1 of 3" in str(result)


def test_empty_sides():
    result = agreement(np.zeros((0, 2)), [[1.0, 1.0]])
    assert np.isnan(result.precision)
    assert result.recall == 0
    assert np.isnan(result.chance)
