"""The maps against the independent exact simulator, and every derivative against finite differences."""

from dataclasses import replace

import numpy as np
import pytest

from friedel.benchmark import t_matrix_exact as exact
from friedel.physics.optical_paths import OpticalPaths, Ripple, by_ripples
from friedel.physics.t_matrix_jacobian import SHARED, Scattering, Waves

N = 12
RIPPLE = Ripple(0.03, 0.02, (0.3, 0.35))
K = 0.8 + 0.01j


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 30, (N, 2))
    amplitude = (0.8 * np.exp(2j * rng.uniform(0, np.pi, N)) - 1) / 2
    place = rng.uniform(0, 30, (600, 2))
    away = np.hypot(*(place[:, None] - points).transpose(2, 0, 1)).min(axis=1)
    return place[away > 1.5], points, amplitude


def _waves(place, points, amplitude, k=K, ripple=RIPPLE):
    away = OpticalPaths(place, points, ripple)
    return Waves(
        away, Scattering(OpticalPaths(points, points, ripple), k, amplitude, float(away.length.max()))
    )


@pytest.mark.parametrize("ripple", [Ripple(), RIPPLE])
def test_maps_agree_with_the_exact_simulator(scene, ripple):
    place, points, amplitude = scene
    phase = float(np.arctan2(-ripple.sine, ripple.cosine))
    other = exact.Ripple(ripple.amplitude, ripple.q, phase)
    away = exact.Places(exact.distances(place, points, other))
    expected = exact.scattered(away, exact.distances(points, points, other), K, amplitude)
    found = _waves(place, points, amplitude, ripple=ripple).density
    assert np.abs(found - expected).max() < 0.02 * expected.std()


def _slope(make, step):
    return (make(step).density.astype(float) - make(-step).density) / (2 * step)


def _close(column, expected):
    return np.abs(column - expected).max() < 0.02 * np.abs(expected).max()


def test_derivatives_by_positions_and_amplitudes(scene):
    place, points, amplitude = scene
    columns = _waves(place, points, amplitude).derivative()
    assert columns.shape == (len(place), 4 * N)
    for a in (0, N - 1):
        one = np.zeros(N)
        one[a] = 1
        for axis in (0, 1):
            move = np.zeros((N, 2))
            move[a, axis] = 1
            by = _slope(lambda h, move=move: _waves(place, points + h * move, amplitude), 0.02)
            assert _close(columns[:, axis * N + a], by)
        real = _slope(lambda h, one=one: _waves(place, points, amplitude + h * one), 0.02)
        imaginary = _slope(lambda h, one=one: _waves(place, points, amplitude + 1j * h * one), 0.02)
        assert _close(columns[:, 2 * N + a], real)
        assert _close(columns[:, 3 * N + a], imaginary)


def test_held_positions_leave_the_other_columns_as_they_are(scene):
    waves = _waves(*scene)
    assert (waves.derivative(SHARED, positions=False) == waves.derivative(SHARED)[:, 2 * N :]).all()


def test_derivatives_by_shared_parameters(scene):
    place, points, amplitude = scene
    columns = _waves(place, points, amplitude).derivative(SHARED)[:, 4 * N :]
    changes = {
        "k": (lambda h: {"k": K + h}, 2e-3),
        "im_k": (lambda h: {"k": K + 1j * h}, 2e-3),
        "cosine": (lambda h: {"ripple": replace(RIPPLE, cosine=RIPPLE.cosine + h)}, 2e-3),
        "sine": (lambda h: {"ripple": replace(RIPPLE, sine=RIPPLE.sine + h)}, 2e-3),
        "q_row": (lambda h: {"ripple": replace(RIPPLE, q=(RIPPLE.q[0] + h, RIPPLE.q[1]))}, 5e-3),
        "q_column": (lambda h: {"ripple": replace(RIPPLE, q=(RIPPLE.q[0], RIPPLE.q[1] + h))}, 5e-3),
    }
    for column, name in zip(columns.T, SHARED, strict=True):
        change, step = changes[name]
        by = _slope(lambda h, change=change: _waves(place, points, amplitude, **change(h)), step)
        # ∂h/∂k is L/k times the slope along L: columns are per relative change of k.
        scale = K.real if name in ("k", "im_k") else 1.0
        assert _close(column, scale * by), name


def test_changes_by_ripples_along_the_direct_ways_alone(scene):
    place, points, amplitude = scene
    waves = _waves(place, points, amplitude, ripple=Ripple())
    waves_q = np.array([[0.2, -0.4], [0.3, 0.1]])
    found = by_ripples([waves.stretch], place, points, waves_q)[0]
    for i, q in enumerate(waves_q):
        away = OpticalPaths(place, points, Ripple(1e-9, 0.0, tuple(q)))
        for j, name in enumerate(("cosine", "sine")):
            expected = waves.along([(away.by(name), np.zeros((N, N)))])[:, 0].real
            difference = np.abs(
                found[:, 2 * i + j] - expected
            )  # a few ways along the wave fronts are left out
            assert np.percentile(difference, 97) < 0.01 * np.abs(expected).max(), name


def test_a_further_weak_scatterer_changes_the_map_by_its_dressed_wave_squared(scene):
    place, points, amplitude = scene
    further, weak = np.array([[3.3, -7.1], [12.2, 9.4]]), 1e-3 * np.array([1.0, 1j])
    waves = _waves(place, points, amplitude)
    away = OpticalPaths(place.astype(np.float32), further.astype(np.float32), RIPPLE)
    reached = waves.dressed_waves_at(away, OpticalPaths(points, further, RIPPLE))
    for one, s, wave in zip(further, weak, reached.T, strict=True):
        with_it = _waves(place, np.vstack([points, one]), np.append(amplitude, s)).density
        change = (with_it - waves.density) / 1e-3
        expected = (s / 1e-3 * wave**2).real
        assert np.abs(change - expected).max() < 0.02 * np.abs(expected).max()
