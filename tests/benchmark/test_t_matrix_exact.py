"""The exact simulator against closed forms, unitarity and the one used for training."""

import numpy as np
import pytest
from scipy.constants import e, hbar, m_e
from scipy.special import hankel1

from friedel.benchmark.t_matrix_exact import (
    WAVEVECTOR,
    Places,
    Radial,
    Ripple,
    Scatterers,
    complex_wavevector,
    distances,
    scattered,
    t_matrix,
)


def _scatterers(n, seed=0, absorbing=False, size=40.0):
    random = np.random.default_rng(seed)
    return Scatterers(
        random.uniform(0, size, (n, 2)),
        random.uniform(0, np.pi, n),
        random.uniform(-1, 1, n),
        random.uniform(0.2, 1, n) if absorbing else np.ones(n),
    )


def test_the_wavevector_constant():
    assert pytest.approx(np.sqrt(2 * m_e * e * 1e-3) / hbar * 1e-9, rel=1e-6) == WAVEVECTOR
    k = complex_wavevector(np.array([520.0 - 230, 520.0 + 20]), 0.26, 0.0).real * 0.46875
    np.testing.assert_allclose(k, [0.659, 0.900], atol=1e-3)  # the paper's 375 Å over 80 pixels


def test_one_scatterer_has_the_closed_form_and_its_far_field():
    k, delta = 0.8, 0.7
    amplitude = np.array([(np.exp(2j * delta) - 1) / 2])
    r = np.linspace(0.5, 60, 300)
    rho = scattered(Places(r[:, None]), np.zeros((1, 1)), k, amplitude)
    np.testing.assert_allclose(rho, (amplitude[0] * hankel1(0, k * r) ** 2).real, atol=2e-4)
    far = r > 25
    wave = 2 / (np.pi * k * r) * np.sin(delta) * np.cos(2 * k * r + delta)
    np.testing.assert_allclose(rho[far], wave[far], atol=1.5e-3)


def test_two_scatterers_against_the_series_of_all_bounces():
    k, amplitude = 0.75 + 0.01j, np.array([0.3j - 0.2, -0.4 + 0.1j])
    between = np.array([[0, 7.3], [7.3, 0]])
    hankel = np.array([[0, hankel1(0, k * 7.3)], [hankel1(0, k * 7.3), 0]])
    total, term = np.zeros((2, 2), complex), np.diag(amplitude)
    for _ in range(80):
        total, term = total + term, np.diag(amplitude) @ hankel @ term
    np.testing.assert_allclose(t_matrix(between, k, amplitude), total, atol=1e-12)


def test_elastic_scatterers_keep_the_current():
    # Optical theorem for T with the free Green function's imaginary part J₀: −Re T = T† J T for real k.
    s = _scatterers(12, 1)
    k = 0.8
    between = distances(s.position, s.position)
    matrix = t_matrix(between, k, s.amplitude(0.0))
    bessel = np.where(np.eye(12, dtype=bool), 1.0, hankel1(0, k * np.maximum(between, 1e-9)).real)
    loss = matrix + matrix.conj().T + 2 * matrix.conj().T @ bessel @ matrix
    assert np.abs(loss).max() < 1e-10 * max(1, np.abs(matrix).max() ** 2)


def test_absorbing_scatterers_lose_current():
    s = _scatterers(12, 2, absorbing=True)
    between = distances(s.position, s.position)
    matrix = t_matrix(between, 0.8, s.amplitude(0.0))
    bessel = np.where(np.eye(12, dtype=bool), 1.0, hankel1(0, 0.8 * np.maximum(between, 1e-9)).real)
    loss = -(matrix + matrix.conj().T + 2 * matrix.conj().T @ bessel @ matrix)
    assert np.linalg.eigvalsh(loss).min() > -1e-9
    assert np.linalg.eigvalsh(loss).max() > 0.05


def test_the_density_of_states_is_never_negative():
    s = _scatterers(40, 3, absorbing=True)
    points = np.random.default_rng(0).uniform(0, 40, (2000, 2))
    distance = distances(points, s.position)
    keep = distance.min(1) > 0.3
    rho = 1 + scattered(Places(distance[keep]), distances(s.position, s.position), 0.8, s.amplitude(50.0))
    assert rho.min() > -1e-3


@pytest.mark.parametrize("order", [0, 1])
def test_the_table_is_fine_enough(order):
    k = 0.7 + 0.02j
    r = np.random.default_rng(0).uniform(0.3, 90, 4000)
    exact = hankel1(order, k * r)
    assert np.abs(Radial(k, 100)(Places(r), order=order) - exact).max() < (2e-4 if order == 0 else 2e-3)


def test_the_ripple_is_the_integral_along_the_way():
    ripple = Ripple(0.05, (0.3, -0.2), 0.4)
    start, end = np.array([[3.0, 4.0]]), np.array([[20.0, 9.0], [3.0, 5.0]])
    t = (np.arange(4000) + 0.5) / 4000
    for j, stretched in enumerate(distances(start, end, ripple)[0]):
        way = start + t[:, None] * (end[j] - start)
        length = np.hypot(*(end[j] - start[0])) * (1 + 0.05 * ripple.cosine(way).mean())
        assert stretched == pytest.approx(length, rel=1e-6)
    np.testing.assert_allclose(distances(start, end, ripple), distances(end, start, ripple).T)
