"""`friedel evaluate POINTS TRUTH`: precision, recall, F1, average precision, RMSE, chance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from friedel.cli.options import FriedelCommand, from_settings
from friedel.cli.output import say, say_json
from friedel.errors import FriedelError, StackError
from friedel.settings import EvaluateSettings

_STACKS = {".nc", ".nc4", ".h5", ".hdf5"}


@dataclass(frozen=True)
class _Points:
    """Points of one file: in pixels and, where the file tells, in nm; the shape if known."""

    pixels: np.ndarray
    nm: np.ndarray | None
    scores: np.ndarray | None
    shape: tuple[int, int] | None = None


@click.command(
    cls=FriedelCommand,
    epilog="Example: friedel evaluate points.csv grid.nc. Nothing is written; --json prints all figures.",
)
@click.argument("points")
@click.argument("truth")
@from_settings("settings", EvaluateSettings)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(points: str, truth: str, settings: EvaluateSettings, as_json: bool) -> int:
    """Compare found points with a reference.

    POINTS is a table written by `friedel detect`; TRUTH is a table of points (CSV, JSON or xyz), or a simulated stack
    (.nc) that knows its own.
    """
    from friedel.scoring.metrics import evaluate

    found, reference = _read(points), _read(truth)
    shape = settings.shape or reference.shape or found.shape
    if settings.border_px and shape is None:
        raise FriedelError("A border needs the field's rows and columns.", settings=("border_px", "shape"))
    keep = np.ones(len(found.pixels), bool)
    if settings.threshold is not None:
        if found.scores is None:
            raise FriedelError(
                f"{points} has no column 'probability' to compare with the threshold.", settings="threshold"
            )
        keep = found.scores >= settings.threshold
    optional = None
    if settings.border_px and shape is not None:
        limits = np.asarray(shape) - 0.5
        optional = (np.minimum(reference.pixels + 0.5, limits - reference.pixels) <= settings.border_px).any(
            axis=1
        )
    unit, a, b, pitch = "px", found.pixels, reference.pixels, 1.0
    tolerance = settings.tolerance_px or 1.0
    if settings.tolerance_nm is not None:
        if found.nm is None or reference.nm is None:
            missing = points if found.nm is None else truth
            raise FriedelError(
                f"{missing} gives no positions in nm (x_nm, y_nm); give the tolerance in pixels.",
                settings="tolerance_px",
            )
        unit, a, b, tolerance = "nm", found.nm, reference.nm, settings.tolerance_nm
        pitch = _pitch(reference) or _pitch(found) or 0.0
    scores = evaluate(
        a[keep],
        b,
        tolerance,
        None,
        found.scores,
        optional=optional,
        candidates=None if found.scores is None else a,
    )
    result = scores.as_dict() | {"unit": unit}
    if shape is not None and pitch:
        from friedel.scoring.chance import chance_recall

        required = reference.pixels if optional is None else reference.pixels[~optional]
        chance = chance_recall(required, scores.n_found, tolerance / pitch, shape)
        result["chance_recall"] = chance if np.isfinite(chance) else None
    if as_json:
        say_json(result, indent=2)
    else:
        say(_text(result))
    return 0


def _read(name: str) -> _Points:
    path = Path(name)
    if not path.exists():
        raise FriedelError(f"{name}: no such file.")
    if path.suffix.lower() in _STACKS:
        return _read_stack(name)
    from friedel.io.points import read_points

    table = read_points(path)
    scores = None
    if "probability" in table:
        values = table["probability"].to_numpy(dtype=float)
        scores = values if np.isfinite(values).all() else None
    return _Points(_pair(table, "row", "column", name), _nm(table, name), scores)


def _read_stack(name: str) -> _Points:
    from friedel.io import open_stack
    from friedel.stack import pixel_pitch, true_positions

    stack = open_stack(name)
    try:
        pixels = true_positions(stack)
    except StackError as error:
        raise FriedelError(f"{name}: {error}") from error
    shape = (stack.sizes["y"], stack.sizes["x"])
    return _Points(pixels, pixels * pixel_pitch(stack), None, shape)


def _pair(table: pd.DataFrame, first: str, second: str, name: str) -> np.ndarray:
    values = table[[first, second]].to_numpy(dtype=float)
    if not np.isfinite(values).all():
        raise FriedelError(f"{name} holds positions that are not finite numbers in {first} or {second}.")
    return values


def _nm(table: pd.DataFrame, name: str) -> np.ndarray | None:
    if not {"x_nm", "y_nm"} <= set(table.columns) or table[["x_nm", "y_nm"]].isna().any(axis=None):
        return None
    return _pair(table, "y_nm", "x_nm", name)


def _pitch(points: _Points) -> float | None:
    """Pixel pitch [nm] that the two sets of coordinates imply, or None."""
    if points.nm is None or not len(points.pixels):
        return None
    pixels, nm = points.pixels.sum(), points.nm.sum()
    return float(nm / pixels) if pixels > 0 and nm > 0 else None


def _text(result: dict[str, Any]) -> str:
    def figure(name: str, digits: int = 3) -> str:
        value = result[name]
        return "–" if value is None else f"{value:.{digits}f}"

    def interval(name: str) -> str:
        low, high = result[f"{name}_interval"]
        return f"  (95 %: {low:.3f} – {high:.3f})"

    lines = [
        f"found {result['n_found']}, reference {result['n_truth']}, pairs within "
        f"{result['tolerance']:g} {result['unit']}: {result['right']}",
        f"false {result['false']}, missed {result['missed']}"
        + (f", on the border {result['ignored']}" if result["ignored"] else ""),
        f"precision          {figure('precision')}{interval('precision')}",
        f"recall             {figure('recall')}{interval('recall')}",
        f"F1                 {figure('f1')}{interval('f1')}",
        f"average precision  {figure('average_precision')}  (over all thresholds)",
        f"RMSE of the pairs  {figure('rmse')} {result['unit']}",
        f"paper's share      {figure('paper_share')}  (not one-to-one, no price on false points)",
        f"recall by chance   {figure('chance_recall')}  (as many random points)",
    ]
    return "\n".join(lines)
