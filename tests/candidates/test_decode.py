"""Claims: two impurities in neighbouring pixels stay two, one between two pixels stays one."""

import numpy as np

from friedel.candidates.decode import claims


def _field(points, size=12):
    """S and offsets of an ideal network: every pixel points at the nearest impurity, S falls with the distance."""
    grid = np.stack(np.mgrid[:size, :size], -1).astype(float)
    gap = np.asarray(points, dtype=float)[:, None, None] - grid
    nearest = np.hypot(gap[..., 0], gap[..., 1]).argmin(axis=0)
    offset = np.take_along_axis(gap, nearest[None, ..., None], axis=0)[0].transpose(2, 0, 1)
    return 3 - 4 * np.hypot(*offset), np.clip(offset, -1.5, 1.5)


def test_positions_are_exact_to_a_fraction_of_a_pixel():
    truth = np.array([[3.3, 4.8], [9.0, 1.4]])
    _, positions = claims(*_field(truth), floor=0)
    np.testing.assert_allclose(positions[np.argsort(positions[:, 0])], truth)


def test_a_pair_in_diagonal_neighbours_stays_a_pair():
    s, offset = _field([[5.0, 5.0], [6.1, 6.1]])
    pixels, _ = claims(s, offset, floor=0)
    assert sorted(map(tuple, pixels)) == [(5, 5), (6, 6)]


def test_an_impurity_between_two_pixels_is_found_once():
    _, positions = claims(*_field([[5.5, 5.0]]), floor=0)
    np.testing.assert_allclose(positions, [[5.5, 5.0]])


def test_unknown_pixels_claim_nothing():
    s, offset = _field([[5.0, 5.0]])
    s[4:7, 4:7] = np.nan
    pixels, positions = claims(s, offset, floor=0)
    assert len(pixels) == 0 and positions.shape == (0, 2)
