"""Periodic structures: found as spots of the Fourier transform, subtracted, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import j0

from friedel.prepare.background import level
from friedel.prepare.periodic import _refined, search_periodic, telling, waves_of
from friedel.prepare.run import clean
from friedel.settings import PrepareSettings

ROWS, COLUMNS = np.mgrid[:80, :72]


def plane_waves(*q: tuple[float, float]) -> np.ndarray:
    """Sum of plane waves of these wavevectors [rad/px]."""
    return sum(np.sqrt(2) * np.cos(a * ROWS + b * COLUMNS + 0.7) for a, b in q)


def rings(count: int, random: np.random.Generator, k: np.ndarray) -> np.ndarray:
    """Standing waves around random points, rms 1, one map per k."""
    points, phase = random.uniform(0, 72, (count, 2)), random.uniform(0, np.pi, count)
    distance = np.hypot(*(np.stack([ROWS, COLUMNS], -1)[..., None, :] - points).transpose(3, 0, 1, 2))
    maps = np.stack([(j0(2 * kv * distance) * np.cos(phase)).sum(-1) for kv in k])
    return maps / maps.std(axis=(1, 2), keepdims=True)


def wavevectors(maps: np.ndarray) -> np.ndarray:
    """Those that are found in maps without gaps, shape (n, 2)."""
    return search_periodic(maps[telling(len(maps))], np.isfinite(maps).all(axis=0)).q


def test_lattice_is_subtracted_and_its_wavevectors_are_given():
    random = np.random.default_rng(1)
    waves = rings(30, random, np.linspace(0.6, 0.9, 6))
    true = [(0.9, 1.4), (-1.66, 0.08), (0.76, -1.48)]
    height = np.array([3.0, 2.0, 1.0, -1.0, 2.0, 3.0])[:, None, None]
    maps = waves + 0.5 * random.normal(size=waves.shape) + height * plane_waves(*true)
    found = wavevectors(maps)
    assert len(found) == 3
    for q in true:
        error = min(min(np.hypot(*(found - sign * np.array(q)).T)) for sign in (1, -1))
        assert error < 0.005
    left = height * plane_waves(*true) - waves_of(maps, np.isfinite(maps).all(axis=0), found)
    assert (left.std(axis=(1, 2)) < 0.25).all()


@pytest.mark.parametrize("q", [(0.0, np.pi), (np.pi, 0.7)])
def test_a_wave_of_two_pixels_to_a_period_is_subtracted(q):
    """Its sine is 0 at every pixel, and it has no derivative there."""
    random = np.random.default_rng(4)
    waves = rings(30, random, np.linspace(0.6, 0.9, 3))
    wave = np.cos(q[0] * ROWS + q[1] * COLUMNS)
    maps = waves + 0.3 * random.normal(size=waves.shape) + 2 * wave
    found = wavevectors(maps)
    away = np.abs(np.angle(np.exp(1j * (np.abs(found) - np.abs(q)))))
    assert (away.max(axis=1) < 0.01).any()
    known = np.isfinite(maps).all(axis=0)
    left = 2 * wave - waves_of(maps, known, found)
    assert (left.std(axis=(1, 2)) < 0.3).all()
    still = np.array([[0.0, -np.pi], [-np.pi, -np.pi], [-np.pi, 0.0]])
    step = _refined(maps, maps, still, known) - still
    assert np.abs(step).max() < 1e-3
    assert np.abs(waves_of(maps, known, still)).max() < 20


@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_waves_of_impurities_are_no_periodic_structure(count):
    random = np.random.default_rng(count)
    for k in ([0.8], np.linspace(0.6, 0.9, 8)):
        maps = rings(count, random, np.array(k))
        assert not len(wavevectors(maps + 0.3 * random.normal(size=maps.shape)))


def test_noise_a_step_edge_and_bad_lines_are_no_periodic_structure():
    random = np.random.default_rng(3)
    noise = random.normal(size=(5, 80, 72))
    side = 0.6 * ROWS - 0.8 * COLUMNS + 10
    edge = 4 * (side > 0) + np.cos(1.6 * side) / np.sqrt(np.abs(side) + 1)
    lines = noise.copy()
    lines[:, [7, 30, 31, 55]] += 25
    for maps in (noise, noise + edge, lines):
        assert not len(wavevectors(maps))


def test_clean_levels_lines_under_a_strong_lattice():
    """The median step between lines walks at random where an aliased lattice is stronger than the rest."""
    random = np.random.default_rng(4)
    rest = random.normal(size=(3, 80, 72))
    maps = rest + 6 * plane_waves((2.84, 1.30), (1.09, -2.65), (1.75, -2.33))
    assert level(maps).std() > 1.5 * maps.std()
    assert clean(maps, PrepareSettings()).maps.std() == pytest.approx(1.0, abs=0.1)
    kept = clean(maps, PrepareSettings(periodic=False, row_offsets=False))
    assert kept.maps.std() == pytest.approx(maps.std(), rel=0.05)


def test_values_that_were_filled_in_stay_out_of_the_fit():
    random = np.random.default_rng(5)
    maps = random.normal(size=(4, 80, 72)) + 3 * plane_waves((0.9, 1.4))
    maps[:, 60:] = 0
    done = clean(maps, PrepareSettings())
    assert any(step.name == "constant" for step in done.steps)
    assert np.isnan(done.maps[:, 64:]).all()
    assert np.nanstd(done.maps) == pytest.approx(1.0, abs=0.1)
