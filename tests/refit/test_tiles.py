"""The tiles of a refit."""

import numpy as np
import pytest

from friedel.refit.schedules import FULL, QUICK
from friedel.refit.tiles import tiling


@pytest.mark.parametrize("schedule", [QUICK, FULL])
@pytest.mark.parametrize("shape", [(200, 200), (131, 517), (400, 30), (1024, 1024)])
def test_tiles_cover_the_field(schedule, shape):
    seen = np.zeros(shape, bool)
    corners, size = tiling(shape, schedule)
    for row, column in corners:
        seen[row : row + size[0], column : column + size[1]] = True
    assert seen.all()
    assert (size <= schedule.tile_px + 3).all()


@pytest.mark.parametrize("schedule", [QUICK, FULL])
def test_a_small_field_is_one_tile(schedule):
    corners, size = tiling((80, 71), schedule)
    assert corners == [(0, 0)]
    assert size.tolist() == [80, 71]


def test_tiles_use_the_pixels_that_the_whole_field_would_use():
    shape = (150, 170)
    field = np.argwhere(np.ones(shape, bool))
    corners, size = tiling(shape, QUICK)
    assert len(corners) == 4
    for number, iteration in enumerate(QUICK.iterations):
        whole = iteration.subset(number, 8, field)[1].reshape(shape)
        for row, column in corners:
            part = whole[row : row + size[0], column : column + size[1]]
            pixels = np.argwhere(np.ones(part.shape, bool))
            chosen = iteration.subset(number, 8, pixels)[1].reshape(part.shape)
            np.testing.assert_array_equal(chosen, part)
