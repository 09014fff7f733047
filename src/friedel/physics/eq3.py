"""Friedel oscillations as in Eq. 3 of arXiv 2006.15898, batched on torch.

    δn(r) = Σ_w A_w cos(2k|r − r_w| + α_w) / (|r − r_w| + ε)²                                   (3)

For every configuration of impurities and every voltage the amplitudes A_w and phases α_w are drawn anew. Each map then
loses its mean, is scaled to [−1, 1], and gets white noise of width η. The label is 1/N_i at the pixel of each of the
N_i impurities and 0 elsewhere.

Lengths are in pixels and wavevectors in rad/px. Eq. 3 falls off as 1/r², as an energy-integrated density does; dI/dV
at one energy falls off as 1/r, see `friedel.physics.t_matrix_torch`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from friedel.physics.dispersion import MATERIALS, Dispersion

#: The published stack: bias voltages [mV] and pixel [nm] (375 Å over 80 px).
PAPER_BIAS_MV = np.arange(-230.0, 20.1, 2.0)
PAPER_PIXEL_NM = 37.5 / 80


@dataclass(frozen=True)
class FriedelConfig:
    """Settings of Eq. 3 scenes. Published: the form, `decay`, `size`, `noise`; the rest is chosen here.

    Parameters
    ----------
    size : int
        Side L of the square patch [px].
    impurities : (int, int)
        Least and largest number of impurities; uniform between them. Not published.
    epsilon : float
        ε, keeps the core finite [px]. Not published.
    decay : float
        Power of the decay.
    amplitude : (float, float)
        A_w is uniform between these. Not published.
    phase : (float, float)
        α_w is uniform between these [rad]. Not published; all phases here.
    noise : float
        η, standard deviation of the Gaussian white noise, in units of the map's largest absolute value.
    subpixel : bool
        Whether impurities sit anywhere in their pixel, or at its centre. Not published; centre here.
    """

    size: int = 20
    impurities: tuple[int, int] = (1, 8)
    epsilon: float = 1.0
    decay: float = 2.0
    amplitude: tuple[float, float] = (0.5, 1.0)
    phase: tuple[float, float] = (0.0, 2 * np.pi)
    noise: float = 0.8
    subpixel: bool = False


class FriedelScenes(NamedTuple):
    """A batch of Eq. 3 scenes.

    maps : (B, V, L, L), scaled to [−1, 1] before the noise was added.
    label : (B, L, L), 1/N_i at the pixel of each impurity.
    positions : (B, N, 2), row and column [px]; N is the largest number in the batch.
    present : (B, N) bool, which of the N exist.
    k : (B, V) [rad/px].
    """

    maps: Tensor
    label: Tensor
    positions: Tensor
    present: Tensor
    k: Tensor


def paper_k(dispersion: Dispersion | None = None) -> np.ndarray:
    """K of the published stack's 126 voltages, 0.659 to 0.900 [rad/px]."""
    return (dispersion or MATERIALS["au111"]).k(PAPER_BIAS_MV) * PAPER_PIXEL_NM


def density(
    positions: Tensor,
    amplitude: Tensor,
    phase: Tensor,
    k: Tensor,
    size: int,
    epsilon: float = 1.0,
    decay: float = 2.0,
) -> Tensor:
    """Eq. 3 as it stands: no mean removed, no scaling, no noise.

    Parameters
    ----------
    positions : Tensor, shape (B, N, 2)
        Row and column of each impurity [px].
    amplitude, phase : Tensor, shape (B, V, N)
        A_w (0 where an impurity does not exist) and α_w [rad].
    k : Tensor, shape (B, V)
        Wavevector [rad/px].
    size : int
        L [px].
    epsilon, decay : float
        ε [px] and the power of the decay.

    Returns
    -------
    Tensor, shape (B, V, L, L)
    """
    axis = torch.arange(size, device=positions.device, dtype=positions.dtype)
    total = torch.zeros(*k.shape, size, size, device=positions.device, dtype=positions.dtype)
    for w in range(positions.shape[1]):  # one impurity at a time bounds the memory
        row, column = positions[:, w, 0, None, None], positions[:, w, 1, None, None]
        r = torch.hypot(axis[:, None] - row, axis - column)[:, None]  # (B, 1, L, L)
        wave = torch.cos(2 * k[..., None, None] * r + phase[:, :, w, None, None])
        total += amplitude[:, :, w, None, None] * wave / (r + epsilon) ** decay
    return total


def scale(maps: Tensor) -> Tensor:
    """Subtract each map's mean and divide by its largest absolute value; a constant map becomes zeros."""
    centred = maps - maps.mean(dim=(-2, -1), keepdim=True)
    largest = centred.abs().amax(dim=(-2, -1), keepdim=True)
    return centred / torch.where(largest > 0, largest, torch.ones_like(largest))


def labels(positions: Tensor, present: Tensor, size: int) -> Tensor:
    """Y_label: 1/N_i at the pixel nearest to each of the N_i impurities, shape (B, L, L)."""
    batch, _ = present.shape
    pixel = positions.round().long().clamp(0, size - 1)
    flat = pixel[..., 0] * size + pixel[..., 1]
    weight = present.float() / present.sum(dim=1, keepdim=True).clamp(min=1)
    label = torch.zeros(batch, size * size, device=positions.device)
    return label.scatter_add_(1, flat, weight).unflatten(1, (size, size))


def scenes(config: FriedelConfig, k: Tensor, generator: torch.Generator) -> FriedelScenes:
    """Draw one random scene for every row of `k`.

    Parameters
    ----------
    config : FriedelConfig
    k : Tensor, shape (B, V)
        Wavevectors [rad/px]; the scenes are made on its device, which must be the generator's.
    generator : torch.Generator

    Returns
    -------
    FriedelScenes
    """
    device, (batch, voltages) = k.device, k.shape
    low, high = config.impurities

    def uniform(*shape: int, between: tuple[float, float] = (0.0, 1.0)) -> Tensor:
        return between[0] + (between[1] - between[0]) * torch.rand(*shape, generator=generator, device=device)

    number = torch.randint(low, high + 1, (batch,), generator=generator, device=device)
    # Distinct pixels: the first of a random order of all pixels.
    order = torch.rand(batch, config.size**2, generator=generator, device=device).argsort(dim=1)[:, :high]
    positions = torch.stack([order // config.size, order % config.size], dim=-1).float()
    if config.subpixel:
        positions = positions + uniform(batch, high, 2, between=(-0.5, 0.5))
    present = torch.arange(high, device=device) < number[:, None]
    amplitude = uniform(batch, voltages, high, between=config.amplitude) * present[:, None]
    phase = uniform(batch, voltages, high, between=config.phase)
    clean = scale(density(positions, amplitude, phase, k, config.size, config.epsilon, config.decay))
    noise = torch.randn(clean.shape, generator=generator, device=device)
    return FriedelScenes(
        clean + config.noise * noise, labels(positions, present, config.size), positions, present, k
    )
