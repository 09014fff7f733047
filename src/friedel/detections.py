"""The result of a detection: a table of positions with what is known about each, the maps of S, and provenance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from friedel.errors import FriedelError
from friedel.presenting import Presented

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import xarray as xr

    from friedel.refit.completeness import Completeness
    from friedel.refit.fitted_waves import FittedWaves

#: Columns every table has, with their units. `row` and `column` are fractional pixel indices of the array as
#: recorded in the file (integer = pixel centre); `x_nm`, `y_nm` count from the centre of pixel (0, 0);
#: `tip_x_nm`, `tip_y_nm` are the instrument's own coordinates.
COLUMNS: dict[str, str] = {
    "row": "px",
    "column": "px",
    "x_nm": "nm",
    "y_nm": "nm",
    "tip_x_nm": "nm",
    "tip_y_nm": "nm",
    "probability": "1",
    "s": "1",
    "sigma_nm": "nm",
}


#: A point made by hand that is nearer than this to an impurity stands for it [px].
SAME_PX = 1.0
#: Columns that a classical method adds, with their units: the field-wise significance 1 − p. `probability` holds the
#: same number there, since every table has that column; a posterior probability it is only for a network.
CLASSICAL_COLUMNS: dict[str, str] = {"significance": "1"}


#: Columns that a refit adds (`friedel.refit.columns` has their formulas), with their units.
FIT_COLUMNS: dict[str, str] = {
    "amplitude": "1",
    "sigma_amplitude": "1",
    "phase_rad": "rad",
    "sigma_phase_rad": "rad",
    "phase_shift_rad": "rad",
    "sigma_phase_shift_rad": "rad",
    "phase_shift_slope_per_ev": "rad/eV",
    "sigma_phase_shift_slope_per_ev": "rad/eV",
    "absorption": "1",
    "sigma_absorption": "1",
    "delta_chi2": "1",
    "inside_share": "1",
    "own_share": "1",
    "flags": "1",
}


@dataclass(frozen=True)
class Check:
    """One doubt about a result, tested.

    Parameters
    ----------
    name : str
        For example ``"ring"`` or ``"density"``.
    value : float
        What was measured; NaN where it could not be.
    limit : float
        What `value` is compared with.
    passed : bool
    sentence : str
        What was found and, if the check failed, what to do.
    noted : bool
        The check passed because the result was corrected for what was found: worth reading, and told as a warning.
    """

    name: str
    value: float
    limit: float
    passed: bool
    sentence: str
    noted: bool = False

    @property
    def state(self) -> Literal["failed", "noted", "passed"]:
        """What became of it, in a word; a failed check is not also noted."""
        if not self.passed:
            return "failed"
        return "noted" if self.noted else "passed"


@dataclass(frozen=True, repr=False, eq=False)
class Detections(Presented):
    """Candidates found in one stack; two are equal only if they are the same object.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per candidate, best first, with the columns of `COLUMNS`; NaN where a method cannot tell (the
        classical methods give no `sigma_nm`). Candidates below the threshold are kept, so that a user can
        move the threshold without running the network again.
    threshold : float
        Candidates with ``probability >= threshold`` are impurities.
    s : numpy.ndarray
        S, the layer before the Softmax, or the classical detector's statistic, shape (rows, columns) of `area`.
    probability : numpy.ndarray
        Probability that an impurity sits in the pixel, same shape as `s`.
    area : tuple of tuple of int
        ``((row_start, row_stop), (column_start, column_stop))`` of the stack that `s` covers.
    provenance : dict
        What made this: version, model and SHA-256 of its weights, channel, dispersion, parameters, warnings.
        Plain JSON types only.
    checks : tuple of Check
        What was tested about the result. One that failed or is noted is also among the warnings.
    waves : FittedWaves, optional
        The fitted waves, if a refit was used.
    frame : xarray.Dataset, optional
        The stack without its maps: coordinates and attributes, which say where a pixel lies.
    """

    table: pd.DataFrame
    threshold: float
    s: np.ndarray
    probability: np.ndarray
    area: tuple[tuple[int, int], tuple[int, int]]
    provenance: dict[str, Any] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    waves: FittedWaves | None = None
    frame: xr.Dataset | None = None

    def __post_init__(self) -> None:
        missing = [name for name in COLUMNS if name not in self.table.columns]
        if missing:
            raise ValueError(f"A Detections table needs the columns {list(COLUMNS)}; {missing} are missing.")

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.state == "failed")

    @property
    def noted(self) -> tuple[Check, ...]:
        """The checks that passed after a correction, such as points of a step edge that were demoted."""
        return tuple(check for check in self.checks if check.state == "noted")

    def __len__(self) -> int:
        return len(self.impurities)

    @property
    def withheld(self) -> bool:
        """Whether no probability is listed, because nothing in the maps tells of waves: no impurity is no finding."""
        known = self.probability == self.probability  # not NaN
        return bool(self.table["probability"].isna().all() and not known.any())

    @property
    def impurities(self) -> pd.DataFrame:
        """Candidates at or above the threshold, a `pandas.DataFrame`."""
        return self.above(self.threshold)

    def above(self, threshold: float) -> pd.DataFrame:
        """Candidates whose probability is at least `threshold` (0 to 1), a `pandas.DataFrame`."""
        keep = self.table["probability"].to_numpy() >= threshold
        return self.table[keep].reset_index(drop=True)

    def model(self, index: int) -> np.ndarray:
        """Fitted map of the voltage of this index among ``provenance["bias_mv"]``, shape (rows, columns) of `area`.

        Raises
        ------
        FriedelError
            If no refit was used.
        """
        return self._fitted_waves().model(index)

    def residual(self, index: int) -> np.ndarray:
        """Data minus `model`, shape (rows, columns) of `area`, in the units of the data; raises as `model`."""
        return self._fitted_waves().residual(index)

    def completeness(self) -> Completeness:
        """Where the data ask for one more scatterer, and how weak one could stay undetected, in pixels of `area`.

        It takes about as long as one iteration of the refit; raises as `model`.
        """
        return self._fitted_waves().completeness()

    def refit(
        self, points: pd.DataFrame | np.ndarray, *, refit: str = "quick", hold: bool = False
    ) -> Detections:
        """Fit given points, from this table or any other source, to the same maps, prepared as they were.

        Parameters
        ----------
        points : DataFrame or array, shape (n, 2)
            Columns ``row`` and ``column`` [px of the recorded array].
        refit : {"quick", "full"}
        hold : bool
            Hold the positions where they are given.

        Returns
        -------
        Detections
            As `friedel.refit_points` gives it; S and probability per pixel are those of this detection.

        Raises
        ------
        FriedelError
            If no refit was used, so that there are no fitted maps.
        StackError, ModelError
            As `friedel.refit_points`.
        """
        from friedel.given_points import refit_again

        return refit_again(self, points, refit=refit, hold=hold)

    def _fitted_waves(self) -> FittedWaves:
        if self.waves is None:
            raise FriedelError(
                "There is no model of the maps: no refit was used. Detect with a quick or full refit."
            )
        return self.waves

    @property
    def positions(self) -> np.ndarray:
        """Positions of the impurities, shape (n, 2), in pixels (row, column)."""
        return self.impurities[["row", "column"]].to_numpy(dtype=float)
