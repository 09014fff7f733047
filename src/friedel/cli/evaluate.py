"""`friedel evaluate POINTS TRUTH`: precision, recall, F1, average precision, RMSE, chance."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from friedel.errors import FriedelError

_STACKS = {".nc", ".nc4", ".h5", ".hdf5"}


@dataclass(frozen=True)
class _Points:
    """Points of one file: in pixels and, where the file tells, in nm; the shape if known."""

    pixels: np.ndarray
    nm: np.ndarray | None
    scores: np.ndarray | None
    shape: tuple[int, int] | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = (
        "Example: friedel evaluate points.csv grid.nc. Nothing is written; --json prints all figures."
    )
    parser.add_argument("points", metavar="POINTS", help="found points: a table written by `friedel detect`")
    parser.add_argument(
        "truth",
        metavar="TRUTH",
        help="reference points (CSV, JSON or xyz), or a simulated stack (.nc) that knows its own",
    )
    tolerance = parser.add_mutually_exclusive_group()
    tolerance.add_argument(
        "--tolerance-px", type=float, metavar="PX", help="largest distance of a pair [pixels] (default: 1)"
    )
    tolerance.add_argument("--tolerance-nm", type=float, metavar="NM", help="the same in nm")
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="P",
        help="only points of at least this probability (default: all in the table)",
    )
    parser.add_argument(
        "--border-px",
        type=float,
        default=0.0,
        metavar="PX",
        help="reference points this close to the field's border may be found or not (default: 0)",
    )
    parser.add_argument(
        "--shape", type=_shape, metavar="ROWS,COLUMNS", help="the field, where TRUTH does not tell it"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Score the points and print the figures."""
    from friedel.scoring.metrics import evaluate

    found, truth = _read(args.points), _read(args.truth)
    shape = args.shape or truth.shape or found.shape
    tolerance = 1.0 if args.tolerance_px is None else args.tolerance_px
    if tolerance <= 0 or (args.tolerance_nm is not None and args.tolerance_nm <= 0):
        raise FriedelError("The tolerance must be a positive length.")
    if args.border_px and shape is None:
        raise FriedelError("--border-px needs the field's --shape ROWS,COLUMNS.")
    keep = np.ones(len(found.pixels), bool)
    if args.threshold is not None:
        if found.scores is None:
            raise FriedelError(f"{args.points} has no column 'probability' to compare with --threshold.")
        keep = found.scores >= args.threshold
    optional = None
    if args.border_px and shape is not None:
        limits = np.asarray(shape) - 0.5
        optional = (np.minimum(truth.pixels + 0.5, limits - truth.pixels) <= args.border_px).any(axis=1)
    unit, a, b, pitch = "px", found.pixels, truth.pixels, 1.0
    if args.tolerance_nm is not None:
        if found.nm is None or truth.nm is None:
            missing = args.points if found.nm is None else args.truth
            raise FriedelError(f"{missing} gives no positions in nm (x_nm, y_nm); use --tolerance-px.")
        unit, a, b, tolerance = "nm", found.nm, truth.nm, args.tolerance_nm
        pitch = _pitch(truth) or _pitch(found) or 0.0
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

        required = truth.pixels if optional is None else truth.pixels[~optional]
        chance = chance_recall(required, scores.n_found, tolerance / pitch, shape)
        result["chance_recall"] = chance if np.isfinite(chance) else None
    print(json.dumps(result, indent=2) if args.json else _text(result))
    return 0


def _shape(text: str) -> tuple[int, int]:
    try:
        rows, columns = (int(part) for part in text.replace("x", ",").split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form ROWS,COLUMNS") from error
    if rows < 1 or columns < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a field has at least one row and one column")
    return rows, columns


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
    from friedel.stack import pixel_pitch

    stack = open_stack(name)
    if "truth_row" not in stack.attrs or "truth_column" not in stack.attrs:
        raise FriedelError(f"{name} does not know its impurities (no attributes truth_row and truth_column).")
    pixels = np.stack(
        [np.atleast_1d(stack.attrs[key]) for key in ("truth_row", "truth_column")], axis=1
    ).astype(float)
    shape = (stack.sizes["y"], stack.sizes["x"])
    # A scene is larger than its field: impurities outside send waves in, but are not asked for.
    inside = ((pixels >= -0.5) & (pixels <= np.asarray(shape) - 0.5)).all(axis=1)
    return _Points(pixels[inside], (pixels * pixel_pitch(stack))[inside], None, shape)


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


def _text(result: dict) -> str:
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
        f"average precision  {figure('average_precision')}",
        f"RMSE of the pairs  {figure('rmse')} {result['unit']}",
        f"paper's share      {figure('paper_share')}  (not one-to-one, no price on false points)",
        f"recall by chance   {figure('chance_recall')}  (as many random points)",
    ]
    return "\n".join(lines)
