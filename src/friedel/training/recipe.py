"""What a recipe is: everything that the training loop asks of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class Recipe(Protocol):
    """What is trained on what.

    A recipe may also have ``calibrate(network, device, work) -> dict``, run at the end, whose result is merged into
    the header (`calibration`, `threshold`), and the numbers ``learning_rate``, ``weight_decay`` and ``average`` (decay
    per step of an exponential moving average of the weights; the average is what is kept in the end).
    """

    name: str

    def make_network(self) -> nn.Module:
        """Make a fresh network; torch's global seed is set before."""
        ...

    def batch(self, generator: torch.Generator, device: torch.device) -> Any:
        """Make one batch, random by `generator` only (which lies on the CPU), on `device`."""
        ...

    def loss(self, network: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """Give the loss of one batch and figures to show."""
        ...

    def header(self) -> dict[str, Any]:
        """Give `architecture`, `config`, `k_range` and whatever else belongs into the model's header."""
        ...
