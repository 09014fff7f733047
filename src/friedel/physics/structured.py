"""Impurities that are no point scatterers of s waves: with an extent of their own, with p waves, in clusters."""

from __future__ import annotations

import math

import torch
from scipy.special import hankel1

#: More sources than this are never made of one scene's impurities: the T-matrix grows with their square.
MOST_SOURCES = 150
#: Within this k·r of its centre a p wave is taken at this distance.
RIM = 1.2
_STEP = 0.02  # of the radial tables [px]


def gathered(
    points: torch.Tensor, present: torch.Tensor, apart: tuple[float, float], rng: torch.Generator
) -> torch.Tensor:
    """Move two of three points next to others, so that they form groups.

    Parameters
    ----------
    points : Tensor, shape (B, N, 2)
    present : Tensor, shape (B, N), bool
    apart : (float, float)
        Distances to the new neighbour [px].
    rng : torch.Generator

    Returns
    -------
    Tensor, shape (B, N, 2)
    """
    b, n, _ = points.shape
    first = (torch.arange(n)[None] % 3 == 0) | ~present
    mate = 3 * (torch.arange(n) // 3)
    angle = 2 * math.pi * torch.rand(b, n, generator=rng)
    far = apart[0] + (apart[1] - apart[0]) * torch.rand(b, n, generator=rng)
    near = points[:, mate] + torch.stack([far * torch.sin(angle), far * torch.cos(angle)], dim=-1)
    return torch.where(first[..., None], points, near)


def with_arms(
    points: torch.Tensor, s: torch.Tensor, reach: tuple[float, float], rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Make each impurity of two or three sources around its centre: together they scatter many partial waves.

    Parameters
    ----------
    points : Tensor, shape (B, N, 2)
    s : Tensor, shape (B, V, N), complex
        Scattering amplitudes; every second source of a pair has the opposite phase shift in half of the scenes.
    reach : (float, float)
        Distances of the sources from the centre [px].
    rng : torch.Generator

    Returns
    -------
    sources : Tensor, shape (B, M, 2)
    s : Tensor, shape (B, V, M), complex
    """
    b, n, _ = points.shape
    arms = int(torch.randint(2, 4, (1,), generator=rng))
    if arms * n > MOST_SOURCES:
        return points, s
    angle = 2 * math.pi * torch.rand(b, n, 1, generator=rng) + 2 * math.pi * torch.arange(arms) / arms
    far = reach[0] + (reach[1] - reach[0]) * torch.rand(b, n, 1, generator=rng)
    places = points[:, :, None] + torch.stack([far * torch.sin(angle), far * torch.cos(angle)], dim=-1)
    amplitude = s[..., None].expand(-1, -1, -1, arms).clone()
    if torch.rand(1, generator=rng) < 0.5:
        amplitude[..., 1] = amplitude[..., 1].conj()
    return places.reshape(b, n * arms, 2), amplitude.reshape(b, -1, n * arms)


def p_waves(distance: torch.Tensor, k: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """Change of ρ/ρ₀ by p waves, scattered once: Re Σ_i 2 s_i H₁(k r_i)², the sum of m = ±1.

    Parameters
    ----------
    distance : Tensor, shape (B, N, P)
        From each impurity to each pixel [px].
    k : Tensor, shape (B, V), complex
        [rad/px].
    s : Tensor, shape (B, V, N), complex
        Amplitudes of the p wave; 0 switches an impurity off.

    Returns
    -------
    Tensor, shape (B, V, P)
    """
    rim = RIM / float(k.real.mean())
    grid = torch.arange(int(float(distance.max()) / _STEP) + 2) * _STEP
    shown = []
    for b in range(distance.shape[0]):
        argument = k[b, :, None] * grid.clamp_min(rim)
        table = torch.from_numpy(hankel1(1, argument.numpy())).to(torch.complex64).square()
        index = (distance[b] / _STEP + 0.5).long()
        waves = [(2 * s[b, v, :, None] * table[v].take(index)).real.sum(dim=0) for v in range(k.shape[1])]
        shown.append(torch.stack(waves))
    return torch.stack(shown)
