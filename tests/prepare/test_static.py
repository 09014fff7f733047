"""An image that all maps share is found and subtracted; waves, which change with the voltage, are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import hankel1

from friedel.prepare.run import clean, flatten
from friedel.prepare.static import FEW, LEAST, MOST_WAVES, find_static, subtract_static, waves_share
from friedel.settings import PrepareSettings

SHAPE, PIXEL = (72, 80), 0.47
PITCH = (PIXEL, PIXEL)
K = np.linspace(1.41, 1.91, 12)


def waves(random: np.random.Generator, k: np.ndarray = K, count: int = 40) -> np.ndarray:
    """Standing waves around random points, rms 1, one map per k [nm⁻¹]."""
    place = np.indices(SHAPE).reshape(2, -1).T * PIXEL
    points, phase = random.uniform(0, 36, (count, 2)), random.uniform(-np.pi, np.pi, count)
    distance = np.maximum(np.hypot(*(place[:, None] - points).transpose(2, 0, 1)), PIXEL)
    maps = np.array([(hankel1(0, kv * distance) ** 2 * np.exp(1j * phase)).real.sum(axis=1) for kv in k])
    maps = np.clip(maps, *np.quantile(maps, [0.02, 0.98]))
    return (maps / maps.std(axis=1, keepdims=True)).reshape(len(k), *SHAPE)


def structure(random: np.random.Generator) -> np.ndarray:
    """Walls two pixels wide, rms 1."""
    rows, columns = np.indices(SHAPE)
    walls = gaussian_filter((np.abs(rows - 2 * np.abs(columns % 24 - 12)) % 13 < 2).astype(float), 0.7)
    return (walls - walls.mean()) / walls.std() + 0.1 * random.normal(size=SHAPE)


def flat(maps: np.ndarray) -> np.ndarray:
    return np.zeros(maps.shape)


@pytest.mark.parametrize("seed", range(4))
def test_waves_are_no_static_image(seed):
    random = np.random.default_rng(seed)
    maps = waves(random) + 0.5 * random.normal(size=(len(K), *SHAPE))
    assert find_static(maps, flat(maps), K, PITCH) is None


def test_the_share_of_waves_in_one_image_follows_from_their_wavevectors():
    assert waves_share(np.full(9, 1.5), 18.0) == pytest.approx(1.0)
    # So far apart that no two maps are alike.
    assert waves_share(1.5 + np.arange(9) * 40.0, 18.0) == pytest.approx(1 / 9, abs=0.06)
    maps = waves(np.random.default_rng(5), count=60).reshape(len(K), -1)
    measured = np.linalg.eigvalsh(maps @ maps.T)[-1] / (maps**2).sum()
    assert waves_share(K, 18.0) == pytest.approx(measured, abs=0.06)


def test_a_structure_that_all_maps_share_goes_and_the_waves_stay():
    random = np.random.default_rng(2)
    only = waves(random) + 0.3 * random.normal(size=(len(K), *SHAPE))
    height = np.linspace(2.0, 4.0, len(K))[:, None, None]
    maps = only + height * structure(random)
    found = find_static(maps, flat(maps), K, PITCH)
    assert found is not None
    assert found.share > 0.75
    left = maps.copy()
    subtract_static(left, flat(maps), found)
    # The structure is gone; what goes of the waves is the share that the heights of the structure have in them.
    wall = structure(np.random.default_rng(2)).ravel()
    assert (
        abs(np.corrcoef(left.mean(axis=0).ravel(), wall)[0, 1])
        < 0.1 * np.corrcoef(maps.mean(axis=0).ravel(), wall)[0, 1]
    )
    assert (left - only).std() < 0.25 * (maps - only).std()
    assert np.corrcoef(left.ravel(), only.ravel())[0, 1] > 0.7


def test_the_answer_does_not_depend_on_gains_and_takes_gaps():
    random = np.random.default_rng(3)
    maps = waves(random) + 3 * structure(random)
    maps[:, 20:26, 30:40] = np.nan
    gains = random.uniform(0.1, 10, (len(K), 1, 1))
    one, other = (find_static(values, flat(values), K, PITCH) for values in (maps, maps * gains))
    assert one is not None
    assert other is not None
    assert other.share == pytest.approx(one.share)
    assert (one.image[20:26, 30:40] == 0).all()
    first, second = maps.copy(), maps * gains
    subtract_static(first, flat(maps), one)
    subtract_static(second, flat(maps), other)
    assert second / gains == pytest.approx(first, nan_ok=True)
    assert np.isnan(first).sum() == np.isnan(maps).sum()


def test_maps_that_waves_could_share_are_left_alone():
    random = np.random.default_rng(4)
    near = np.linspace(1.60, 1.64, len(K))
    assert waves_share(near, 18.0) > MOST_WAVES
    maps = waves(random, near) + 3 * structure(random)
    assert find_static(maps, flat(maps), near, PITCH) is None
    few = waves(random, K[: FEW - 1]) + 3 * structure(random)
    assert find_static(few, flat(few), K[: FEW - 1], PITCH) is None


def test_outliers_at_the_same_pixels_are_no_structure():
    random = np.random.default_rng(6)
    maps = waves(random) + 0.3 * random.normal(size=(len(K), *SHAPE))
    maps[:, random.integers(0, 72, 20), random.integers(0, 80, 20)] += 300
    found = find_static(maps, flat(maps), K, PITCH)
    assert found is None or found.share < LEAST


def test_the_preparation_subtracts_it_says_so_and_can_leave_it():
    random = np.random.default_rng(7)
    maps = waves(random) + 0.3 * random.normal(size=(len(K), *SHAPE)) + 3 * structure(random)
    names = {}
    for on in (True, False):
        settings = PrepareSettings(static=on, extended=False)
        done = flatten(clean(maps, settings), K, PITCH, settings)
        names[on] = [step.name for step in done.steps]
        if on:
            assert done.ring.height > 0.3
    assert "static" in names[True]
    assert "static" not in names[False]
