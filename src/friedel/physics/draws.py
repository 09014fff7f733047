"""Random numbers of one value per scene: uniform, log-uniform, and yes or no."""

from __future__ import annotations

import math

import torch

Range = tuple[float, float]


def uniform(bounds: Range, shape: tuple[int, ...], rng: torch.Generator) -> torch.Tensor:
    """Numbers of `shape` between two bounds."""
    return bounds[0] + (bounds[1] - bounds[0]) * torch.rand(shape, generator=rng)


def log_uniform(bounds: Range, shape: tuple[int, ...], rng: torch.Generator) -> torch.Tensor:
    """Numbers of `shape` between two positive bounds, their logarithm uniform."""
    return torch.exp(uniform((math.log(bounds[0]), math.log(bounds[1])), shape, rng))


def chance(share: float, batch: int, rng: torch.Generator) -> torch.Tensor:
    """1.0 in a `share` of the scenes, else 0.0; shape (batch,)."""
    return (torch.rand(batch, generator=rng) < share).float()


def now(share: float, rng: torch.Generator) -> bool:
    """True in `share` of the calls; draws nothing where that is never, so that older seeds give the same scenes."""
    return share > 0 and torch.rand(1, generator=rng).item() < share
