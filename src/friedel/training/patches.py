"""Endless simulated batches: what a network sees in a training step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from friedel.physics.eq3 import FriedelConfig, scenes


class Batch(NamedTuple):
    """Patches as a network sees them.

    maps : (B, V, H, W), each map with mean 0 and root mean square 1, 0 where not acquired.
    k : (B, V) wavevectors [rad/px].
    mask : (B, H, W) 1 where acquired.
    label : (B, H, W) 1/N_i at each of the N_i impurities of a patch.
    """

    maps: Tensor
    k: Tensor
    mask: Tensor
    label: Tensor

    def to(self, device: torch.device) -> Batch:
        """Move everything to `device`."""
        return Batch(*(tensor.to(device) for tensor in self))


def normalise_maps(maps: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean 0 and root mean square 1 of each map over the acquired pixels, 0 elsewhere; as `friedel.stack.normalise`.

    Parameters
    ----------
    maps : Tensor, shape (B, V, H, W)
    mask : Tensor, shape (B, H, W), optional

    Returns
    -------
    Tensor, shape (B, V, H, W)
    """
    weight = torch.ones_like(maps[:, :1]) if mask is None else mask[:, None].to(maps.dtype)
    count = weight.sum(dim=(-2, -1), keepdim=True).clamp(min=1)
    centred = (maps - (maps * weight).sum(dim=(-2, -1), keepdim=True) / count) * weight
    rms = (centred.square().sum(dim=(-2, -1), keepdim=True) / count).sqrt()
    return centred / torch.where(rms > 0, rms, torch.ones_like(rms))


@dataclass(frozen=True)
class VoltageChoice:
    """Which wavevectors a simulated batch shows.

    Parameters
    ----------
    k : tuple of float
        All wavevectors of the stack [rad/px].
    number : (int, int)
        Least and largest number of voltages drawn from them, without replacement.
    stretch : (float, float)
        All of a scene's wavevectors are multiplied by one factor, uniform between these, so that a sample whose
        dispersion is known to a few per cent only still lies within what was seen.
    """

    k: tuple[float, ...]
    number: tuple[int, int]
    stretch: tuple[float, float] = (1.0, 1.0)

    def draw(self, batch: int, generator: torch.Generator) -> Tensor:
        """Wavevectors of one batch, shape (batch, V), V the same for all."""
        device = generator.device
        table = torch.tensor(self.k, device=device)
        low, high = (min(n, len(self.k)) for n in self.number)
        n = int(torch.randint(low, high + 1, (1,), generator=generator, device=device))
        order = torch.rand(batch, len(self.k), generator=generator, device=device).argsort(dim=1)
        picked = order[:, :n].sort(dim=1).values
        factor = torch.rand(batch, 1, generator=generator, device=device)
        return table[picked] * (self.stretch[0] + (self.stretch[1] - self.stretch[0]) * factor)

    @property
    def k_range(self) -> tuple[float, float]:
        """Least and largest wavevector that can be drawn [rad/px]."""
        return min(self.k) * self.stretch[0], max(self.k) * self.stretch[1]


def friedel_batch(config: FriedelConfig, k: Tensor, generator: torch.Generator) -> Batch:
    """Make a batch of Eq. 3 scenes, one for every row of `k` (B, V)."""
    made = scenes(config, k, generator)
    mask = torch.ones_like(made.label)
    return Batch(normalise_maps(made.maps), k, mask, made.label)


def symmetry(tensor: Tensor, which: int) -> Tensor:
    """One of the 8 symmetries of the square (0 to 7) applied to the last two axes."""
    tensor = tensor.rot90(which % 4, dims=(-2, -1))
    return tensor.transpose(-2, -1) if which >= 4 else tensor
