"""Measured fields whose scatterers are known: the default method on each, as recorded and from the waves alone.

A field is an ``.npz`` file with ``maps`` (bias, y, x) as measured, ``ref`` (row, column), ``bias`` [mV], ``pixel_nm``
(y, x) and, where given, ``waves`` (the same maps with the scatterers replaced by their surroundings), ``ign`` (row,
column, radius [nm]: points there do not count), ``ref_note`` (the reference is incomplete), ``material``.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from friedel.errors import FriedelError, FriedelWarning
from friedel.physics.dispersion import MATERIALS
from friedel.scoring.metrics import evaluate
from friedel.stack import make_stack

if TYPE_CHECKING:
    import os

    import xarray as xr

    from friedel.detections import Detections

#: Largest distance of a pair: so many nm, or this share of half a wavelength where that is more.
TOLERANCE_NM, TOLERANCE_SHARE = 0.5, 0.2


@dataclass(frozen=True)
class MeasuredField:
    """A measured field with its reference.

    Parameters
    ----------
    name : str
    variant : {"as measured", "waves only"}
    maps : array, shape (bias, rows, columns)
    bias_mv : array, shape (bias,)
    pixel_nm : (float, float)
        Along (y, x).
    material : str
    reference : array, shape (n, 2)
        (row, column) [px].
    ignored : array, shape (m, 3)
        (row, column) [px] and radius [nm] of discs in which points do not count.
    complete : bool
        Whether the reference holds all scatterers; else only the recall means something.
    """

    name: str
    variant: str
    maps: np.ndarray
    bias_mv: np.ndarray
    pixel_nm: tuple[float, float]
    material: str
    reference: np.ndarray
    ignored: np.ndarray
    complete: bool

    @property
    def topograph(self) -> bool:
        """Whether it is a constant-current image."""
        return len(self.bias_mv) == 1


def read_measured(folder: str | os.PathLike[str]) -> list[MeasuredField]:
    """Read all fields of a folder.

    Raises
    ------
    FriedelError
        If the folder holds none, or a file lacks what a field needs.
    """
    files = sorted(Path(folder).glob("*.npz"))
    if not files:
        raise FriedelError(f"{folder}: there is no measured field (.npz) in this folder.")
    return [field for path in files for field in _read(path)]


def _read(path: Path) -> list[MeasuredField]:
    with np.load(path, allow_pickle=False) as data:
        content = {name: data[name] for name in data.files}
    missing = [name for name in ("maps", "ref", "bias", "pixel_nm") if name not in content]
    if missing:
        raise FriedelError(f"{path}: this is no measured field; {', '.join(missing)} is missing.")
    pitch = content["pixel_nm"].astype(float)
    told = f"{content.get('material', '')} {path.stem}".lower().replace("(", "").replace(")", "")
    material = next((name for name in MATERIALS if name in told), "")
    if not material:
        raise FriedelError(f"{path}: the material is none of {', '.join(MATERIALS)}.")
    variants = {"as measured": "maps", "waves only": "waves"}
    return [
        MeasuredField(
            path.stem,
            variant,
            content[key],
            content["bias"].astype(float),
            (float(pitch[0]), float(pitch[1])),
            material,
            content["ref"].astype(float),
            content.get("ign", np.zeros((0, 3))).astype(float),
            "ref_note" not in content,
        )
        for variant, key in variants.items()
        if key in content
    ]


def measured_stack(field: MeasuredField) -> xr.Dataset:
    """The maps of a field as a stack."""
    name = "Z" if field.topograph else "dI/dV"
    return make_stack({name: field.maps}, bias_mv=field.bias_mv, pixel_nm=field.pixel_nm, source=field.name)


def detect_measured(field: MeasuredField) -> Detections:
    """Run the default method on a field; nothing is told but the material."""
    from friedel.pipeline import detect

    stack = measured_stack(field)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FriedelWarning)
        return detect(stack, dispersion=field.material)


def _tolerance(found: Detections) -> float:
    low, high = found.provenance["k_rad_per_px"]
    half_nm = np.pi / np.sqrt(low * high) * float(found.provenance["pixel_nm"])
    return float(max(TOLERANCE_NM, TOLERANCE_SHARE * half_nm))


def measured_table(fields: list[MeasuredField]) -> pd.DataFrame:
    """Score the default method on measured fields.

    Parameters
    ----------
    fields : list of MeasuredField

    Returns
    -------
    pandas.DataFrame
        One row per field and variant. Precision and F1 are NaN where the reference is incomplete.
    """
    rows = []
    for field in fields:
        found = detect_measured(field)
        about = {"field": field.name, "variant": field.variant, "reference": len(field.reference)}
        failed = ", ".join(check.name for check in found.failed)
        rows.append(about | asdict(score_measured(field, found)) | {"failed checks": failed})
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class MeasuredScores:
    """How a result compares with a reference; `precision` and `f1` are NaN where the reference is incomplete.

    Parameters
    ----------
    points : int
        Points that count.
    right : int
    precision, recall, f1 : float
    """

    points: int
    right: int
    precision: float
    recall: float
    f1: float


def score_measured(field: MeasuredField, found: Detections) -> MeasuredScores:
    """Compare a result with the reference."""
    pitch = np.array(field.pixel_nm)
    points, truth = found.positions * pitch, field.reference * pitch
    for row, column, radius in field.ignored:
        away = np.hypot(*(points - np.array([row, column]) * pitch).T)
        points = points[away > radius]
    scores = evaluate(points, truth, _tolerance(found), optional=np.zeros(len(truth), bool))
    return MeasuredScores(
        len(points),
        scores.right,
        scores.precision if field.complete else np.nan,
        scores.recall,
        scores.f1 if field.complete else np.nan,
    )
