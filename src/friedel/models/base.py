"""What a network takes and gives, whatever its design."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from friedel.errors import ModelError

if TYPE_CHECKING:
    import torch


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Raise `ValueError` unless a network's setting is a whole number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r:.40}")


def check_dilations(value: Any) -> None:
    """Raise `ValueError` unless these are the dilations of a network's blocks: 1 to 64 of them, each 1 to 256."""
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= 64:
        raise ValueError("dilations must be a list of 1 to 64 whole numbers")
    for one in value:
        check_whole("a dilation", one, 1, 256)


class Output(NamedTuple):
    """A network's answer for a batch of fields.

    s : (B, H, W), the layer before the Softmax (or the sigmoid); local maxima are the candidates.
    offset : (B, 2, H, W) or None, sub-pixel shift (row, column) of the impurity from the pixel's centre [px].
    log_sigma : (B, H, W) or None, logarithm of the position's standard deviation per axis [px].
    """

    s: torch.Tensor
    offset: torch.Tensor | None = None
    log_sigma: torch.Tensor | None = None

    def localisation(self) -> tuple[torch.Tensor, torch.Tensor]:
        """`offset` and `log_sigma` of a network that gives both.

        Raises
        ------
        ModelError
            If it gives S alone.
        """
        if self.offset is None or self.log_sigma is None:
            raise ModelError("This network gives no positions within a pixel; its recipe needs them.")
        return self.offset, self.log_sigma


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
