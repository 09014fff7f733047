"""Fit the waves of points from any source: by hand, from another program, from a reference map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import friedel
from friedel._util.remarks import Remarks
from friedel.assembly import of_maps, physical
from friedel.classical.detect import K_RANGE
from friedel.detections import Detections
from friedel.errors import ModelError, PhysicsError, StackError
from friedel.physics.dispersion import Dispersion, resolve
from friedel.prepare import Prepared, PrepareSettings, Sampling, prepare
from friedel.progress import drain
from friedel.refit.columns import energy_scale, fit_columns
from friedel.refit.driver import RefitInput, iter_refit
from friedel.refit.fitted import Fitted
from friedel.refit.fitted_waves import FittedWaves
from friedel.refit.flags import PointFlag
from friedel.refit.model_selection import posterior_probability
from friedel.refit.schedules import SCHEDULES
from friedel.stack import validate

#: Probability of a point before the fit: its source says that it is there, the data have not been asked.
PRIOR_PROBABILITY = 0.5
#: Probability from which on a point is an impurity.
THRESHOLD = 0.5


def refit_points(
    stack: xr.Dataset,
    points: pd.DataFrame | np.ndarray,
    *,
    dispersion: Dispersion | str,
    channel: str | None = None,
    refit: str = "quick",
    hold: bool = False,
) -> Detections:
    """Fit amplitudes, phase shifts, σ, Δχ² and a probability to given points.

    Parameters
    ----------
    stack : xarray.Dataset
        See `friedel.stack`.
    points : DataFrame or array, shape (n, 2)
        Columns ``row`` and ``column`` [px of the recorded array].
    dispersion : Dispersion or str
        The surface band, or a material's name.
    channel : str, optional
        The dI/dV channel; the lock-in channel by rule if None.
    refit : {"quick", "full"}
    hold : bool
        Hold the positions where they are given; by default they are fitted, too.

    Returns
    -------
    Detections
        The given points, best first, with the columns of `friedel.detections.FIT_COLUMNS`. The probability comes
        from Δχ² alone (`friedel.refit.model_selection`), with even odds before the fit. `s` is NaN.

    Raises
    ------
    StackError
        If the table has no positions, or none inside the field.
    ModelError, PhysicsError
        If there is no such refit, or if the band cannot be used.
    """
    if refit not in SCHEDULES:
        raise ModelError(f"Unknown refit {refit!r}; known are {', '.join(SCHEDULES)}.")
    validate(stack)
    band = resolve(dispersion)
    if band is None:
        raise PhysicsError(
            "Without a surface band there are no waves to fit: name the material or give the band."
        )
    place = _positions(points)
    remarks = Remarks()
    field = prepare(stack, channel, band, Sampling(K_RANGE), PrepareSettings(), remarks)
    k = band.complex_k(field.energy_mev) * field.scaling.pixel_nm
    start = field.scaling.to_new(place)
    given = RefitInput(field.maps, k, field.fit_mask, start, pixel_nm=field.scaling.pixel_nm, hold=hold)
    fitted = drain(iter_refit(given, SCHEDULES[refit]))
    energy_ev, per_ev = energy_scale(fitted, band, field.scaling.pixel_nm)
    table = _table(fitted, start, field, per_ev, refit)
    nothing = np.full(stack.sizes["y"] * stack.sizes["x"], np.nan, np.float32)
    empty = nothing.reshape(stack.sizes["y"], stack.sizes["x"])
    area = ((0, stack.sizes["y"]), (0, stack.sizes["x"]))
    about: dict[str, Any] = {
        "kind": refit,
        "hold": hold,
        **fitted.summary(),
        "phase_shift_bias_mv": band.onset_mev + 1e3 * energy_ev,
    }
    return Detections(
        table=physical(table, field.scaling, stack, area),
        threshold=THRESHOLD,
        s=empty,
        probability=empty.copy(),
        area=area,
        provenance={
            "version": friedel.__version__,
            "method": "given points",
            "refit": about,
            "source": str(stack.attrs.get("source", "")),
            **of_maps(field),
            "threshold": THRESHOLD,
            "warnings": list(remarks),
        },
        waves=FittedWaves(fitted, field.recorded, field.bias_mv, k, field.scaling),
    )


def _positions(points: pd.DataFrame | np.ndarray) -> np.ndarray:
    if isinstance(points, pd.DataFrame):
        missing = [name for name in ("row", "column") if name not in points]
        if missing:
            raise StackError(f"The table of points lacks the columns {', '.join(missing)}.")
        points = points[["row", "column"]].to_numpy(float)
    place = np.asarray(points, float).reshape(-1, 2)
    if not len(place) or not np.isfinite(place).all():
        raise StackError(
            "Points to fit are rows and columns in pixels, at least one point, all of them numbers."
        )
    return place


def _table(fitted: Fitted, start: np.ndarray, field: Prepared, per_ev: float, kind: str) -> pd.DataFrame:
    """The given points with their probability, best first; those that the fit added are left out."""
    count = len(start)
    estimates = fitted.given
    before = np.full(count, PRIOR_PROBABILITY)
    probability = posterior_probability(before, estimates.delta_chi2, kind)
    table = pd.DataFrame(
        {
            "row": estimates.position[:, 0],
            "column": estimates.position[:, 1],
            "s": np.nan,
            "probability": probability,
            "sigma_px": estimates.sigma,
        }
    )
    extra = fit_columns(fitted, np.arange(count), start, field.mask.shape, per_ev)
    extra["flags"] |= int(PointFlag.BY_HAND)
    table = pd.concat([table, extra], axis=1)
    return table.sort_values("probability", ascending=False, kind="stable", ignore_index=True)
