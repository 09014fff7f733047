"""The matched field of a batch of maps, ring by ring, as the network's input; and the pooling of its voltages.

The classical matched field of `friedel.classical` weights by the noise and sums over all r; this one keeps rings apart
and is differentiable. Both functions take NumPy arrays or torch's tensors, so that a detection needs no torch.
"""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import fft as scipy_fft

from friedel._util.voltage_bins import bins_by_count


def namespace(array: Any) -> Any:
    """The module whose functions take this array: numpy or torch."""
    return np if isinstance(array, np.ndarray) else sys.modules["torch"]


def pool_voltages(maps: Any, k: Any, groups: int) -> tuple[Any, Any]:
    """Average neighbouring voltages (in the order of k) into at most `groups` maps of equally many.

    Parameters
    ----------
    maps : array or Tensor, shape (B, V, H, W)
    k : array or Tensor, shape (B, V) [rad/px]
    groups : int

    Returns
    -------
    maps : array or Tensor, shape (B, G, H, W)
    k : array or Tensor, shape (B, G)
    """
    xp = namespace(maps)
    if k.shape[1] > 1 and bool((k[:, 0] > k[:, -1]).all()):
        maps, k = xp.flip(maps, (1,)), xp.flip(k, (1,))
    v = maps.shape[1]
    if v > groups:
        bins = [
            slice(int(one[0]), int(one[-1]) + 1) for one in bins_by_count(np.arange(v), groups, spread=True)
        ]
        maps = xp.stack([maps[:, one].mean(1) for one in bins], 1)
        k = xp.stack([k[:, one].mean(1) for one in bins], 1)
    return maps, k


class MatchedField:
    """Correlation of each map with outgoing waves of its own wavevector, ring by ring."""

    def __init__(self, rings: tuple[float, ...]) -> None:
        self.rings = rings

    def __call__(self, maps: Any, k: Any, mask: Any) -> Any:
        """Matched field of unit variance for white noise of unit variance.

        Parameters
        ----------
        maps : array or Tensor, shape (B, G, H, W)
        k : array or Tensor, shape (B, G) [rad/px]
        mask : array or Tensor, shape (B, H, W)

        Returns
        -------
        array or Tensor, shape (B, G, R, 2, H, W): real and imaginary part per ring.
        """
        xp = namespace(maps)
        height, width = maps.shape[-2:]
        reach = min(math.ceil(max(self.rings)) + 1, max(height, width))
        shape = tuple(scipy_fft.next_fast_len(side + reach, real=True) for side in (height, width))
        r = _distances(maps, shape)
        edges = (0.0, *self.rings)
        rings = xp.stack([_step(xp, r - a) * _step(xp, b - r) / (r + 1) for a, b in pairwise(edges)])
        rings = rings * (r <= reach)  # (R, h, w)
        # The template's energy over the acquired pixels: the edge takes some of it away.
        energy = _correlate(_fft(mask).rfft2(mask, s=shape)[:, None], rings**2, shape, (height, width))
        scale = 1 / xp.sqrt(xp.clip(energy, 1e-3, None) / 2)  # (B, R, H, W)
        spectrum = _fft(maps).rfft2(maps, s=shape)  # (B, G, h, w/2 + 1)
        argument = 2 * k[..., None, None] * r  # (B, G, h, w)
        wave = xp.stack([xp.cos(argument), xp.sin(argument)], 2)  # (B, G, 2, h, w)
        fields = []
        for index in range(rings.shape[0]):
            field = _correlate(spectrum[:, :, None], wave * rings[index], shape, (height, width))
            fields.append(field * scale[:, None, None, index])
        return xp.stack(fields, 2)


def _fft(array: Any) -> Any:
    """The Fourier transforms of an array's kind; those of SciPy stay in single precision."""
    return scipy_fft if isinstance(array, np.ndarray) else namespace(array).fft


def _distances(like: Any, shape: tuple[int, ...]) -> Any:
    """Distance of every pixel of a periodic field from its first one [px]."""
    if isinstance(like, np.ndarray):
        rows, columns = (scipy_fft.fftfreq(side, 1 / side).astype(np.float32) for side in shape)
    else:
        torch = namespace(like)
        kind = {"device": like.device, "dtype": torch.float32}
        rows, columns = (torch.fft.fftfreq(side, 1 / side, **kind) for side in shape)
    return namespace(like).sqrt(rows[:, None] ** 2 + columns[None, :] ** 2)


def _step(xp: Any, distance: Any) -> Any:
    """A step of about a pixel, the logistic function of twice the distance; as a tanh it never overflows."""
    return 0.5 + 0.5 * xp.tanh(distance)


def _correlate(spectrum: Any, kernel: Any, shape: tuple[int, ...], size: tuple[int, int]) -> Any:
    """Correlate with an even kernel (its transform is real) and cut the field out of the padding."""
    product = spectrum * _fft(kernel).rfft2(kernel).real
    return _fft(kernel).irfft2(product, s=shape)[..., : size[0], : size[1]]
