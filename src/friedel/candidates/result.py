"""What a method found on the prepared maps: the stage between `Prepared` and `Fitted`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

#: Columns of the table of candidates, with their units.
CANDIDATE_COLUMNS: dict[str, str] = {
    "row": "px",
    "column": "px",
    "s": "1",
    "probability": "1",
    "sigma_px": "px",
}


@dataclass(frozen=True)
class Candidates:
    """Positions that may be impurities, in pixels of the prepared maps.

    Parameters
    ----------
    table : pandas.DataFrame
        `CANDIDATE_COLUMNS`, the most probable first; `sigma_px` is the standard deviation per axis, NaN where the
        method gives none.
    s : array, shape (rows, columns)
        S of a network, or the statistic T of a classical method.
    probability : array, shape (rows, columns)
        Probability of an impurity in each pixel, or the significance of T over the field.
    threshold : float
        Candidates with ``probability >= threshold`` are impurities.
    calibrated : bool
        True where `probability` is a calibrated probability, False where it is a significance.
    knows_empty : bool
        Whether the probabilities were calibrated on fields without impurities, too: only then a sure impurity tells of
        waves.
    method : mapping
        What the provenance says about the method: model, tiles, device, template.
    """

    table: pd.DataFrame
    s: np.ndarray
    probability: np.ndarray
    threshold: float
    calibrated: bool
    knows_empty: bool = False
    method: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = [name for name in CANDIDATE_COLUMNS if name not in self.table.columns]
        if missing:
            raise ValueError(
                f"A table of candidates needs the columns {list(CANDIDATE_COLUMNS)}; {missing} are missing."
            )

    @property
    def knows_sigma(self) -> bool:
        """Whether the method gives a position uncertainty."""
        return bool(np.isfinite(self.table["sigma_px"]).any())
