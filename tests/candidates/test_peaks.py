import numpy as np
import pytest

from friedel._util.local_maxima import local_maxima
from friedel.candidates.peaks import candidates, refine


def bumps(points, shape=(30, 40), width=1.5):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return sum(np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / (2 * width**2)) for r, c in points)


POINTS = np.array([[5.3, 7.6], [14.8, 30.1], [22.45, 12.0], [25.0, 33.7]])


def test_maxima_are_found_and_refined_below_a_tenth_of_a_pixel():
    s = bumps(POINTS)
    found = refine(s, local_maxima(s))
    assert len(found) == len(POINTS)
    distance = np.linalg.norm(found[:, None] - POINTS[None], axis=-1).min(axis=1)
    assert distance.max() < 0.1


def test_a_quadratic_is_refined_exactly():
    rows, columns = np.mgrid[:7, :9]
    s = -((rows - 3.2) ** 2) - 2 * (columns - 4.4) ** 2 + 0.5 * (rows - 3.2) * (columns - 4.4)
    np.testing.assert_allclose(refine(s, local_maxima(s)), [[3.2, 4.4]], atol=1e-9)


def test_nan_is_no_maximum_and_hides_no_maximum():
    s = bumps(POINTS)
    s[4, 7] = np.nan
    s[:, 0] = np.nan
    found = local_maxima(s)
    assert np.isfinite(s[tuple(found.T)]).all()
    assert len(found) >= len(POINTS)


def test_a_plateau_gives_one_point_and_a_flat_map_none():
    s = np.zeros((9, 9))
    assert len(local_maxima(s)) == 0
    s[4:6, 4:6] = 1
    assert len(local_maxima(s)) == 1
    assert len(local_maxima(np.full((5, 5), np.nan))) == 0


def test_min_distance_keeps_the_stronger():
    s = bumps([(10, 10)]) + 0.7 * bumps([(10, 14)])
    assert len(local_maxima(s)) == 2
    assert local_maxima(s, min_distance=6).tolist() == [[10, 10]]


@pytest.mark.parametrize("offset_given", [False, True])
def test_candidates_are_sorted_and_carry_sigma(offset_given):
    s = bumps(POINTS) * np.linspace(0.5, 1, 40)
    offset = np.full((2, *s.shape), 0.25) if offset_given else None
    table = candidates(s, s / s.max(), offset=offset, sigma=np.full(s.shape, 0.1))
    assert list(table.columns) == ["row", "column", "s", "probability", "sigma_px"]
    assert table["probability"].is_monotonic_decreasing
    assert (table["sigma_px"] == 0.1).all()
    if offset_given:
        np.testing.assert_allclose(table[["row", "column"]] % 1, 0.25)
