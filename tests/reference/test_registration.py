"""Shifts put in must come out, and maps that have nothing in common must be doubted."""

import numpy as np
import pytest
from scipy import ndimage

from friedel.errors import StackError
from friedel.reference.registration import register


def _sample(seed, size=120, smooth=2.0):
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), smooth)


def _cut(image, row, column, shape):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return ndimage.map_coordinates(image, [rows + row, columns + column], order=5)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.4, -6.7), (-12.25, 9.5)])
def test_a_shift_comes_out_below_a_pixel(shift):
    image = _sample(0)
    target = _cut(image, 20, 20, (64, 64))
    # A feature at p in the reference lies at p + shift in the target.
    reference = _cut(image, 20 + shift[0], 20 + shift[1], (64, 64))
    random = np.random.default_rng(1)
    noise = 0.3 * image.std()
    found = register(
        reference + noise * random.normal(size=(64, 64)), target + noise * random.normal(size=(64, 64))
    )
    assert (found.rows, found.columns) == pytest.approx(shift, abs=0.15)
    assert found.trusted, found.remark
    assert found.correlation > 0.7


def test_the_direction_of_the_shift_moves_points_the_right_way():
    reference, target = np.zeros((40, 40)), np.zeros((40, 40))
    for image, (row, column) in ((reference, (10, 12)), (target, (15, 9))):
        for offset in ((0, 0), (7, 11), (14, 3)):
            image[row + offset[0], column + offset[1]] = 1
    shift = register(ndimage.gaussian_filter(reference, 1), ndimage.gaussian_filter(target, 1))
    np.testing.assert_allclose(shift.apply([[10, 12]]), [[15, 9]], atol=0.05)


def test_unknown_pixels_do_not_pull_the_shift():
    image = _sample(3)
    target, reference = _cut(image, 20, 20, (64, 64)), _cut(image, 25, 17, (64, 64))
    target[:, 50:] = np.nan
    reference[:12] = np.nan
    found = register(reference, target)
    assert (found.rows, found.columns) == pytest.approx((5, -3), abs=0.1)
    assert found.trusted


def test_tilted_maps_are_levelled():
    image = _sample(5)
    target, reference = _cut(image, 20, 20, (64, 64)), _cut(image, 24, 14, (64, 64))
    rows, columns = np.mgrid[:64, :64]
    # Tilts of two scans that are far higher than anything on the surface.
    target = target + image.std() * (0.9 * rows - 0.4 * columns + 1e3)
    reference = reference + image.std() * (0.7 * rows - 0.5 * columns - 1e3)
    target[:, :9] = np.nan
    reference[50:] = np.nan
    found = register(reference, target)
    assert (found.rows, found.columns) == pytest.approx((4, -6), abs=0.1)
    assert found.trusted, found.remark


def test_shapes_may_differ():
    image = _sample(4)
    found = register(_cut(image, 30, 40, (40, 30)), _cut(image, 20, 20, (80, 64)))
    assert (found.rows, found.columns) == pytest.approx((10, 20), abs=0.1)
    assert found.trusted


def test_maps_with_nothing_in_common_are_not_trusted():
    doubts = [register(_sample(10 + seed, 64), _sample(50 + seed, 64)) for seed in range(8)]
    assert sum(not shift.trusted for shift in doubts) >= 7
    assert all(shift.remark for shift in doubts if not shift.trusted)


def test_a_periodic_pattern_is_doubted():
    column = np.arange(80)
    pattern = np.broadcast_to(np.sin(2 * np.pi * column / 10), (80, 80)) + np.sin(
        2 * np.pi * np.arange(80) / 10
    ).reshape(-1, 1)
    noise = 0.2 * np.random.default_rng(0).normal(size=(2, 80, 80))
    assert not register(pattern + noise[0], pattern + noise[1]).trusted


def test_the_largest_shift_can_be_limited():
    image = _sample(6)
    found = register(_cut(image, 35, 20, (64, 64)), _cut(image, 20, 20, (64, 64)), max_shift=5)
    assert abs(found.rows) <= 6.5
    assert not found.trusted


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((20, 20)),
        np.full((20, 20), 0.1),
        np.zeros(5),
        np.full((20, 20), np.nan),
        np.mgrid[:20, :20].sum(axis=0),
    ],
)
def test_bad_maps_are_refused_with_a_sentence(bad):
    with pytest.raises(StackError, match=r"\.$"):
        register(bad, _sample(0, 40))
