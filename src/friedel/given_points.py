"""Fit the waves of points from any source: by hand, from another program, from a reference map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

import friedel
from friedel._util.remarks import Remarks
from friedel.assembly import frame_of, of_maps, physical
from friedel.classical.detect import K_RANGE
from friedel.detections import COLUMNS, SAME_PX, Detections
from friedel.errors import FriedelError, ModelError, PhysicsError, SettingsError, StackError
from friedel.physics.dispersion import Dispersion, resolve
from friedel.prepare import PrepareSettings, Sampling, prepare
from friedel.progress import drain
from friedel.refit.columns import energy_scale, fit_columns
from friedel.refit.completeness import Acceptance
from friedel.refit.driver import iter_refit
from friedel.refit.fitted_waves import FittedMaps, FittedWaves
from friedel.refit.flags import PointFlag
from friedel.refit.model_selection import posterior_probability
from friedel.refit.p_waves import NO_S_WAVES, scatters_s_waves
from friedel.refit.refit_input import RefitInput
from friedel.refit.schedules import SCHEDULES
from friedel.scoring.matching import as_points
from friedel.settings import RefitSettings
from friedel.stack import Area, validate

if TYPE_CHECKING:
    import xarray as xr

    from friedel.refit.fitted import Fitted

#: Probability of a point before the fit: its source says that it is there, the data have not been asked.
PRIOR_PROBABILITY = 0.5
#: Points nearer than this [px] are one: two scatterers there would share one wave, and neither would seem supported.
TWICE_PX = 0.5
#: Probability from which on a point is an impurity.
THRESHOLD = 0.5
#: What the provenance says of a search, and not of the maps.
OF_THE_SEARCH = ("model", "model_sha256", "architecture", "tiles", "checks", "settings", "template")


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
        from Δχ² alone (`friedel.refit.model_selection`), with even odds before the fit; it is NaN for a point that
        could not be fitted. `s` is NaN. Points outside the field, and those given twice, are left out with a remark.

    Raises
    ------
    StackError
        If these are no positions, or none of them lies inside the field.
    ModelError, PhysicsError
        If there is no such refit, or if the band cannot be used.
    """
    _known_refit(refit)
    RefitSettings(hold=hold, channel=channel)  # of the right types, or an error that names them
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
    maps = FittedMaps(field.recorded, field.bias_mv, band, field.maps, field.fit_mask, k, field.scaling)
    shape = stack.sizes["y"], stack.sizes["x"]
    empty = np.full(shape, np.nan, np.float32)
    before = Detections(
        table=pd.DataFrame(columns=list(COLUMNS), dtype=float),
        threshold=THRESHOLD,
        s=empty,
        probability=empty.copy(),
        area=((0, shape[0]), (0, shape[1])),
        provenance={
            "version": friedel.__version__,
            "source": str(stack.attrs.get("source", "")),
            **of_maps(field),
            "warnings": list(remarks),
        },
        frame=frame_of(stack),
    )
    return _fit(before, frame_of(stack), maps, place, _How(refit, hold))


def refit_again(
    found: Detections, points: pd.DataFrame | np.ndarray, *, refit: str = "quick", hold: bool = False
) -> Detections:
    """Fit given points to the maps of a detection, prepared as they were; see `friedel.Detections.refit`.

    Parameters
    ----------
    found : Detections
        With fitted waves.
    points, refit, hold
        As in `refit_points`.

    Raises
    ------
    FriedelError
        If the detection had no refit.
    StackError, ModelError
        As `refit_points`.
    """
    _known_refit(refit)
    if found.waves is None or found.frame is None:
        raise FriedelError(
            "This detection holds no fitted maps: no refit was used. Detect with a quick or full refit, or use "
            "friedel.refit_points with the stack."
        )
    return _fit(found, found.frame, found.waves.maps, _positions(points), _How(refit, hold))


@dataclass(frozen=True)
class _How:
    """Which refit, and whether positions are held."""

    kind: str
    hold: bool


def _fit(before: Detections, frame: xr.Dataset, maps: FittedMaps, place: np.ndarray, how: _How) -> Detections:
    """The points fitted to these maps; `before` gives area, S and what the provenance says of the maps."""
    band, scaling, area, remarks = maps.band, maps.scaling, before.area, Remarks()
    number = _usable(place, area, remarks)
    corner = np.array([area[0][0], area[1][0]])
    start = scaling.to_new(place[number] - corner)
    given = RefitInput(maps.prepared, maps.k, maps.mask, start, pixel_nm=scaling.pixel_nm, hold=how.hold)
    fitted = drain(iter_refit(given, SCHEDULES[how.kind]))
    if not scatters_s_waves(fitted.given):
        fitted = replace(fitted.with_remarks(NO_S_WAVES), s_waves=False)
        remarks.add(NO_S_WAVES)
    energy_ev, per_ev = energy_scale(fitted, band, scaling.pixel_nm)
    table = _table(fitted, start, maps.mask, per_ev, how.kind).assign(
        number=lambda rows: number[rows["number"]]
    )
    if lost := int(table["probability"].isna().sum()):
        remarks.add(
            f"{lost} of {len(table)} points could not be fitted, and have no probability: waves from there do not "
            "explain the maps. Check that rows stand before columns, that the points are of this file, and the band."
        )
    about: dict[str, Any] = {
        "kind": how.kind,
        "hold": how.hold,
        **fitted.summary(),
        "phase_shift_bias_mv": band.onset_mev + 1e3 * energy_ev,
    }
    made = {name: value for name, value in before.provenance.items() if name not in OF_THE_SEARCH}
    made["warnings"] = [*made.get("warnings", ()), *remarks]
    return replace(
        before,
        table=physical(table, scaling, frame, area),
        threshold=THRESHOLD,
        provenance=made | {"method": "given points", "refit": about, "threshold": THRESHOLD},
        checks=(),
        waves=FittedWaves(fitted, maps, Acceptance(how.kind, THRESHOLD)),
    )


