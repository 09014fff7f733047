"""An unfinished training on disk: what is written, and what a damaged file is called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from friedel._util.atomic_write import write_beside
from friedel.errors import ModelError
from friedel.training.adam import Adam


@dataclass
class MovingParts:
    """What changes with every step of a training, whatever is trained.

    Parameters
    ----------
    network : torch.nn.Module
    optimizer : torch.optim.Optimizer or friedel.training.adam.Adam
    generator : torch.Generator
        The source of everything random, on the CPU.
    average : torch.optim.swa_utils.AveragedModel, optional
        A moving average of the weights.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer | Adam
    generator: torch.Generator
    average: AveragedModel | None = None

    def state(self) -> dict[str, Any]:
        """Give all parts as tensors and plain Python types."""
        return {
            "network": self.network.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load(self, content: dict[str, Any]) -> None:
        """Set all parts to what `state` gave."""
        self.network.load_state_dict(content["network"])
        if self.average is not None:
            self.average.load_state_dict(content["average"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.generator.set_state(content["generator"].cpu())


def write_checkpoint(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Write tensors and plain Python types beside `path`, then rename: a crash leaves the file before."""
    with write_beside(path) as beside:
        torch.save(content, beside)


@contextmanager
def reading_checkpoint(
    path: str | os.PathLike[str], device: torch.device, what: str
) -> Iterator[dict[str, Any]]:
    """Give the content of a checkpoint; whatever goes wrong with it inside the block becomes one sentence.

    Parameters
    ----------
    path : path
    device : torch.device
        Where the tensors go.
    what : str
        What the file holds, for the sentence, for example ``"saved fine-tuning"``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelError
        If the file is damaged or of another version; a `ModelError` raised in the block passes through.
    """
    try:
        # weights_only: tensors and plain Python types, no code
        yield torch.load(path, map_location=device, weights_only=True)
    except (ModelError, FileNotFoundError):
        raise
    except Exception as error:
        raise ModelError(
            f"The {what} {path} is damaged or of another version; delete it and start again."
        ) from error
