"""Which maps and pixels an iteration of a refit uses."""

import numpy as np
import pytest

from friedel.refit.schedules import FULL, QUICK, Iteration

PIXELS = np.argwhere(np.ones((24, 20), bool)).astype(float)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_a_pixel_stride_uses_its_share_and_all_pixels_in_turn(stride):
    subsets = [Iteration(4, pixel_stride=stride).subset(number, 8, PIXELS)[1] for number in range(4)]
    for chosen in subsets:
        assert chosen.sum() == len(PIXELS) / stride
    assert np.any(subsets, axis=0).all()


@pytest.mark.parametrize("count", [1, 3, 5, 8, 16])
def test_every_map_is_used_in_turn(count):
    subsets = [Iteration(4).subset(number, count, PIXELS)[0] for number in range(4)]
    assert set(np.concatenate(subsets)) == set(range(count))
    assert all(min(count, 4) <= len(maps) < 8 for maps in subsets)


def test_as_many_maps_as_there_are_are_all_used():
    maps, chosen = Iteration(16).subset(3, 16, PIXELS)
    assert maps.tolist() == list(range(16)) and chosen.all()


@pytest.mark.parametrize("schedule", [QUICK, FULL])
def test_the_last_iteration_fits_positions_and_adds_nothing(schedule):
    last = schedule.iterations[-1]
    assert last.positions and not last.search and not last.ripple and not last.prune


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("stride", [2, 4])
def test_a_raster_of_which_every_second_line_is_missing_has_pixels_in_every_subset(axis, stride):
    there = PIXELS[PIXELS[:, axis] % 2 == 1]
    subsets = [Iteration(4, pixel_stride=stride).subset(number, 8, there)[1] for number in range(4)]
    assert all(chosen.sum() >= len(there) // (2 * stride) for chosen in subsets)
    assert np.any(subsets, axis=0).all()
