"""The third stage's result: candidates after the refit, with what the fit found out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from friedel.candidates.result import Candidates
    from friedel.refit.fitted_waves import FittedWaves


@dataclass(frozen=True)
class FittedCandidates:
    """Candidates after the refit, or as they were where there was none.

    Parameters
    ----------
    candidates : Candidates
        With the refit's positions, probabilities and columns (`friedel.refit.columns`).
    refitted : bool
        Whether a refit was tried, whether or not it was used.
    about : mapping
        What the provenance says about the refit; empty where it could not be done.
    waves : FittedWaves, optional
        Model and residual of every map, where the refit was used.
    dropped_share : float
        Share of the confident candidates that the refit dropped; NaN without a refit.
    explained_share : float
        Share of the structure outside the cores that the fitted waves explain; NaN without a refit.
    """

    candidates: Candidates
    refitted: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)
    waves: FittedWaves | None = None
    dropped_share: float = float("nan")
    explained_share: float = float("nan")
