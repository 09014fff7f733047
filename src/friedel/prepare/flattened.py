"""The recorded maps without bad data and background, and what was done to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from friedel.prepare.ring_evidence import RingEvidence
    from friedel.prepare.step import Step


@dataclass(frozen=True)
class Flattened:
    """Maps at the recorded sampling, ready to be resampled.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        NaN where nothing is known in any map. Small gaps are interpolated.
    keep : array of int, shape (bias,)
        Index of each map among those given.
    filled : array of bool, shape (rows, columns)
        Pixels that were interpolated in more than a tenth of the maps. A refit leaves them out.
    ring : RingEvidence
        The Friedel ring at q = 2k; NaN without a band.
    high_passed : array of bool, shape (bias,)
        Maps from which the slow background was subtracted.
    lost : float
        Share of the given values that were found bad or not recorded.
    steps : tuple of Step
    """

    maps: np.ndarray
    keep: np.ndarray
    filled: np.ndarray
    ring: RingEvidence
    high_passed: np.ndarray
    lost: float
    steps: tuple[Step, ...]

    def summary(self) -> list[dict[str, Any]]:
        """What was done, as plain JSON types for the provenance."""
        return [
            {"name": step.name, "amount": round(float(step.amount), 6), "text": step.sentence}
            for step in self.steps
        ]
