"""The last stage: candidates become a table in pixels and nm, with checks and provenance."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import friedel
from friedel.checks import Facts, check_all
from friedel.demotion import demoted, sure_and_doubtful
from friedel.detections import COLUMNS, Check, Detections
from friedel.physics.dispersion import MATERIALS
from friedel.settings.checks import CHECK_LIMITS
from friedel.stack import Area, scan_position, tip_position

if TYPE_CHECKING:
    import xarray as xr

    from friedel._util.remarks import Remarks
    from friedel.prepare.prepared import Prepared
    from friedel.refit.fitted_candidates import FittedCandidates
    from friedel.resample import Scaling
    from friedel.settings import DetectSettings

#: Checks whose failure the stages before have already told.
_REMARKED = ("field size",)


def assemble(
    stack: xr.Dataset,
    area: Area,
    prepared: Prepared,
    fitted: FittedCandidates,
    settings: DetectSettings,
    remarks: Remarks,
) -> Detections:
    """The result in pixels of the recorded array and in nm.

    Parameters
    ----------
    stack : xarray.Dataset
        The whole stack.
    area : ((int, int), (int, int))
        Rows and columns of it that were searched.
    prepared : Prepared
    fitted : FittedCandidates
    settings : DetectSettings
        For the provenance.
    remarks : Remarks
        Takes the sentences of checks that failed or are noted.
    """
    found, scaling = fitted.candidates, prepared.scaling
    table = demoted(found, prepared, settings)
    checks = check_all(_facts(prepared, fitted, table))
    for check in checks:
        if check.state != "passed" and check.name not in _REMARKED:
            remarks.add(check.sentence)
    return Detections(
        table=physical(table, scaling, stack, area),
        threshold=float(found.threshold),
        s=scaling.back(found.s),
        probability=scaling.back(found.probability),
        area=area,
        provenance={
            "version": friedel.__version__,
            "method": settings.method,
            **found.method,
            **({"refit": dict(fitted.about) or None} if fitted.refitted else {}),
            "source": str(stack.attrs.get("source", "")),
            **of_maps(prepared),
            "checks": [_plain(check) for check in checks],
            "area": [list(area[0]), list(area[1])],
            "threshold": float(found.threshold),
            "settings": settings.as_dict(),
            "warnings": list(remarks),
        },
        checks=checks,
        waves=fitted.waves,
        frame=frame_of(stack),
    )


def frame_of(stack: xr.Dataset) -> xr.Dataset:
    """The stack without its maps: coordinates and attributes, which say where a pixel lies."""
    return stack.drop_vars(list(stack.data_vars))


def of_maps(prepared: Prepared) -> dict[str, Any]:
    """What the provenance says about the maps."""
    scaling = prepared.scaling
    return {
        "channel": prepared.channel,
        "derived": prepared.derived,
        "dispersion": prepared.band.summary(),
        "bias_mv": [float(v) for v in prepared.bias_mv],
        "energy_mev": [float(v) for v in prepared.energy_mev],
        "prepare": prepared.flattened.summary(),
        "k_rad_per_px": [float(scaling.k.min()), float(scaling.k.max())],
        "rescale": [float(v) for v in scaling.step],
        "pixel_nm": float(scaling.pixel_nm),
    }


def _plain(check: Check) -> dict[str, Any]:
    """A check as JSON types; a value that could not be measured is None."""
    return {name: None if value != value else value for name, value in asdict(check).items()}


def _facts(prepared: Prepared, fitted: FittedCandidates, table: pd.DataFrame) -> Facts:
    """What the checks rest on; `table` is that after the demotion."""
    found, scaling = fitted.candidates, prepared.scaling
    sure, doubtful = (found.table.iloc[one] for one in sure_and_doubtful(found.table, found.threshold))
    left = table[table["probability"].to_numpy(float) >= found.threshold]
    return Facts(
        positions=sure[["row", "column"]].to_numpy(float),
        doubtful=doubtful[["row", "column"]].to_numpy(float),
        left=left[["row", "column"]].to_numpy(float),
        left_probability=left["probability"].to_numpy(float),
        probability=sure["probability"].to_numpy(float),
        shape=(int(prepared.mask.shape[0]), int(prepared.mask.shape[1])),
        area_px=float(prepared.mask.sum()),
        half_px=prepared.half_wave_px,
        recorded_half_px=prepared.half_wave_px * min(scaling.step),
        voltages=len(prepared.bias_mv),
        voltages_out=prepared.out_of_band,
        lost=prepared.flattened.lost,
        band_given=prepared.band.dispersion is not None,
        ring=prepared.flattened.ring,
        dropped=fitted.dropped_share,
        explained=fitted.explained_share,
        calibrated=found.calibrated,
        unregistered=float("nan") if prepared.shifts is None else prepared.shifts.unknown_share,
        suggested=_suggested(prepared),
        withheld=bool(np.isnan(found.probability).all()),
    )


def _suggested(prepared: Prepared) -> str:
    """Name the materials that have the ring's wavevector, if there is a band and a ring."""
    band, ratio = prepared.band.dispersion, prepared.flattened.ring.k_ratio
    if band is None or not np.isfinite(ratio):
        return ""
    ring = ratio * band.k(prepared.energy_mev)
    names = [
        name
        for name, one in MATERIALS.items()
        if abs(float(np.log(one.k(prepared.energy_mev) / ring).mean())) <= CHECK_LIMITS.wavevector
    ]
    return f" The band of {' or '.join(names)} has such a ring." if names else ""


def physical(table: pd.DataFrame, scaling: Scaling, stack: xr.Dataset, area: Area) -> pd.DataFrame:
    """Positions in pixels of the recorded array and in nm; what lies beyond the border is no impurity of this field."""
    corner = np.array([area[0][0], area[1][0]])
    positions = scaling.to_old(table[["row", "column"]].to_numpy(dtype=float).reshape(-1, 2))
    inside = ((positions >= -0.5) & (positions <= np.array(scaling.shape) - 0.5)).all(axis=1)
    table, positions = table.iloc[np.flatnonzero(inside)], positions[inside] + corner
    x_nm, y_nm = scan_position(stack, positions[:, 0], positions[:, 1])
    tip_x, tip_y = tip_position(stack, x_nm, y_nm)
    columns = {
        "row": positions[:, 0],
        "column": positions[:, 1],
        "x_nm": x_nm,
        "y_nm": y_nm,
        "tip_x_nm": tip_x,
        "tip_y_nm": tip_y,
        "probability": table["probability"].to_numpy(dtype=float),
        "s": table["s"].to_numpy(dtype=float),
        "sigma_nm": table["sigma_px"].to_numpy(dtype=float) * scaling.pixel_nm,
    }
    rest = [name for name in table.columns if name not in ("row", "column", "probability", "s", "sigma_px")]
    return pd.DataFrame(
        {name: columns[name] for name in COLUMNS} | {name: table[name].to_numpy() for name in rest}
    )
