"""An unfinished training on disk: what is written and when, what a full disk costs, what a damaged file is called."""

from __future__ import annotations

import io
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from friedel._util.atomic_write import write_beside
from friedel.errors import FriedelWarning, ModelError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from torch.optim.swa_utils import AveragedModel

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
    """Write tensors and plain Python types beside `path`, then rename: a crash leaves the previous file.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    memory = (
        io.BytesIO()
    )  # torch's own writer of files reports a full disk as a RuntimeError of its internals
    torch.save(content, memory)
    with write_beside(path) as beside:
        beside.write_bytes(memory.getbuffer())


class Keeper:
    """Writes an unfinished training every so often; a disk that is full costs a warning, not the training.

    Parameters
    ----------
    path : path or None
        The checkpoint; None keeps nothing.
    every : float
        Time between two writings [s].
    content : callable
        Gives what is to be written.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None, every: float, content: Callable[[], dict[str, Any]]
    ) -> None:
        self.path = None if path is None else Path(path)
        self.every, self.content = every, content
        self._last = time.monotonic()
        self._failed = False

    def keep(self, *, now: bool = False) -> bool:
        """Write the checkpoint if it is time, or at once; whether what was asked for lies on disk.

        Warns
        -----
        FriedelWarning
            If it cannot be written; once until it can be again.
        """
        if self.path is None or (not now and time.monotonic() - self._last <= self.every):
            return True
        self._last = time.monotonic()
        try:
            write_checkpoint(self.path, self.content())
        except OSError as error:
            if not self._failed:
                warnings.warn(
                    f"The unfinished training cannot be kept in {self.path}: {error.strerror or error}. The training "
                    "goes on, but if it is interrupted, what came after the last file is lost.",
                    FriedelWarning,
                    stacklevel=2,
                )
            self._failed = True
            return False
        self._failed = False
        return True


def different_settings(kept: dict[str, Any], given: dict[str, Any]) -> list[str]:
    """Say in which settings two runs differ, one short text per setting, as ``name: kept, not given``.

    Nested objects are compared entry by entry; tuples and lists are the same. Settings that only one of the two
    knows are passed over: a file of an earlier version knows fewer.
    """
    found = []
    for name in sorted(kept.keys() & given.keys()):
        old, new = kept[name], given[name]
        if isinstance(old, dict) and isinstance(new, dict):
            found += [f"{name}.{text}" for text in different_settings(old, new)]
        elif _plain(old) != _plain(new):
            found.append(f"{name}: {old!r:.40}, not {new!r:.40}")
    return found


def _plain(value: Any) -> Any:
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


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
