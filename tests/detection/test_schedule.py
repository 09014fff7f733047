"""Which maps and pixels a turn of a refit looks at."""

import numpy as np
import pytest

from friedel.detection.schedule import FULL, QUICK, Turn

PIXELS = np.argwhere(np.ones((24, 20), bool)).astype(float)


@pytest.mark.parametrize("sieve", [1, 2, 4])
def test_a_sieve_lets_its_share_through_and_all_pixels_in_turn(sieve):
    turns = [Turn(4, sieve=sieve).choose(number, 8, PIXELS)[1] for number in range(4)]
    for chosen in turns:
        assert chosen.sum() == len(PIXELS) / sieve
    assert np.any(turns, axis=0).all()


@pytest.mark.parametrize("count", [1, 3, 5, 8, 16])
def test_every_map_is_looked_at_in_turn(count):
    turns = [Turn(4).choose(number, count, PIXELS)[0] for number in range(4)]
    assert set(np.concatenate(turns)) == set(range(count))
    assert all(min(count, 4) <= len(maps) < 8 for maps in turns)


def test_turns_of_as_many_maps_as_there_are_look_at_all():
    maps, chosen = Turn(16).choose(3, 16, PIXELS)
    assert maps.tolist() == list(range(16)) and chosen.all()


@pytest.mark.parametrize("schedule", [QUICK, FULL])
def test_the_last_turn_fits_positions_and_adds_nothing(schedule):
    last = schedule.turns[-1]
    assert last.positions and not last.hidden and not last.ripple and not last.prune