def refit_with(found: Detections, points: np.ndarray, *, refit: str = "quick") -> Detections:
    """Fit points made by hand together with the impurities that a detection found.

    Parameters
    ----------
    found : Detections
        With fitted waves.
    points : array, shape (n, 2)
        Row and column [px of the recorded array]; those nearer than `SAME_PX` to an impurity stand for it.
    refit : {"quick", "full"}

    Returns
    -------
    Detections
        `found` with one more row per point, whose ``origin`` is ``added``, and that of all others ``found``. Model and
        residual are those of the joint fit.

    Raises
    ------
    FriedelError, StackError, ModelError
        As `refit_again`.
    """
    points = _positions(points)
    rest = found.positions
    if len(rest):
        rest = rest[np.hypot(*(rest[:, None] - points[None]).transpose(2, 0, 1)).min(axis=1) >= SAME_PX]
    again = refit_again(found, np.concatenate([points, rest]), refit=refit)
    order = again.table["number"].to_numpy()
    made = again.table[order < len(points)].assign(origin="added")
    table = pd.concat([found.table.assign(origin="found"), made], ignore_index=True).drop(columns="number")
    return replace(found, table=table, waves=again.waves)


def _known_refit(refit: str) -> None:
    if not isinstance(refit, str) or refit not in SCHEDULES:
        raise ModelError(f"Unknown refit {refit!r:.60}; known are {', '.join(SCHEDULES)}.")


def _positions(points: pd.DataFrame | np.ndarray) -> np.ndarray:
    if isinstance(points, pd.DataFrame):
        missing = [name for name in ("row", "column") if name not in points]
        if missing:
            raise StackError(f"The table of points lacks the columns {', '.join(missing)}.")
        points = points[["row", "column"]].to_numpy()
    try:
        place = as_points(points)
    except SettingsError:
        place = np.empty((0, 2))
    if not len(place):
        raise StackError(
            "Points to fit are rows and columns in pixels, an array of shape (n, 2): at least one point, all of them "
            "numbers."
        )
    return place


def _usable(place: np.ndarray, area: Area, remarks: Remarks) -> np.ndarray:
    """Indices of the points inside the area, each once; says what was left out."""
    (top, bottom), (left, right) = area
    inside = ((place >= np.array([top, left]) - 0.5) & (place <= np.array([bottom, right]) - 0.5)).all(axis=1)
    if not inside.any():
        raise StackError(
            f"None of the {len(place)} points lies in rows {top} to {bottom - 1} and columns {left} to {right - 1}: "
            "points to fit are rows and columns in pixels of the recorded array."
        )
    if outside := int((~inside).sum()):
        remarks.add(f"{outside} of {len(place)} points lie outside the field and were left out.")
    number = np.flatnonzero(inside)
    pairs = KDTree(place[number]).query_pairs(TWICE_PX, output_type="ndarray")
    again = np.unique(pairs.max(axis=1)) if len(pairs) else np.zeros(0, int)
    if len(again):
        remarks.add(f"{len(again)} of {len(place)} points lie on another one and were left out.")
    return np.delete(number, again)


def _table(fitted: Fitted, start: np.ndarray, mask: np.ndarray, per_ev: float, kind: str) -> pd.DataFrame:
    """The given points with their probability, best first; those that the fit added are left out."""
    count = len(start)
    estimates = fitted.given
    before = np.where(np.isfinite(estimates.delta_chi2), PRIOR_PROBABILITY, np.nan)
    probability = posterior_probability(before, estimates.delta_chi2, kind)
    table = pd.DataFrame(
        {
            "row": estimates.position[:, 0],
            "column": estimates.position[:, 1],
            "s": np.nan,
            "probability": probability,
            "sigma_px": estimates.sigma,
            "number": np.arange(count),
        }
    )
    extra = fit_columns(fitted, np.arange(count), start, mask, per_ev)
    extra["flags"] |= int(PointFlag.BY_HAND)
    table = pd.concat([table, extra], axis=1)
    return table.sort_values("probability", ascending=False, kind="stable", ignore_index=True)
