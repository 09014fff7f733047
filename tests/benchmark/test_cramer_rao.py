"""The bound's derivative against finite differences, and what is known about it."""

from dataclasses import replace

import numpy as np
import pytest

from friedel.benchmark.cramer_rao import JITTER, _slopes, isolated, position_bound
from friedel.benchmark.instrument import pixels
from friedel.benchmark.settings import Setting
from friedel.benchmark.synthetic import make_synthetic
from friedel.benchmark.t_matrix_exact import Places, distances, scattered

K = 0.78 + 0.01j


def _parts(points, shape=(40, 40), core=1.0):
    place = pixels(shape)
    place = place[distances(place, points).min(1) > core]
    return place, Places(distances(place, points)), distances(points, points)


def _information(place, points, away, between, amplitude):
    slopes = _slopes(place, points, away, between, K, amplitude)[1]
    return slopes.T @ slopes


def _sigma(points, amplitude, core=1.0):
    place, away, between = _parts(points, core=core)
    return np.sqrt(np.diag(np.linalg.inv(_information(place, points, away, between, amplitude))))


def test_the_information_is_that_of_the_full_map():
    random = np.random.default_rng(0)
    points, amplitude = random.uniform(8, 32, (5, 2)), np.full(5, 0.4j - 0.3)
    place, away, between = _parts(points)
    exact = _information(place, points, away, between, amplitude)
    step, columns = 0.02, []
    for axis in range(2):
        for a in range(5):
            sides = []
            for sign in (1, -1):
                moved = points.copy()
                moved[a, axis] += sign * step
                sides.append(
                    scattered(Places(distances(place, moved)), distances(moved, moved), K, amplitude)
                )
            columns.append((sides[0] - sides[1]) / (2 * step))
    derivative = np.stack(columns, axis=1)
    from scipy.special import hankel1

    square = hankel1(0, K * distances(place, points)) ** 2
    nuisance = np.concatenate([np.ones((len(place), 1)), square.real, square.imag], axis=1)
    derivative -= nuisance @ np.linalg.lstsq(nuisance, derivative, rcond=None)[0]
    np.testing.assert_allclose(exact, derivative.T @ derivative, atol=0.03 * np.diag(exact).max())


def test_close_pairs_are_harder():
    amplitude = np.full(2, 0.4j - 0.3)
    alone = _sigma(np.array([[20.0, 12.0], [20.0, 28.0]]), amplitude)[0]
    worse = [
        _sigma(np.array([[20.0, 20.0], [20.0, 20.0 + d]]), amplitude).max() / alone for d in (1.0, 2.0, 4.0)
    ]
    assert worse[0] > 2.5
    assert worse[0] > worse[1] > worse[2]
    assert worse[2] < 1.6


def test_the_best_linear_estimator_reaches_the_bound():
    # One step of least squares from the truth: its spread is the bound, whatever the phase and amplitude did.
    points, amplitude = np.array([[20.3, 19.6]]), np.array([0.4j - 0.3])
    place, away, between = _parts(points)
    sigma = 0.2
    bound = np.sqrt(np.diag(np.linalg.inv(_information(place, points, away, between, amplitude)))) * sigma
    clean = scattered(away, between, K, amplitude)
    random = np.random.default_rng(1)
    from scipy.special import hankel1

    square = hankel1(0, K * distances(place, points)) ** 2
    columns = [np.ones(len(place)), square.real[:, 0], square.imag[:, 0]]
    for axis in range(2):
        shift = np.eye(2)[axis] * 0.01
        there = scattered(Places(distances(place, points + shift)), between, K, amplitude)
        columns.append(
            (there - scattered(Places(distances(place, points - shift)), between, K, amplitude)) / 0.02
        )
    inverse = np.linalg.pinv(np.stack(columns, 1))
    errors = [(inverse @ (clean + sigma * random.normal(size=len(place)) - clean))[3:] for _ in range(400)]
    np.testing.assert_allclose(np.std(errors, axis=0), bound, rtol=0.15)


def test_without_jitter_a_fields_bound_scales_with_its_noise():
    settings = [
        replace(
            Setting(shape=(32, 32), bias_mv=(-230.0, -100.0, 20.0)),
            impurities=6,
            margin_nm=2.0,
            noise=noise,
            jitter_pm=0,
        )
        for noise in (0.4, 0.8)
    ]
    quiet, loud = (position_bound(make_synthetic(setting, 1)) for setting in settings)
    assert len(quiet) == len(make_synthetic(settings[0], 1).truth()[0])
    inner = quiet < 1  # the prior does not matter there
    assert inner.sum() >= 4
    np.testing.assert_allclose(loud[inner] / quiet[inner], 2.0, rtol=0.02)


def test_jitter_is_noise_that_voltages_share():
    def bound(**changes):
        bias = (-230.0, -150.0, -60.0, 20.0)
        setting = Setting(
            shape=(32, 32), bias_mv=bias, impurities=6, margin_nm=2.0, herringbone=False, **changes
        )
        return position_bound(make_synthetic(setting, 1))

    none, some, much, huge = (bound(noise=0.2, jitter_pm=jitter) for jitter in (0.0, 1.0, 4.0, 1e4))
    assert (none < some).all() and (some < much).all()
    inner = none < 0.3
    # However large, it hides one combination of the voltages only: a quarter of what four tell, or little more.
    assert (huge[inner] / none[inner]).max() < 2.0
    np.testing.assert_allclose(huge[inner], bound(noise=0.2, jitter_pm=1e5)[inner], rtol=1e-3)


def test_the_field_jitters_by_what_the_bound_believes():
    still = Setting(shape=(48, 48), bias_mv=(-100.0,), impurities=0, noise=0.0, rows=0.0, herringbone=False)
    moved = make_synthetic(replace(still, jitter_pm=2.0), 3).stack["LockinX"].to_numpy()
    assert np.std(moved) == pytest.approx(2 * JITTER, rel=0.05)


def test_isolation_is_about_the_nearest_neighbour():
    simulated = make_synthetic(Setting(shape=(32, 32), bias_mv=(-100.0,), impurities=20, margin_nm=2.0), 0)
    wanted = simulated.truth()[0]
    gaps = np.sort(distances(wanted, simulated.scatterers.position), axis=1)[:, 1]
    np.testing.assert_array_equal(isolated(simulated), gaps > 0.75 * np.pi / simulated.k[0].real)


def test_no_scatterer_no_bound():
    simulated = make_synthetic(Setting(shape=(16, 16), bias_mv=(-100.0,), impurities=0), 0)
    assert position_bound(simulated) == pytest.approx(np.zeros(0))
