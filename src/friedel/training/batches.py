"""Where a training's batches come from: this process, or several beside it, so that a GPU need not wait for scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from friedel._util.torch_defaults import torch_defaults

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


class Source(Protocol):
    """A recipe, as far as its batches go; see `friedel.training.loop.Recipe`."""

    def batch(self, generator: torch.Generator, device: torch.device) -> Any:
        """Make one batch, random by `generator` only, on `device`."""
        ...


class _Stream(IterableDataset[Any]):
    """Endless batches of one worker, random by its own generator."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        if worker is None:
            raise RuntimeError("a stream of batches belongs into a worker process")
        generator = torch.Generator().manual_seed(worker.seed)
        while True:
            with torch_defaults():
                batch = self.source.batch(generator, torch.device("cpu"))
            yield batch


def batches(
    source: Source, generator: torch.Generator, device: torch.device, workers: int = 0
) -> Generator[Any, None, None]:
    """Give endless batches on `device`.

    Parameters
    ----------
    source : Source
        With workers its batches must have a method ``to(device)``.
    generator : torch.Generator
        The source of everything random. With workers it gives their seeds: their number, too, determines the batches,
        which come in turn.
    device : torch.device
    workers : int
        Processes that make batches; 0: this one does.

    Yields
    ------
    batch
    """
    if not workers:
        while True:
            yield source.batch(generator, device)
    loader = DataLoader(_Stream(source), batch_size=None, num_workers=workers, generator=generator)
    for batch in loader:
        yield batch.to(device)
