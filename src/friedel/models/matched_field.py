"""The matched field of a batch of maps, ring by ring, as the network's input; and the pooling of its voltages.

The classical matched field of `friedel.classical` weights by the noise and sums over all r; this one keeps rings apart
and is differentiable.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import nn

from friedel._util.voltage_bins import bins_by_count


def pool_voltages(maps: torch.Tensor, k: torch.Tensor, groups: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Average neighbouring voltages (in the order of k) into at most `groups` maps of equally many.

    Parameters
    ----------
    maps : Tensor, shape (B, V, H, W)
    k : Tensor, shape (B, V) [rad/px]
    groups : int

    Returns
    -------
    maps : Tensor, shape (B, G, H, W)
    k : Tensor, shape (B, G)
    """
    if k.shape[1] > 1 and bool((k[:, 0] > k[:, -1]).all()):
        maps, k = maps.flip(1), k.flip(1)
    v = maps.shape[1]
    if v > groups:
        bins = [
            slice(int(one[0]), int(one[-1]) + 1) for one in bins_by_count(np.arange(v), groups, spread=True)
        ]
        maps = torch.stack([maps[:, one].mean(dim=1) for one in bins], dim=1)
        k = torch.stack([k[:, one].mean(dim=1) for one in bins], dim=1)
    return maps, k


class MatchedField(nn.Module):
    """Correlation of each map with outgoing waves of its own wavevector, ring by ring."""

    def __init__(self, rings: tuple[float, ...]) -> None:
        super().__init__()
        self.rings = rings

    def forward(self, maps: torch.Tensor, k: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Matched field of unit variance for white noise of unit variance.

        Parameters
        ----------
        maps : (B, G, H, W)
        k : (B, G) [rad/px]
        mask : (B, H, W)

        Returns
        -------
        Tensor, shape (B, G, R, 2, H, W): real and imaginary part per ring.
        """
        height, width = maps.shape[-2:]
        reach = min(math.ceil(max(self.rings)) + 1, max(height, width))
        shape = (next_fast_len(height + reach, real=True), next_fast_len(width + reach, real=True))
        like: dict[str, Any] = {"device": maps.device, "dtype": torch.float32}
        rows = torch.fft.fftfreq(shape[0], 1 / shape[0], **like)[:, None]
        columns = torch.fft.fftfreq(shape[1], 1 / shape[1], **like)[None, :]
        r = torch.sqrt(rows**2 + columns**2)
        edges = (0.0, *self.rings)
        rings = torch.stack(
            [torch.sigmoid((r - a) * 2) * torch.sigmoid((b - r) * 2) / (r + 1) for a, b in pairwise(edges)]
        )  # (R, h, w)
        rings = rings * (r <= reach)
        # The template's energy over the acquired pixels: the edge takes some of it away.
        energy = _correlate(torch.fft.rfft2(mask, s=shape)[:, None], rings**2, shape, (height, width))
        scale = torch.rsqrt(energy.clamp_min(1e-3) / 2)  # (B, R, H, W)
        spectrum = torch.fft.rfft2(maps, s=shape)  # (B, G, h, w/2 + 1)
        argument = 2 * k[..., None, None] * r  # (B, G, h, w)
        wave = torch.stack([torch.cos(argument), torch.sin(argument)], dim=2)  # (B, G, 2, h, w)
        fields = []
        for index in range(rings.shape[0]):
            field = _correlate(spectrum[:, :, None], wave * rings[index], shape, (height, width))
            fields.append(field * scale[:, None, None, index])
        return torch.stack(fields, dim=2)


def _correlate(
    spectrum: torch.Tensor, kernel: torch.Tensor, shape: tuple[int, int], size: tuple[int, int]
) -> torch.Tensor:
    """Correlate with an even kernel (its transform is real) and cut the field out of the padding."""
    product = spectrum * torch.fft.rfft2(kernel).real
    field: torch.Tensor = torch.fft.irfft2(product, s=shape)[..., : size[0], : size[1]]
    return field
