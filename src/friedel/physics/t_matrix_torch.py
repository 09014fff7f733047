"""Multiple-scattering local density of states around point scatterers in a two-dimensional electron gas.

The map a dI/dV measurement shows at one energy is (Fiete & Heller, Rev. Mod. Phys. 75, 933, 2003,
DOI 10.1103/RevModPhys.75.933, cond-mat/0211607)::

    ρ(r)/ρ₀ = 1 + Re Σ_ij H₀(k|r − r_i|) T_ij H₀(k|r_j − r|),        T = (S⁻¹ − H)⁻¹ = (1 − S H)⁻¹ S,

with the Hankel function H₀ = H₀⁽¹⁾, the scatterers' s-wave amplitudes s_i = (e^{2iδ_i} − 1)/2 on the diagonal of S,
and H_ij = H₀(k r_ij) off the diagonal, 0 on it. An absorbing scatterer has |e^{2iδ}| < 1; s = −1/2 is the black dot.

Everything is batched: `B` fields, `V` voltages, `N` scatterers, `P` pixels. Lengths are in any unit, wavevectors in
its inverse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from scipy.special import hankel1

# H₀⁽¹⁾(x) = √(2/πx) e^{i(x−π/4)} f(x): f is smooth and tends to 1, so a short polynomial in 1/(x + SHIFT) holds it.
_SHIFT = 0.4
_DEGREE = 7
#: Arguments below this are raised to it: nothing closer than a tenth of a wavelength is universal anyway.
SMALLEST_ARGUMENT = 0.1


@cache
def _coefficients() -> np.ndarray:
    x = np.concatenate([np.geomspace(SMALLEST_ARGUMENT, 20, 400), np.linspace(20, 400, 100)])
    f = hankel1(0, x) * np.sqrt(np.pi * x / 2) * np.exp(-1j * (x - np.pi / 4))
    powers = (1 / (x + _SHIFT))[:, None] ** np.arange(_DEGREE + 1)
    result: np.ndarray = np.linalg.lstsq(powers.astype(complex), f, rcond=None)[0]
    return result


def hankel0(r: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """H₀⁽¹⁾(k r) for complex k.

    Parameters
    ----------
    r : Tensor
        Distance, real.
    k : Tensor
        Wavevector, real or complex, broadcastable against `r`; its imaginary part damps the wave.

    Returns
    -------
    Tensor, complex64
        Relative error below 1e-3 for real arguments above `SMALLEST_ARGUMENT`; smaller arguments are raised to it.
        The slow amplitude is taken at the real part of k, which is exact to first order in Im k / Re k.
    """
    x = (k.real * r).clamp_min(SMALLEST_ARGUMENT)
    u = 1 / (x + _SHIFT)
    f = torch.zeros_like(x, dtype=torch.complex64)
    for c in _coefficients()[::-1]:
        f = f * u + complex(c)
    damping = torch.exp(-k.imag * r) if k.is_complex() else 1.0
    return f * torch.polar(damping * torch.sqrt(2 / (math.pi * x)), x - math.pi / 4)


def scattering_amplitude(phase: torch.Tensor, elasticity: torch.Tensor | float = 1.0) -> torch.Tensor:
    """Amplitude s = (e^{2iδ} − 1)/2 with |e^{2iδ}| = η; the absorbed share is 1 − η² (Fiete and Heller, 2003).

    Parameters
    ----------
    phase : Tensor
        Phase shift δ [rad].
    elasticity : Tensor or float
        η: 1 scatters elastically (unitary), 0 is the black dot.
    """
    modulus = torch.as_tensor(elasticity, dtype=phase.dtype)
    return (torch.polar(modulus.expand_as(phase).contiguous(), 2 * phase) - 1) / 2


def t_matrix(between: torch.Tensor, k: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """T = (1 − S H)⁻¹ S.

    Parameters
    ----------
    between : Tensor, shape (B, N, N)
        Distances between the scatterers.
    k : Tensor, shape (B, V)
        Wavevector at each voltage.
    s : Tensor, shape (B, V, N), complex
        Scattering amplitudes; 0 switches a scatterer off (padding).

    Returns
    -------
    Tensor, shape (B, V, N, N), complex64
    """
    n = between.shape[1]
    off_diagonal = 1 - torch.eye(n)
    h = hankel0(between[:, None], k[:, :, None, None]) * off_diagonal
    identity = torch.eye(n, dtype=torch.complex64)
    result: torch.Tensor = torch.linalg.solve(identity - s[..., :, None] * h, torch.diag_embed(s))
    return result


def distances(points: torch.Tensor, others: torch.Tensor, ripple: Ripple | None = None) -> torch.Tensor:
    """Optical distances between two sets of points.

    Parameters
    ----------
    points, others : Tensor, shapes (B, N, 2) and (B, M, 2)
    ripple : Ripple, optional

    Returns
    -------
    Tensor, shape (B, N, M)
    """
    r = torch.cdist(points, others, compute_mode="donot_use_mm_for_euclid_dist")
    if ripple is None:
        return r
    a = (points * ripple.q[:, None]).sum(-1)[:, :, None] + ripple.phase[:, None, None]
    b = (others * ripple.q[:, None]).sum(-1)[:, None, :] + ripple.phase[:, None, None]
    # The mean of cos between two arguments is sinc(half their difference) · cos(their middle).
    mean = torch.sinc((b - a) / (2 * math.pi)) * torch.cos((a + b) / 2)
    return r * (1 - ripple.strength[:, None, None] * mean)


@dataclass(frozen=True)
class Ripple:
    """A periodic potential that shifts k locally by the relative amount −strength · cos(q·r + phase).

    The herringbone reconstruction of Au(111) does so by 4 to 6 % (arXiv 1407.5408). Along a straight path the phase
    adds up, so that distances become optical distances.

    strength, phase : Tensor, shape (B,);  q : Tensor, shape (B, 2), in inverse units of the positions.
    """

    strength: torch.Tensor
    q: torch.Tensor
    phase: torch.Tensor


def ldos(between: torch.Tensor, away: torch.Tensor, k: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """Local density of states ρ/ρ₀ at each pixel and voltage.

    Parameters
    ----------
    between : Tensor, shape (B, N, N)
        Distances between the scatterers, from `distances`.
    away : Tensor, shape (B, N, P)
        Distances from each scatterer to each pixel.
    k : Tensor, shape (B, V)
        Wavevector, real or complex (lifetime broadening), in inverse units of the distances.
    s : Tensor, shape (B, V, N), complex
        Scattering amplitudes.

    Returns
    -------
    Tensor, shape (B, V, P)
    """
    if away.shape[1] == 0:  # the bare surface
        return torch.ones(*k.shape, away.shape[2])
    t = t_matrix(between, k, s)
    pixels = max(1, _LARGEST_BYTES // (t[..., 0].numel() * t.element_size()))
    return torch.cat([_ldos_from(t, _propagators(part, k)) for part in away.split(pixels, dim=2)], dim=2)


def _ldos_from(t: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """1 + Re Σ_ij g_i T_ij g_j of shape (B, V, P) for T of shape (B, V, N, N) and g of shape (B, V, N, P)."""
    return 1 + (torch.matmul(t, g) * g).real.sum(dim=2)


#: Propagators of more bytes are made for a part of the pixels at a time.
_LARGEST_BYTES = 512 << 20
# Distances are looked up in a table of this many entries a unit length times k: phase errors stay below 5 mrad.
_STEP = 0.01


def _propagators(r: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """H₀(k r) of shape (B, V, N, P) for r of shape (B, N, P): tabulated on a radial grid, shared by all voltages."""
    batch, n, p = r.shape
    step = _STEP / float(k.real.max())
    size = int(float(r.max()) / step) + 2
    grid = torch.arange(size) * step
    out = torch.empty(batch, k.shape[1], n, p, dtype=torch.complex64)
    if size > n * p:  # a table would cost more than it saves
        for b in range(batch):
            out[b] = hankel0(r[b][None], k[b, :, None, None])
        return out
    for b in range(batch):
        table = hankel0(grid[None], k[b, :, None])
        index = (r[b] / step + 0.5).long().flatten()
        out[b] = table.index_select(1, index).view(-1, n, p)
    return out
