import warnings

import numpy as np
import pytest
from scipy import ndimage

from friedel.benchmark.scenes import scene
from friedel.errors import FriedelWarning
from friedel.pipeline import detect
from friedel.prepare.background import level
from friedel.prepare.scan_registration import find_shifts, shifted_back
from friedel.scoring.matching import match
from friedel.settings import PrepareSettings

ATOMS = np.random.default_rng(1).uniform(6, 90, (30, 2))
K = (0.70, 0.75, 0.80)  # rad/px


def scans(moves, noise, seed=0, atoms=ATOMS):
    """Maps of rings with another wavevector each, moved as a whole between the scans."""
    random = np.random.default_rng(seed)
    grid = np.moveaxis(np.indices((96, 96)), 0, -1)
    maps = []
    for k, move in zip(K, moves, strict=True):
        places = atoms + np.array(move) if len(atoms) else np.full((1, 2), 1e6)
        r = np.linalg.norm(grid[:, :, None] - places, axis=-1)
        waves = (np.sin(2 * k * r + 0.4) / (1 + r) + 1.5 * np.exp(-(r**2))).sum(axis=2)
        scale = waves.std() if len(atoms) else 1.0
        maps.append(waves / scale + noise * random.normal(size=waves.shape))
    return np.array(maps)


@pytest.mark.parametrize("noise", [0.0, 0.8])
@pytest.mark.parametrize("size", [0.3, 1.0, 2.7, 6.0])
def test_planted_shifts_are_recovered(size, noise):
    moves = np.array([(0, 0), (0.6 * size, -0.8 * size), (-size, 0.0)])
    found = find_shifts(scans(moves, noise))
    assert found.known.all()
    assert np.abs(found.shift - moves).max() < 0.2


def test_scans_that_lie_on_each_other_are_not_moved():
    for seed in range(3):
        found = find_shifts(scans(np.zeros((3, 2)), 0.8, seed))
        assert found.known.all()
        assert not found.shift.any()
        assert "lie on each other" in found.step().sentence


def test_maps_without_any_waves_are_not_moved():
    for seed in range(3):
        found = find_shifts(scans(np.zeros((3, 2)), 1.0, seed, atoms=np.zeros((0, 2))))
        assert not found.shift.any()
        assert found.unknown_share == 1


def test_a_lattice_that_fits_at_many_shifts_moves_nothing():
    y, x = np.indices((96, 96))
    lattice = np.cos(2 * np.pi * x / 6) + np.cos(2 * np.pi * y / 6)
    maps = np.array([lattice, np.roll(lattice, 2, axis=1), lattice])
    assert not find_shifts(maps + 0.1 * np.random.default_rng(0).normal(size=maps.shape)).shift.any()


def test_shifting_back_gives_the_first_frame_and_knows_nothing_beyond_the_border():
    moves = np.array([(0, 0), (3.0, 0.0), (0.0, -2.5)])
    maps = scans(moves, 0.0)
    back = shifted_back(maps, find_shifts(maps))
    assert np.isnan(back[1][-3:]).all()
    assert np.isfinite(back[1][1:90, 1:-1]).all()
    inner = np.s_[10:80, 10:80]
    still = scans(np.zeros((3, 2)), 0.0)
    assert np.corrcoef(back[1][inner].ravel(), still[1][inner].ravel())[0, 1] > 0.98


def _drifted():
    """Five voltages of Ag(111) whose later maps have drifted by up to 4 px."""
    field = scene("ag111").field(3)
    stack = field.stack.copy(deep=True)
    for index, move in enumerate(np.linspace(0, 4, stack.sizes["bias"])):
        plane = stack["LockinX"].values[index]
        stack["LockinX"].values[index] = ndimage.shift(plane, (move, -0.5 * move), order=3, mode="reflect")
    return field, stack


def right(field, stack, **keywords):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FriedelWarning)
        found = detect(stack, dispersion=field.dispersion, refit="none", **keywords)
    truth, optional = field.truth()
    return len(match(found.positions, truth, 1.0, optional=optional)), found


def test_separate_scans_are_registered_and_maps_of_one_grid_never():
    field, stack = _drifted()
    grid, as_grid = right(field, stack)
    stack.attrs["separate_scans"] = 1
    off, _ = right(field, stack, prepare=PrepareSettings(register_scans=False))
    on, found = right(field, stack)
    assert "registration" not in [step["name"] for step in as_grid.provenance["prepare"]]
    assert grid == off
    assert on > off + 5
    told = {step["name"]: step["amount"] for step in found.provenance["prepare"]}
    assert told["registration"] == pytest.approx(np.hypot(4, 2), abs=0.6)
    assert "scans" in [check.name for check in found.checks]


def test_levelled_maps_are_what_is_compared():
    moves = np.array([(0, 0), (1.5, 0.5), (2.0, 2.0)])
    maps = scans(moves, 0.3) + 0.2 * np.arange(96)
    assert np.abs(find_shifts(level(maps)).shift - moves).max() < 0.25
