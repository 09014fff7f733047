import numpy as np
import pytest

from friedel.benchmark.confounders import confounded
from friedel.prepare.run import clean, flatten
from friedel.prepare.terraces import find_terraces, level_terraces
from friedel.settings import PrepareSettings

ROWS, COLUMNS = np.indices((80, 80), dtype=float)
MAPS = 6


def waves(seed=0, noise=0.3):
    """Maps of rings around twenty points, standard deviation 1."""
    random = np.random.default_rng(seed)
    atoms = random.uniform(0, 80, (20, 2))
    r = np.hypot(ROWS[..., None] - atoms[:, 0], COLUMNS[..., None] - atoms[:, 1])
    maps = [(np.sin(2 * k * r) / np.sqrt(1 + r)).sum(axis=2) for k in np.linspace(0.6, 0.9, MAPS)]
    return np.array([one / one.std() + noise * random.normal(size=one.shape) for one in maps])


def side(angle, offset):
    """Pixels beyond a straight edge."""
    return ROWS * np.sin(angle) + COLUMNS * np.cos(angle) > offset


@pytest.mark.parametrize("height", [6.0, 20.0, -8.0])
@pytest.mark.parametrize("angle", [0.2, 1.3])
def test_two_terraces_are_found_and_levelled(height, angle):
    upper = side(angle, 45)
    maps = waves() + height * upper
    terraces = find_terraces(maps)
    assert terraces.count == 2
    inside = terraces.label > 0
    assert 0.02 < 1 - inside.mean() < 0.12
    number = terraces.label[upper & inside]
    assert (number == np.median(number)).mean() > 0.98
    levelled = level_terraces(maps, terraces)
    for one, as_it_was in zip(levelled, waves(), strict=True):
        step = np.median(one[upper & inside]) - np.median(one[~upper & inside])
        assert abs(step) < 0.1
        assert np.corrcoef(one[inside], as_it_was[inside])[0, 1] > 0.95


def test_three_terraces_are_told_apart():
    maps = waves() + 8.0 * side(0.4, 30) + 8.0 * side(0.4, 62)
    assert find_terraces(maps).count == 3


@pytest.mark.parametrize("seed", range(4))
def test_waves_have_no_terraces(seed):
    assert find_terraces(waves(seed)).count == 1
    assert find_terraces(waves(seed, noise=2.0)).count == 1


def test_patterns_and_tilts_have_no_terraces():
    pattern = 4 * np.sign(np.sin(2 * np.pi * COLUMNS / 7) + 0.01)
    for more in (pattern, 0.3 * COLUMNS, 20 * np.exp(-((ROWS - 40) ** 2 + (COLUMNS - 40) ** 2) / 30)):
        assert find_terraces(waves() + more).count == 1


def test_noise_alone_and_constant_maps_have_no_terraces():
    assert find_terraces(np.random.default_rng(0).normal(size=(5, 80, 80))).count == 1
    assert find_terraces(np.zeros((3, 80, 80))).count == 1


def test_the_preparation_says_what_it_levelled_and_can_be_told_not_to():
    field = confounded("terraces", "strong", 0)
    values = field.stack["LockinX"].values
    k = field.band.k(field.stack["bias"].to_numpy())
    pitch = 2 * (float(field.stack["x"][1] - field.stack["x"][0]),)
    told = {}
    for on in (True, False):
        settings = PrepareSettings(terraces=on)
        told[on] = [step.name for step in flatten(clean(values, settings), k, pitch, settings).steps]
    assert "terraces" in told[True]
    assert "terraces" not in told[False]
