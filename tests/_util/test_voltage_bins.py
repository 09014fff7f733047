"""Bins of voltages: each voltage in one, in the order of k; the rules of the refit, the networks and the templates."""

import numpy as np
import pytest

from friedel._util.voltage_bins import bins_by_count, bins_by_width

K = np.array([0.9, 0.5, 0.7, 0.6, 0.8, 0.55, 0.85])


@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_bins_by_count_hold_every_voltage_once_in_the_order_of_k(count: int, spread: bool) -> None:
    bins = bins_by_count(K, count, spread=spread)
    assert len(bins) == min(count, 7) and max(map(len, bins)) - min(map(len, bins)) <= 1
    np.testing.assert_array_equal(np.concatenate(bins), np.argsort(K))


def test_larger_bins_come_first_or_between() -> None:
    assert [len(one) for one in bins_by_count(np.arange(126), 16)] == [8] * 14 + [7] * 2
    sizes = [len(one) for one in bins_by_count(np.arange(10), 4, spread=True)]
    assert sizes == [2, 3, 3, 2]  # edges at the rounded quarters: 2, 5, 8


def test_bins_by_width_are_no_wider_and_none_is_empty() -> None:
    bins = bins_by_width(K, 0.1)
    assert sorted(np.concatenate(bins)) == list(range(7))
    assert all(len(one) and np.ptp(K[one]) <= 0.1 + 1e-9 for one in bins)
    assert len(bins_by_width(np.full(5, 0.7), 0.1)) == 1
    gap = bins_by_width(np.array([0.1, 0.11, 0.9]), 0.05)
    assert [len(one) for one in gap] == [2, 1]
