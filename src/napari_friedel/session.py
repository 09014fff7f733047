"""A session on disk: which files, which settings, which points, so that work goes on where it was left.

Stacks are kept by path and SHA-256; those that lie in no file, or were calibrated anew, as netCDF files beside the
session. Results are kept with their candidates, edits and threshold.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from friedel._util.atomic_write import write_beside
from friedel.errors import StackError
from friedel.io.netcdf import write
from napari_friedel import remembered
from napari_friedel.layers import results
from napari_friedel.layers.info import ImpuritiesInfo, StackInfo, kind_of, known
from napari_friedel.layers.stack_layers import RECALIBRATED, file_of
from napari_friedel.widgets.shared import shared

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from friedel.physics.dispersion import Dispersion

SUFFIX = ".friedel.json"
VERSION = 1
#: Where the stacks of a session lie that lie in no file of their own.
FOLDER = ".stacks"
#: Without being asked, no more than this is written to disk [bytes].
UNASKED = 100_000_000


@dataclass(frozen=True)
class Capture:
    """A session before it is written.

    Parameters
    ----------
    state : dict
        As `describe` gives it.
    stacks : tuple of xarray.Dataset or None
        In the order of the state's.
    """

    state: dict[str, Any]
    stacks: tuple[xr.Dataset | None, ...]


def last_path() -> Path:
    """Where the state is kept on its own, for "continue where I was"."""
    from friedel.models.registry import user_folder

    return user_folder() / "unfinished" / f"last{SUFFIX}"


def digest(path: str | Path) -> str:
    """SHA-256 of a file, or empty if it cannot be read."""
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def _lies_in_its_file(stack: Any) -> bool:
    """Whether opening the stack's file gives this stack again."""
    return bool(stack.encoding.get("source")) and not stack.encoding.get(RECALIBRATED)


def describe(viewer: Any) -> dict[str, Any]:
    """The state of a viewer: plain JSON types and tables; nothing is read from disk."""
    stacks = []
    for layer in viewer.layers:
        if kind_of(layer) != "stack":
            continue
        info = known(layer, StackInfo)
        source = file_of(info.stack)
        stacks.append(
            {
                "path": source,
                "sha256": "",
                "channel": info.channel,
                "title": info.title,
                "results": [_result(points) for points in results.every(viewer, layer, "impurities")],
            }
        )
    band = shared(viewer).band
    return {
        "friedel session": VERSION,
        "stacks": stacks,
        "bias": [float(v) for v in viewer.dims.point],
        "band": None
        if band is None
        else [band.choice, band.onset_mev, band.mass, _fit(band.fitted), band.words],
        "forms": {
            name: remembered.values(name)
            for name in ("DetectSettings", "PrepareSettings", "DetectDock", "FineTuneSettings")
        },
    }


def _fit(band: Dispersion | None) -> list[float] | None:
    return None if band is None else [band.onset_mev, band.mass]


def _result(points: Any) -> dict[str, Any]:
    info = known(points, ImpuritiesInfo)
    features = points.features.assign(row=points.data[:, 0], column=points.data[:, 1])
    return {
        "name": points.name,
        "label": info.label,
        "current": info.current,
        "threshold": info.threshold,
        "removed": [list(p) for p in info.removed],
        "points": features,
        "candidates": info.found.table,
        "default threshold": info.found.threshold,
        "area": [list(part) for part in info.found.area],
        "provenance": info.found.provenance,
    }


def _plain(value: Any) -> Any:
    """What JSON does not know: tables, and else words."""
    if not isinstance(value, pd.DataFrame):
        return str(value)
    plain = json.loads(value.to_json(orient="split", double_precision=12))
    return {"columns": plain["columns"], "data": plain["data"]}


def capture(viewer: Any) -> Capture:
    """What a session of this viewer holds now; quick, for the GUI thread.

    Raises
    ------
    StackError
        If there is no stack.
    """
    state = describe(viewer)
    if not state["stacks"]:
        raise StackError("There is nothing to save: no stack is open.")
    layers = (layer for layer in viewer.layers if kind_of(layer) == "stack")
    return Capture(state, tuple(known(layer, StackInfo).stack for layer in layers))


def keep(captured: Capture, path: str | Path, *, at_most: float = np.inf) -> None:
    """Write a session; reads whole files for their digests and may run in any thread.

    Parameters
    ----------
    captured : Capture
    path : str or Path
    at_most : float
        Stacks that lie in no file are left out where they are larger than this [bytes].
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for number, (stack, item) in enumerate(zip(captured.stacks, captured.state["stacks"], strict=True), 1):
        if stack is not None and not _lies_in_its_file(stack) and stack.nbytes <= at_most:
            beside = Path(path.name.removesuffix(SUFFIX) + FOLDER, f"{number}.nc")
            (path.parent / beside.parent).mkdir(exist_ok=True)
            write(stack, path.parent / beside)
            item.update(path=beside.as_posix(), sha256=digest(path.parent / beside))
        elif item["path"]:
            item["sha256"] = digest(item["path"])
    with write_beside(path) as written:
        written.write_text(json.dumps(captured.state, indent=1, default=_plain), encoding="utf-8")


def save(viewer: Any, path: str | Path, *, at_most: float = np.inf) -> None:
    """Write the state of a viewer: `capture` and `keep`."""
    keep(capture(viewer), path, at_most=at_most)


def read(path: str | Path) -> dict[str, Any]:
    """Read a session.

    Raises
    ------
    StackError
        If it is none.
    """
    try:
        state = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StackError(f"{path}: this session cannot be read ({error}).") from error
    if not isinstance(state, dict) or state.get("friedel session") != VERSION:
        raise StackError(f"{path}: this is no session of napari-friedel, or of a later version.")
    for item in state["stacks"]:
        if item["path"] and not Path(item["path"]).is_absolute():
            item["path"] = str(Path(path).parent / item["path"])
    return state


def load_stacks(state: dict[str, Any], opener: Callable[[str], Any]) -> list[Any]:
    """Open the files of a session; a stack or the error that it gave. Takes its time: call it off the GUI thread."""
    found: list[Any] = []
    for item in state["stacks"]:
        try:
            stack = opener(item["path"])
            found.append((stack, digest(item["path"]) == item["sha256"]))
        except Exception as error:  # a file that is gone must not take the others with it
            found.append(error)
    return found
