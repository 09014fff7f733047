"""Tables of positions: written for people and other programs, and read back.

- ``.csv``: comment lines with ``#`` (units, provenance), then a header line and one row per impurity;
- ``.json``: the same with units and provenance as objects;
- ``.xyz``: three columns, x and y [nm] and the probability, as Gwyddion and WSxM take it;
- napari's own Points CSV (``format="napari"``): ``index,axis-0,axis-1`` in pixels (row, column), then the table.
"""

from __future__ import annotations

import json
import re
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from friedel._util.arguments import instance_of, path_of, target_of
from friedel._util.atomic_write import write_beside
from friedel.detections import COLUMNS, FIT_COLUMNS, Detections
from friedel.errors import StackError
from friedel.io import handover
from friedel.io.limits import need_file
from friedel.io.written import TABLES, no_points_format, points_format

if TYPE_CHECKING:
    import os

_FORMATS = (*TABLES.values(), "napari")
_LIMIT = 1 << 30
#: Longest line of a head.
_HEAD = 1 << 24


def write_points(
    detections: Detections | pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    provenance: dict[str, Any] | None = None,
) -> None:
    """Write impurities.

    Parameters
    ----------
    detections : Detections or pandas.DataFrame
        The impurities of a `Detections` are written (those at or above its threshold); of a table, every row.
        It needs `row` and `column` [px].
    path : path
        Replaced in one step.
    format : {"csv", "json", "xyz", "napari", "nanonis", "imagej"}, optional
        By the suffix if None; ``.txt`` is a list of tip positions for Nanonis, ``.roi`` a region of ImageJ.
    provenance : dict, optional
        For a table without its own; plain JSON types.

    Raises
    ------
    StackError
        If the format is unknown or the table lacks what the format needs.
    """
    target = target_of(path)
    if format is not None:
        instance_of(format, str, "format", "the name of a format")
    chosen = format or points_format(target)
    table, origin = _table(detections, provenance)
    if chosen == "imagej":
        return handover.write_imagej_roi(table, target)
    if chosen == "nanonis":
        return handover.write_tip_positions(table, target)
    if chosen not in _FORMATS:
        raise no_points_format(target)
    missing = [name for name in ("row", "column") if name not in table]
    if chosen == "xyz":
        missing += [name for name in ("x_nm", "y_nm") if name not in table]
    if missing:
        raise StackError(f"{target}: the table lacks the columns {', '.join(missing)}.")
    text = {"csv": _csv, "json": _json, "xyz": _xyz, "napari": _napari}[chosen](table, origin)
    with write_beside(target) as beside:
        # A file's name need not be UTF-8.
        beside.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def read_points(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a table of positions that `write_points`, napari or a spreadsheet wrote.

    Parameters
    ----------
    path : path
        A ``.csv`` with at least ``row,column`` (or napari's ``axis-…`` columns), a ``.json`` or ``.xyz`` of
        `write_points`.

    Returns
    -------
    pandas.DataFrame
        One row per point, `row` and `column` [px] as float; ``attrs["provenance"]`` holds what the file says of
        its origin.

    Raises
    ------
    StackError
        If the file is not such a table; the message names the file.
    """
    source = path_of(path)
    need_file(source)
    try:
        if source.stat().st_size > _LIMIT:
            raise StackError(f"{source}: too long for a table of points.")
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise StackError(f"{source}: this is not a text table of points.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StackError(f"{source}: cannot be read ({reason}).") from error
    if not text.strip():
        raise StackError(f"{source}: the file is empty.")
    try:
        if text.lstrip().startswith("{"):
            table, provenance = _from_json(text)
        else:
            table, provenance = _from_text(text)
    except StackError as error:
        raise StackError(f"{source}: {error}") from error
    except Exception as error:
        # pandas and json raise many things on a damaged table.
        reason = " ".join(str(error).split())[:160]
        raise StackError(f"{source}: this is no table of points ({reason}).") from error
    for name in ("row", "column"):
        values = pd.to_numeric(table[name], errors="coerce").astype(float)
        if not np.isfinite(values).all():
            bad = int(np.flatnonzero(~np.isfinite(values))[0])
            raise StackError(f"{source}: {name!r} of point {bad + 1} is not a number.")
        table[name] = values
    table = table.reset_index(drop=True)
    table.attrs["provenance"] = provenance
    return table


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What the head of a ``.csv`` says of its origin, without its points; empty if it says nothing."""
    comments: list[str] = []
    try:
        with path_of(path).open(encoding="utf-8-sig") as file:
            while (line := file.readline(_HEAD)).startswith("#"):
                comments.append(line[1:].strip())
    except (OSError, UnicodeDecodeError):
        return {}
    return _provenance(comments)


def _table(
    detections: Detections | pd.DataFrame, provenance: dict[str, Any] | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    if provenance is not None:
        instance_of(provenance, dict, "provenance", "a dictionary")
    if isinstance(detections, pd.DataFrame):
        return detections, dict(provenance or detections.attrs.get("provenance") or {})
    instance_of(detections, Detections, "detections", "Detections or a table")
    return detections.impurities, {
        "threshold": detections.threshold,
        **detections.provenance,
        **(provenance or {}),
    }


def _one_line(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _units(table: pd.DataFrame) -> str:
    units = COLUMNS | FIT_COLUMNS
    return ", ".join(f"{name} [{units[name]}]" for name in table.columns if name in units)


def _csv(table: pd.DataFrame, provenance: dict[str, Any]) -> str:
    lines = [
        "# napari-friedel points",
        f"# units: {_units(table)}",
        "# row, column: pixel indices of the recorded array, integer = pixel centre, row 0 = first recorded line;"
        " x_nm, y_nm: from the centre of pixel (0, 0); tip_x_nm, tip_y_nm: the instrument's coordinates",
        f"# provenance: {_one_line(provenance)}",
    ]
    return "\n".join(lines) + "\n" + table.to_csv(index=False, float_format="%.10g", lineterminator="\n")


def _json(table: pd.DataFrame, provenance: dict[str, Any]) -> str:
    content = {
        "what": "napari-friedel points",
        "units": {name: unit for name, unit in (COLUMNS | FIT_COLUMNS).items() if name in table.columns},
        "provenance": json.loads(_one_line(provenance)),
        # NaN is no JSON; pandas writes null.
        "points": json.loads(table.to_json(orient="records", double_precision=10)),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _xyz(table: pd.DataFrame, provenance: dict[str, Any]) -> str:
    pitch = [_pitch(table["y_nm"], table["row"]), _pitch(table["x_nm"], table["column"])]
    lines = [
        "# napari-friedel points: x [nm], y [nm] from the centre of pixel (0, 0); probability [1]",
        f"# pixel_nm (y, x): {pitch[0]:.10g} {pitch[1]:.10g}",
        f"# provenance: {_one_line(provenance)}",
    ]
    height = table["probability"] if "probability" in table else pd.Series(np.ones(len(table)))
    rows = zip(table["x_nm"], table["y_nm"], height, strict=True)
    return "\n".join([*lines, *(f"{x:.10g}\t{y:.10g}\t{z:.6g}" for x, y, z in rows)]) + "\n"


def _pitch(length: pd.Series, index: pd.Series) -> float:
    """Pixel size from the table itself; NaN where no point tells it."""
    known = index.abs() > 0
    return float((length[known] / index[known]).median()) if known.any() else float("nan")


def _napari(table: pd.DataFrame, _provenance: dict[str, Any]) -> str:
    points = pd.DataFrame({"index": np.arange(len(table)), "axis-0": table["row"], "axis-1": table["column"]})
    rest = table.drop(columns=["row", "column"]).reset_index(drop=True)
    joined = pd.concat([points.reset_index(drop=True), rest], axis=1)
    return joined.to_csv(index=False, float_format="%.10g", lineterminator="\n")


def _from_json(text: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    content = json.loads(text)
    points = content.get("points")
    if not isinstance(points, list):
        raise StackError("there is no list of points in this JSON.")
    table = pd.DataFrame(points)
    if table.empty:
        table = pd.DataFrame({name: pd.Series(dtype=float) for name in content.get("units") or COLUMNS})
    return _need(table), dict(content.get("provenance") or {})


def _from_text(text: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    # Not `splitlines`: a name may hold one of the other signs that it takes for the end of a line, such as U+2028.
    lines = re.split(r"\r\n|\n|\r", text)
    comments = [line[1:].strip() for line in lines if line.startswith("#")]
    body = "\n".join(line for line in lines if line.strip() and not line.startswith("#"))
    provenance = _provenance(comments)
    pixel = next((c for c in comments if c.startswith("pixel_nm (y, x):")), None)
    if pixel is not None:
        return _from_xyz(body, pixel), provenance
    if not body:
        raise StackError("there is no line with the names of the columns.")
    table = pd.read_csv(
        StringIO(body), sep=None if "," not in body.partition("\n")[0] else ",", engine="python"
    )
    table.columns = [str(name).strip() for name in table.columns]
    return _need(_napari_axes(table)), provenance


def _provenance(comments: list[str]) -> dict[str, Any]:
    for comment in comments:
        key, _, value = comment.partition(":")
        if key == "provenance":
            try:
                return dict(json.loads(value))
            except (ValueError, TypeError):
                return {}
    return {}


def _from_xyz(body: str, pixel: str) -> pd.DataFrame:
    pitch_y, pitch_x = (float(word) for word in pixel.partition(":")[2].split())
    columns = ["x_nm", "y_nm", "probability"]
    table = (
        pd.read_csv(StringIO(body), sep="\t", names=columns, dtype=float)
        if body
        else pd.DataFrame({name: pd.Series(dtype=float) for name in columns})
    )
    # A table whose points all lie on row 0 (or column 0) tells no pitch, and needs none.
    table["row"] = np.where(table["y_nm"] == 0, 0.0, table["y_nm"] / pitch_y)
    table["column"] = np.where(table["x_nm"] == 0, 0.0, table["x_nm"] / pitch_x)
    return table


def _napari_axes(table: pd.DataFrame) -> pd.DataFrame:
    """Take napari's names of columns, ``axis-0 …``; the last two are row and column."""
    axes = sorted(
        (name for name in table.columns if re.fullmatch(r"axis-\d+", name)), key=lambda n: int(n[5:])
    )
    if len(axes) < 2 or "row" in table:
        return table
    table = table.rename(columns={axes[-2]: "row", axes[-1]: "column"})
    return table.drop(columns=[name for name in ("index", *axes[:-2]) if name in table])


def _need(table: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in ("row", "column") if name not in table]
    if missing:
        raise StackError(
            f"the columns {' and '.join(missing)} are missing "
            f"(there are {', '.join(map(str, table.columns)) or 'none'})."
        )
    return table
