"""Data-parallel training: several processes, on one machine or many, each with scenes of its own.

The processes are started by ``torchrun``, which tells each its rank by environment variables; torch.distributed (gloo
on CPUs, nccl on GPUs) carries the gradients. Every process holds the whole network. A step averages their gradients,
so that N processes learn from N times the batch. The first process alone writes files.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True)
class Group:
    """The processes of one training.

    Parameters
    ----------
    rank : int
        Number of this process, from 0.
    size : int
        Number of processes.
    device : torch.device
        Where this process computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def writes(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def seed(self, seed: int, step: int) -> int:
        """Seed of this process's batches from a step on; any number of processes can go on from there."""
        mixed = (seed * 1_000_003 + step) * 1_000_003 + self.rank
        return mixed % (2**63 - 1)

    def average_gradients(self, weights: Iterable[Tensor]) -> None:
        """Replace every gradient by its mean over the processes."""
        if self.size == 1:
            return
        import torch.distributed as dist

        grads = [weight.grad for weight in weights if weight.grad is not None]
        flat = torch.cat([grad.flatten() for grad in grads])  # one message instead of a hundred
        dist.all_reduce(flat)
        flat /= self.size
        for grad, part in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
            grad.copy_(part.view_as(grad))

    def mean(self, values: list[float]) -> list[float]:
        """Mean of each number over the processes; NaN if one is NaN anywhere."""
        if self.size == 1:
            return values
        import torch.distributed as dist

        table = torch.tensor(values, dtype=torch.float64).to(self._carrier())
        dist.all_reduce(table)
        return [float(value) for value in (table / self.size).cpu()]

    def any(self, value: bool) -> bool:
        """Whether it is true in any process."""
        return self.mean([float(value)])[0] > 0

    def first(self, value: float) -> float:
        """The first process's number."""
        if self.size == 1:
            return value
        import torch.distributed as dist

        table = torch.tensor([value], dtype=torch.float64).to(self._carrier())
        dist.broadcast(table, 0)
        return float(table)

    def same_weights(self, network: torch.nn.Module) -> None:
        """Give every process the first one's weights."""
        if self.size == 1:
            return
        import torch.distributed as dist

        for value in network.state_dict().values():
            dist.broadcast(value, 0)

    def _carrier(self) -> torch.device:
        # nccl carries what lies on a GPU, which has no float64 on some devices; CUDA has.
        return self.device if self.device.type == "cuda" else torch.device("cpu")


@contextmanager
def group(device: torch.device) -> Iterator[Group]:
    """Join the processes that ``torchrun`` has started; without it this process is alone.

    Parameters
    ----------
    device : torch.device
        ``cuda`` without a number becomes the GPU of the process's local rank.
    """
    size = int(os.environ.get("WORLD_SIZE", "1") or 1)
    if size == 1 or "RANK" not in os.environ:
        yield Group(0, 1, device)
        return
    import torch.distributed as dist

    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    ours = not dist.is_initialized()
    if ours:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Group(dist.get_rank(), dist.get_world_size(), device)
    finally:
        if ours:
            dist.destroy_process_group()


def describe(group: Group, workers: int) -> dict[str, Any]:
    """Say where a training runs, for the model's header."""
    return {
        "device": group.device.type,
        "threads": torch.get_num_threads(),
        "workers": workers,
        "processes": group.size,
    }
