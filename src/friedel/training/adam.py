"""Minimal Adam (Kingma and Ba, arXiv 1412.6980) that avoids importing torch's compiler.

The first `torch.optim` optimiser of a process imports torch's compiler: three seconds on one core, in which a window
stands still, for an update of four lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable


class Adam:
    """Adam with the usual constants, for weights that all have a gradient or none.

    Parameters
    ----------
    weights : iterable of Tensor
    betas : (float, float)
        Memory of the gradients' mean and mean square.
    epsilon : float
    """

    def __init__(
        self, weights: Iterable[Tensor], *, betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8
    ) -> None:
        self.weights = list(weights)
        self.betas, self.epsilon = betas, epsilon
        self.steps = 0
        self.mean = [torch.zeros_like(weight) for weight in self.weights]
        self.square = [torch.zeros_like(weight) for weight in self.weights]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move the weights by one step of this rate."""
        self.steps += 1
        first, second = self.betas
        bias = (1 - second**self.steps) ** 0.5
        for weight, mean, square in zip(self.weights, self.mean, self.square, strict=True):
            if weight.grad is None:
                continue
            mean.lerp_(weight.grad, 1 - first)
            square.mul_(second).addcmul_(weight.grad, weight.grad, value=1 - second)
            spread = (square.sqrt() / bias).add_(self.epsilon)
            weight.addcdiv_(mean, spread, value=-learning_rate / (1 - first**self.steps))

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes, as tensors and plain Python types."""
        return {"steps": self.steps, "mean": self.mean, "square": self.square}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set everything to what `state_dict` gave."""
        self.steps = int(state["steps"])
        for own, given in ((self.mean, state["mean"]), (self.square, state["square"])):
            for target, value in zip(own, given, strict=True):
                target.copy_(value)
