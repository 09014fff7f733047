"""The bound of the amplitudes from the exact simulator: its derivatives, its scaling, what it cannot know."""

from dataclasses import replace

import numpy as np
import pytest

from friedel.benchmark.amplitude_bound import _changes, _projected, amplitude_bound
from friedel.benchmark.settings import Setting
from friedel.benchmark.synthetic import make_synthetic
from friedel.physics.optical_paths import OpticalPaths, Ripple
from friedel.physics.t_matrix_jacobian import Scattering, Waves

SMALL = Setting(
    shape=(24, 24),
    bias_mv=(-230.0, -100.0, 20.0),
    impurities=4,
    noise=0.1,
    jitter_pm=0.0,
    herringbone=False,
    cores="replaced",
    margin_nm=1.0,
)


@pytest.fixture(scope="module")
def field():
    return make_synthetic(SMALL, 2)


def test_the_differences_are_the_derivatives_that_the_fit_writes_out(field):
    """Two codes that share nothing; they differ in how they damp, by a few per cent close to a scatterer."""
    points, k = field.scatterers.position, field.k[1]
    away = np.stack(np.meshgrid(np.arange(0.25, 24), np.arange(0.25, 24), indexing="ij"), -1).reshape(-1, 2)
    place = away[np.min(np.hypot(*(away[:, None] - points).transpose(2, 0, 1)), axis=1) > 1.5]
    _, found = _changes(field, place, np.arange(len(points)), 1)
    between = OpticalPaths(points, points, Ripple())
    waves = Waves(
        OpticalPaths(place.astype(np.float32), points.astype(np.float32), Ripple()),
        Scattering(between, k, field.amplitude[1], 60.0),
    )
    expected = waves.derivative()
    size = np.sqrt((expected**2).mean(axis=0))
    assert (np.sqrt(((found - expected) ** 2).mean(axis=0)) < 0.04 * size).all()


def test_offsets_and_the_scale_of_a_map_say_nothing_of_an_amplitude():
    rows = np.repeat(np.arange(5), 4)
    random = np.random.default_rng(0)
    density, other = random.normal(size=20), random.normal(size=20)
    offset = np.repeat(random.normal(size=5), 4)
    left = _projected(np.column_stack([3 * density + offset, other]), density, rows)
    assert left[:, 0] == pytest.approx(np.zeros(20), abs=1e-12)
    centred = density - np.repeat(density.reshape(5, 4).mean(axis=1), 4)
    assert left[:, 1] @ centred == pytest.approx(0, abs=1e-12)
    assert left[:, 1].reshape(5, 4).sum(axis=1) == pytest.approx(np.zeros(5), abs=1e-12)


def test_twice_the_noise_is_twice_the_bound(field):
    inside = [amplitude_bound(one) for one in (field, replace(field, noise=2 * field.noise))]
    sigma = [np.sqrt(np.diagonal(one.covariance, axis1=1, axis2=2))[:, :2] for one in inside]
    here = (
        (field.scatterers.position[inside[0].index] > 2) & (field.scatterers.position[inside[0].index] < 21)
    ).all(1)
    assert here.any()
    assert sigma[1][here] == pytest.approx(2 * sigma[0][here], rel=0.05)
    assert inside[0].coefficients[:, 0] == pytest.approx(field.amplitude[1][inside[0].index], abs=0.08)
