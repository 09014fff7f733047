"""Bias axes that the user types."""

from __future__ import annotations

import numpy as np
import pytest

from friedel.errors import StackError
from friedel.io.axes import bias_axis


@pytest.mark.parametrize(
    ("text", "count", "found"),
    [
        ("-200:-100", 3, [-200, -150, -100]),
        ("-200:-100:50", 3, [-200, -150, -100]),
        ("100:-100:-100", 3, [100, 0, -100]),
        ("-0.3:0.3:0.1", 7, [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]),
        ("5:5:1", 1, [5]),
        ("1, 2, 4", 3, [1, 2, 4]),
    ],
)
def test_both_ends_a_step_or_all_voltages(text, count, found) -> None:
    assert np.allclose(bias_axis(text, count), found, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "count", "words"),
    [
        ("-200:0:100", 4, "3 values, but the data has 4"),
        ("-200:0:200", 4, "2 values, but the data has 4"),  # not an even axis between both ends
        ("-200:0:-10", 21, "do not lead from"),
        ("-200:0:0", 21, "do not lead from"),
        ("-200:0:nan", 21, "do not lead from"),
        ("-200:0:30", 7, "do not end at"),
        ("1:2:3:4", 4, "is not a bias axis"),
    ],
)
def test_a_step_that_does_not_fit_is_refused(text, count, words) -> None:
    with pytest.raises(StackError, match=words):
        bias_axis(text, count)
