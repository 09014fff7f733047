"""What is worked out at a few pixels is what the whole map would give."""

import numpy as np
import pytest
from scipy import ndimage

from friedel.prepare.blur import MATRIX_PX, blur, blur_at
from friedel.prepare.gaps import fill_gaps, nearest_known
from friedel.prepare.local_median import local_median

SHAPES = [(1, 1), (5, 7), (40, 41), (MATRIX_PX + 30, 90)]


def with_gaps(shape, kind):
    random = np.random.default_rng(7)
    out = random.normal(size=(2, *shape))
    if kind == "pixels":
        out[:, random.random(shape) < 0.02] = np.nan
    elif kind == "dense":
        out[random.random(out.shape) < 0.5] = np.nan
    elif kind == "block and line":
        out[:, 3:12, 2:9] = np.nan
        out[1, shape[0] // 2] = np.nan
    elif kind == "many blocks":
        out[:, ::9] = out[:, 1::9] = out[:, 2::9] = np.nan
    return out


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["none", "pixels", "dense", "block and line", "many blocks"])
def test_nearest_known_is_that_of_the_distance_transform(shape, kind):
    for plane, found in zip(maps := with_gaps(shape, kind), nearest_known(maps), strict=True):
        unknown = np.isnan(plane)
        at = ndimage.distance_transform_edt(unknown, return_distances=False, return_indices=True)
        np.testing.assert_array_equal(found, np.zeros(shape) if unknown.all() else plane[tuple(at)])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sigma", [0.8, 3.0, 12.0])
def test_blur_is_the_gaussian_filter_of_known_values_over_that_of_their_share(shape, sigma):
    for maps in (with_gaps(shape, "none"), with_gaps(shape, "pixels")):
        known = np.isfinite(maps)
        smooth = [
            ndimage.gaussian_filter(one, (0, sigma, sigma), mode="reflect")
            for one in (np.where(known, maps, 0), known.astype(float))
        ]
        with np.errstate(invalid="ignore", divide="ignore"):
            expected = np.where(smooth[1] > 1e-6, smooth[0] / smooth[1], np.nan)
        np.testing.assert_allclose(blur(maps, sigma), expected, atol=1e-10)
        np.testing.assert_allclose(blur(maps, sigma, known.astype(float)), expected, atol=1e-10)


def test_blur_at_some_pixels_is_the_blur_of_the_map():
    plane = with_gaps((60, 70), "pixels")[0]
    at = np.array([0, 69, 1234, 60 * 70 - 1])
    np.testing.assert_allclose(blur_at(plane, 1.5, at), blur(plane[None], 1.5)[0].ravel()[at], atol=1e-12)


def test_a_gap_is_filled_the_same_whatever_else_is_missing_far_away():
    """Each gap depends on its surroundings alone."""
    one = with_gaps((90, 90), "none")
    one[:, 20:22, 30] = np.nan
    other = one.copy()
    other[:, 60:75, 50:80:3] = np.nan
    for reach in (1.0, 2.0, 3.5):
        filled, again = fill_gaps(one, reach), fill_gaps(other, reach)
        np.testing.assert_array_equal(filled[:, :50], again[:, :50])
        assert np.isfinite(filled).all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 2), (1, 5, 5), (2, 40, 41), (1, 3000, 3)])
@pytest.mark.parametrize("values", ["continuous", "ties"])
def test_local_median_is_that_of_the_rank_filter(shape, values):
    random = np.random.default_rng(0)
    maps = random.normal(size=shape) if values == "continuous" else random.integers(0, 3, shape).astype(float)
    np.testing.assert_array_equal(
        local_median(maps), ndimage.median_filter(maps, size=(1, 5, 5), mode="nearest")
    )


def test_local_median_of_every_arrangement_of_two_values_in_a_window():
    """A network of comparisons that is right for zeros and ones is right for all numbers; a sample of the 2²⁵."""
    random = np.random.default_rng(1)
    windows = (random.random((4000, 5, 5)) < random.uniform(0.3, 0.7, (4000, 1, 1))).astype(float)
    found = local_median(windows)[:, 2, 2]
    np.testing.assert_array_equal(found, np.median(windows.reshape(4000, 25), axis=1))
