"""A planted herringbone is found with its direction, size and phase; where there is none, none is found."""

import numpy as np
import pytest

from friedel.physics.optical_paths import OpticalPaths, Ripple
from friedel.physics.t_matrix_jacobian import Scattering, Waves
from friedel.progress import drain
from friedel.refit.bias_binning import BinnedMaps
from friedel.refit.herringbone import iter_ripple
from friedel.refit.joint_fit.data import FitData
from friedel.refit.joint_fit.state import FitState
from friedel.refit.joint_fit.step import begin, guess_amplitudes, step, update_weights
from friedel.stack import normalise

#: Side of the field [px], wavevector [rad/px] and relative amplitude of the herringbone.
SIZE, Q, AMPLITUDE = 64, 0.47, 0.045
K = np.linspace(0.66, 0.9, 8) + 0.01j


def _fit(ripple: Ripple) -> tuple[FitData, FitState]:
    """A field with this ripple, fitted without one: amplitudes only."""
    rng = np.random.default_rng(1)
    points = rng.uniform(2, SIZE - 3, (20, 2))
    amplitude = (0.8 * np.exp(2j * rng.uniform(0, np.pi, len(points))) - 1) / 2
    place = np.argwhere(np.ones((SIZE, SIZE), bool)).astype(float)
    away = OpticalPaths(place, points, ripple)
    between, reach = OpticalPaths(points, points, ripple), float(away.length.max())
    maps = np.stack([Waves(away, Scattering(between, k, amplitude, reach)).density for k in K])
    maps = maps / maps.std(axis=1, keepdims=True) + rng.normal(0, 0.5, maps.shape)
    near = np.full(len(points), 0.3)
    binned = BinnedMaps.unbinned(normalise(maps.reshape(-1, SIZE, SIZE)), K)
    data = FitData.from_maps(binned, np.ones((SIZE, SIZE), bool))
    state = begin(data, points, near)
    guess_amplitudes(data, state)
    for _ in range(3):
        update_weights(data, state)
        step(data, state, positions=False)
    return data, state


@pytest.mark.parametrize("degrees", [24, 45, 178.5])  # one that is tried, one between two, one before the end
def test_a_planted_herringbone(degrees):
    angle, phase = np.radians(degrees), 0.7
    q = (Q * np.sin(angle), Q * np.cos(angle))
    found = drain(iter_ripple(*_fit(Ripple(AMPLITUDE * np.cos(phase), AMPLITUDE * np.sin(phase), q)), Q))
    assert found is not None
    # A direction and its opposite are one: bring the found one next to the planted one.
    sign = 1 if np.dot(found.q, q) > 0 else -1
    turned = np.degrees(np.arctan2(*(sign * np.array(found.q))) - angle)
    assert abs((turned + 180) % 360 - 180) < 1.5
    assert 0.6 * AMPLITUDE < found.amplitude < 1.3 * AMPLITUDE
    middle = np.full(2, (SIZE - 1) / 2)
    there = complex(found.cosine, -sign * found.sine) * np.exp(1j * sign * np.dot(found.q, middle))
    planted = np.exp(1j * (np.dot(q, middle) - phase))
    assert abs(np.angle(there / planted)) < 0.5


def test_no_herringbone_where_there_is_none():
    assert drain(iter_ripple(*_fit(Ripple()), Q)) is None
