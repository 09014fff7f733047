"""Properties that any one-to-one matching must have."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from friedel.scoring.matching import growing_matches, match

# A coarse lattice makes ties, exact tolerances and coincident points common.
POINTS = st.integers(0, 9).flatmap(
    lambda n: arrays(float, (n, 2), elements=st.integers(0, 12).map(lambda i: i / 2))
)
TOLERANCES = st.sampled_from([0.5, 1.0, 1.5, 4.0])


@settings(deadline=None, max_examples=150)
@given(POINTS, POINTS, TOLERANCES)
def test_pairs_are_one_to_one_within_the_tolerance_and_complete(found, truth, tolerance):
    result = match(found, truth, tolerance)
    assert len(set(result.found)) == len(set(result.truth)) == len(result)
    np.testing.assert_allclose(
        result.distance, np.linalg.norm(found[result.found] - truth[result.truth], axis=1), atol=1e-12
    )
    assert (result.distance <= tolerance + 1e-9).all()
    assert sorted([*result.found, *result.false]) == list(range(len(found)))
    assert sorted([*result.truth, *result.missed]) == list(range(len(truth)))
    for i, j in itertools.product(result.false, result.missed):  # no pair was left on the table
        assert np.linalg.norm(found[i] - truth[j]) > tolerance


@settings(deadline=None, max_examples=100)
@given(POINTS, POINTS, TOLERANCES)
def test_it_is_symmetric(found, truth, tolerance):
    there, back = match(found, truth, tolerance), match(truth, found, tolerance)
    assert len(there) == len(back)
    assert there.distance.sum() == pytest.approx(back.distance.sum())


def _best_by_brute_force(found, truth, tolerance):
    best = (0, 0.0)
    distance = np.linalg.norm(found[:, None] - truth[None], axis=-1)
    for size in range(1, min(len(found), len(truth)) + 1):
        for rows in itertools.combinations(range(len(found)), size):
            for columns in itertools.permutations(range(len(truth)), size):
                d = distance[list(rows), list(columns)]
                if (d <= tolerance).all():
                    best = max(best, (size, -d.sum()))
    return best


def test_it_is_optimal_where_all_matchings_can_be_tried():
    random = np.random.default_rng(3)
    for _ in range(60):
        found, truth = random.uniform(0, 3, (4, 2)), random.uniform(0, 3, (5, 2))
        result = match(found, truth, 1.0)
        size, cost = _best_by_brute_force(found, truth, 1.0)
        assert len(result) == size
        assert -result.distance.sum() == pytest.approx(cost)


def test_more_pairs_win_over_shorter_ones():
    result = match([[0.0, 0.9], [0.0, 0.0]], [[0.0, 1.0], [0.0, 1.85]], 1.0)
    assert list(zip(result.found, result.truth, strict=True)) == [(0, 1), (1, 0)]


def test_a_distance_equal_to_the_tolerance_counts():
    assert len(match([[0, 0]], [[0.6, 0.8]], 1.0)) == 1
    assert len(match([[0, 0]], [[0.6, 0.8]], 0.999)) == 0


def test_optional_points_are_neither_missed_nor_make_a_found_point_false():
    truth = [[5.0, 5.0], [0.2, 5.0], [9.0, 9.0]]
    result = match([[5.1, 5.0], [0.0, 5.0]], truth, 1.0, optional=[False, True, True])
    assert list(result.found) == [0]
    assert list(result.ignored) == [1]
    assert len(result.missed) == len(result.false) == 0


def test_a_required_point_goes_before_an_optional_one():
    result = match([[0.0, 0.0]], [[0.0, 0.1], [0.0, 0.9]], 1.0, optional=[True, False])
    assert list(result.truth) == [1]
    assert len(result.ignored) == 0


@settings(deadline=None, max_examples=150)
@given(POINTS, POINTS, TOLERANCES, st.integers(0, 2**9 - 1))
def test_growing_matches_agree_with_match_at_every_length(found, truth, tolerance, bits):
    optional = np.array([bool(bits >> i & 1) for i in range(len(truth))], bool)
    right, ignored = growing_matches(found, truth, tolerance, optional=optional)
    for n in range(1, len(found) + 1):
        result = match(found[:n], truth, tolerance, optional=optional)
        assert right[n - 1] == len(result)
        assert ignored[n - 1] == len(result.ignored)


def test_bad_points_and_tolerances_are_refused():
    with pytest.raises(ValueError, match="finite"):
        match([[np.nan, 0.0]], [[0, 0]], 1.0)
    with pytest.raises(ValueError, match="shape"):
        match([[1.0, 2.0, 3.0]], [[0, 0]], 1.0)
    with pytest.raises(ValueError, match="tolerance"):
        match([[0, 0]], [[0, 0]], 0.0)


def _cells_of_the_assignments(count: int, side: float, monkeypatch) -> int:
    """Elements of all cost matrices that a matching of `count` points in a square solves."""
    import scipy.optimize

    solve, cells = scipy.optimize.linear_sum_assignment, []

    def counted(cost):
        cells.append(cost.size)
        return solve(cost)

    random = np.random.default_rng(0)
    truth = random.uniform(0, side, (count, 2))
    found = truth + random.normal(0, 0.3, truth.shape)
    with monkeypatch.context() as patch:
        patch.setattr(scipy.optimize, "linear_sum_assignment", counted)
        assert len(match(found, truth, 1.0)) > 0.94 * count
    return sum(cells)


def test_the_work_of_a_matching_grows_with_the_number_of_points_and_not_with_its_square(monkeypatch):
    few = _cells_of_the_assignments(1250, 256, monkeypatch)
    many = _cells_of_the_assignments(5000, 512, monkeypatch)
    assert 0 < many < 6 * few, "four times the points at the same density"
