"""The settings of a fine-tuning."""

from __future__ import annotations

import math
from dataclasses import dataclass

from friedel.errors import ModelError
from friedel.scoring.matching import as_points

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class FineTuneConfig:
    """Settings of a fine-tuning.

    Parameters
    ----------
    alpha : float
        Weight α of L_reg; 0 gives plain L₀. The paper's value is 0.03.
    learning_rate : float
        Of Adam; constant after a short rise.
    epochs, steps_per_epoch : int
        Length of the run. The defaults are those with which the gain was measured (docs: "Does fine-tuning help?").
    batch : int
        Patches per step. The paper's network: so many of 20×20 pixels, simulated and experimental each. The `friedel`
        network: as many pixels in patches of 40×40, simulated and experimental together.
    voltages : int
        Voltages per step, at most as many as the network keeps apart.
    noise : float or None
        η of the simulated patches; measured on the sample if None.
    seed : int
    device : str
    added, removed : tuple of (row, column)
        Points of the stack [px] that are impurities, or are none, as the user knows; any sequence or array of pairs.
    correction_weight : float
        Weight of the corrected points' loss.
    check_every : int
        Steps between two validations on the held-out set, the field and the reference.
    patience : int
        Validations without a better held-out loss after which the run stops.
    preview : bool
        Whether a validation also yields S over the field (``values["s"]``).
    """

    alpha: float = 0.03
    learning_rate: float = 3e-4
    epochs: int = 1
    steps_per_epoch: int = 50
    batch: int = 16
    voltages: int = 16
    noise: float | None = None
    seed: int = 0
    device: str = "auto"
    added: Points = ()
    removed: Points = ()
    correction_weight: float = 1.0
    check_every: int = 25
    patience: int = 8
    preview: bool = False

    def __post_init__(self) -> None:
        positive = (
            "learning_rate",
            "epochs",
            "steps_per_epoch",
            "batch",
            "voltages",
            "check_every",
            "patience",
        )
        for name in positive:
            if not getattr(self, name) > 0:
                raise ModelError(f"Fine-tuning: {name} must be greater than 0, not {getattr(self, name)}.")
        for name in ("alpha", "correction_weight", *(["noise"] if self.noise is not None else [])):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ModelError(f"Fine-tuning: {name} must be 0 or greater, not {value}.")
        for name in ("added", "removed"):
            # Plain numbers are what a checkpoint and a model file can hold.
            pairs = as_points(getattr(self, name), f"{name} points").tolist()
            object.__setattr__(self, name, tuple((row, column) for row, column in pairs))

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.steps_per_epoch
