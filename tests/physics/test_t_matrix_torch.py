"""The multiple-scattering LDOS against closed forms, limits and conservation laws."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy import integrate
from scipy.special import hankel1, jv

from friedel.physics import t_matrix_torch
from friedel.physics.t_matrix_torch import (
    Ripple,
    distances,
    hankel0,
    ldos as ldos_at,
    scattering_amplitude,
    t_matrix,
)


def test_hankel_function_agrees_with_scipy():
    x = torch.linspace(0.1, 200, 5000)
    exact = hankel1(0, x.numpy().astype(float))
    assert np.abs(hankel0(x, torch.tensor(1.0)).numpy() / exact - 1).max() < 1e-3


def test_hankel_function_with_broadening_agrees_with_scipy():
    r = torch.linspace(1, 100, 2000)
    k = 0.8 + 0.01j
    exact = hankel1(0, r.numpy().astype(float) * k)
    assert np.abs(hankel0(r, torch.tensor(k)).numpy() / exact - 1).max() < 0.01


def ldos(points, pixels, k, s, ripple=None):
    return ldos_at(distances(points, points, ripple), distances(points, pixels, ripple), k, s)


def _line(r):
    """Pixels at distances r from the origin, along a row."""
    r = torch.as_tensor(r, dtype=torch.float32)
    return torch.stack([torch.zeros_like(r), r], -1)[None]


@pytest.mark.parametrize("delta", [0.3, 1.0, -1.2])
@pytest.mark.parametrize("elasticity", [1.0, 0.5])
def test_one_scatterer_is_the_closed_form(delta, elasticity):
    """ρ/ρ₀ = 1 + Re s H₀²(kr)."""
    r = np.linspace(0.5, 60, 400)
    k = 0.77
    s = scattering_amplitude(torch.tensor([[[delta]]]), elasticity)
    found = ldos(torch.zeros(1, 1, 2), _line(r), torch.tensor([[k]]), s)[0, 0].numpy()
    amplitude = (elasticity * np.exp(2j * delta) - 1) / 2
    expected = 1 + (amplitude * hankel1(0, k * r) ** 2).real
    np.testing.assert_allclose(found, expected, atol=0.01 * np.abs(expected - 1).max())


def test_far_from_one_scatterer_the_wave_decays_as_one_over_r():
    """ρ/ρ₀ − 1 → (2/πkr) sin δ cos(2kr + δ)."""
    r, k, delta = np.linspace(20, 60, 400), 0.8, 0.9
    s = scattering_amplitude(torch.tensor([[[delta]]]))
    found = ldos(torch.zeros(1, 1, 2), _line(r), torch.tensor([[k]]), s)[0, 0].numpy() - 1
    expected = 2 / (np.pi * k * r) * np.sin(delta) * np.cos(2 * k * r + delta)
    np.testing.assert_allclose(found, expected, atol=0.03 * np.abs(expected).max())


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 12))
def test_elastic_scatterers_obey_the_optical_theorem(seed, n):
    """Unitarity: T + T† = −2 T† J T with J_ij = J₀(k r_ij)."""
    rng = torch.Generator().manual_seed(seed)
    points = torch.rand(1, n, 2, generator=rng) * 60
    k = torch.tensor([[0.7, 0.9]])
    s = scattering_amplitude(torch.rand(1, 2, n, generator=rng) * 3 - 1.5)
    t = t_matrix(distances(points, points), k, s)[0].to(torch.complex128)
    r = torch.cdist(points, points)[0].double()
    # Points closer than the smallest argument of the Hankel function are not what is tested here.
    if n > 1 and r[~torch.eye(n, dtype=bool)].min() < 1:
        return
    for i in range(2):
        j = torch.as_tensor(jv(0, float(k[0, i]) * r.numpy()), dtype=torch.complex128)
        left = t[i] + t[i].mH
        right = -2 * t[i].mH @ j @ t[i]
        assert (left - right).abs().max() < 5e-3 * t[i].abs().max()


def test_an_absorber_breaks_the_optical_theorem():
    s = scattering_amplitude(torch.tensor([[[0.8]]]), 0.5)
    t = t_matrix(torch.zeros(1, 1, 1), torch.tensor([[0.8]]), s)[0, 0, 0, 0]
    assert abs(2 * t.real + 2 * t.abs() ** 2) > 0.1


def test_no_scatterer_means_a_flat_map():
    pixels = torch.rand(1, 50, 2) * 10
    s = torch.zeros(1, 2, 3, dtype=torch.complex64)
    found = ldos(torch.rand(1, 3, 2) * 10, pixels, torch.tensor([[0.6, 0.9]]), s)
    torch.testing.assert_close(found, torch.ones(1, 2, 50))


def test_padding_changes_nothing():
    rng = torch.Generator().manual_seed(3)
    points, pixels = torch.rand(1, 5, 2, generator=rng) * 40, torch.rand(1, 64, 2, generator=rng) * 40
    s = scattering_amplitude(torch.rand(1, 2, 5, generator=rng))
    k = torch.tensor([[0.6, 0.9]])
    padded_points = torch.cat([points, torch.full((1, 4, 2), 7.3)], 1)
    padded_s = torch.cat([s, torch.zeros(1, 2, 4, dtype=torch.complex64)], 2)
    torch.testing.assert_close(
        ldos(points, pixels, k, s), ldos(padded_points, pixels, k, padded_s), atol=1e-4, rtol=0
    )


def test_a_shift_of_everything_shifts_the_map():
    rng = torch.Generator().manual_seed(4)
    points, pixels = torch.rand(1, 6, 2, generator=rng) * 30, torch.rand(1, 64, 2, generator=rng) * 30
    s = scattering_amplitude(torch.rand(1, 1, 6, generator=rng))
    k = torch.tensor([[0.8 + 0.01j]])
    moved = ldos(points + 5.25, pixels + 5.25, k, s)
    assert (ldos(points, pixels, k, s) - moved).abs().max() < 0.02


def test_distant_scatterers_superpose():
    """Far apart, multiple scattering dies out and the waves of single scatterers add."""
    points = torch.tensor([[[0.0, 0.0], [0.0, 4000.0]]])
    pixels = _line(np.linspace(2, 40, 100))
    s = scattering_amplitude(torch.tensor([[[0.8, -0.6]]]))
    k = torch.tensor([[0.8]])
    both = ldos(points, pixels, k, s) - 1
    single = sum(ldos(points[:, i : i + 1], pixels, k, s[..., i : i + 1]) - 1 for i in range(2))
    assert (both - single).abs().max() < 0.01


def test_a_ripple_changes_the_path_as_its_integral_says():
    """Optical distance = ∫ (1 − strength cos(q·r + phase)) ds along the straight path."""
    ripple = Ripple(torch.tensor([0.05]), torch.tensor([[0.3, 0.2]]), torch.tensor([0.7]))
    start, end = np.array([2.0, 3.0]), np.array([31.0, -8.0])
    t = np.linspace(0, 1, 20001)[:, None]
    path = start + t * (end - start)
    integrand = 1 - 0.05 * np.cos(path @ np.array([0.3, 0.2]) + 0.7)
    expected = np.hypot(*(end - start)) * integrate.trapezoid(integrand, dx=1 / 20000)
    as_points = [torch.tensor(p, dtype=torch.float32).view(1, 1, 2) for p in (start, end)]
    assert distances(*as_points, ripple).item() == pytest.approx(expected, rel=1e-4)


def test_maps_made_in_parts_of_the_pixels_are_the_maps(monkeypatch):
    rng = torch.Generator().manual_seed(4)
    points, pixels = (20 * torch.rand(2, n, 2, generator=rng) for n in (5, 203))
    k = torch.tensor([[0.7, 0.9, 1.1], [0.8, 1.0, 1.2]])
    s = scattering_amplitude(torch.rand(2, 3, 5, generator=rng))
    given = distances(points, points), distances(points, pixels), k, s
    whole = ldos_at(*given)
    monkeypatch.setattr(t_matrix_torch, "_LARGEST_BYTES", 20 * 2 * 3 * 5 * 8)  # 20 pixels
    torch.testing.assert_close(ldos_at(*given), whole)
    assert whole.std() > 0.05
