"""The settings of a training, apart from its recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass

from friedel.errors import ModelError


@dataclass(frozen=True)
class TrainConfig:
    """How long, where and from which seed a network is trained; exactly one of `minutes` and `steps` is given.

    Parameters
    ----------
    seed : int
        Of weights and scenes, from 0 up.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``. On CUDA the network runs in bfloat16 where that is safe.
    minutes : float, optional
        Length of the training [min].
    steps : int, optional
        Length of the training in steps; reproducible to the seed.
    workers : int
        Processes that simulate beside this one; 0: this one simulates, too. Resumed with workers, a training goes on
        with other scenes than it would have had.
    save_every : float
        Time between checkpoints [s].

    Raises
    ------
    ModelError
        If a value makes no sense.
    """

    seed: int = 0
    device: str = "auto"
    minutes: float | None = None
    steps: int | None = None
    workers: int = 0
    save_every: float = 60.0

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise ModelError("Say how long to train: either minutes or steps.")
        for name, least in (("steps", 1), ("seed", 0), ("workers", 0)):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**62:
                raise ModelError(f"Training: {name} must be a whole number from {least} up, not {value!r}.")
        if self.minutes is not None and not (math.isfinite(self.minutes) and self.minutes > 0):
            raise ModelError(f"Training: minutes must be greater than 0, not {self.minutes}.")
        if not self.save_every >= 0:
            raise ModelError(f"Training: save_every must be 0 or greater, not {self.save_every}.")

    @property
    def length(self) -> dict[str, float]:
        """The one that is given of minutes and steps, by its name."""
        return {"minutes": float(self.minutes)} if self.minutes is not None else {"steps": self.steps or 0}

    def done(self, steps: int, seconds: float) -> float:
        """Share of the training that is done after so many steps and seconds; 1 or more at the end."""
        if self.steps is not None:
            return steps / self.steps
        return seconds / (60 * (self.minutes or 1e-9))
