"""What a network takes and gives, whatever its design."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch


class Output(NamedTuple):
    """A network's answer for a batch of fields.

    s : (B, H, W), the layer before the Softmax (or the sigmoid); local maxima are the candidates.
    offset : (B, 2, H, W) or None, sub-pixel shift (row, column) of the impurity from the pixel's centre [px].
    log_sigma : (B, H, W) or None, logarithm of the position's standard deviation per axis [px].
    """

    s: torch.Tensor
    offset: torch.Tensor | None = None
    log_sigma: torch.Tensor | None = None


class Network(Protocol):
    """Any network of this project.

    ``network(maps, k, mask)`` with

    maps : (B, V, H, W) float32, each map with mean 0 and root mean square 1, 0 where not acquired;
    k : (B, V) wavevector of each map [rad/px];
    mask : (B, H, W) 1 where acquired, else 0.
    """

    def __call__(self, maps: torch.Tensor, k: torch.Tensor, mask: torch.Tensor) -> Output:
        """Give S, and what else the network knows, for a batch of fields."""
        ...
