"""A session on disk: which files, which settings, which points, so that work goes on where it was left.

Stacks are kept by path and SHA-256; those that lie in no file, or were calibrated anew, as netCDF files beside the
session. Results are kept with their candidates, edits and threshold.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from friedel._util.atomic_write import write_beside
from friedel.detections import Detections
from friedel.errors import StackError
from friedel.io.netcdf import write
from friedel.physics.dispersion import Dispersion
from napari_friedel import remembered
from napari_friedel.layers import edits, results, showing
from napari_friedel.layers.info import ImpuritiesInfo, StackInfo, kind_of, known, update
from napari_friedel.layers.stack_layers import RECALIBRATED, add_layer, file_of, stack_layers
from napari_friedel.widgets.shared import BandState, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

SUFFIX = ".friedel.json"
VERSION = 1
#: Where the stacks of a session lie that lie in no file of their own.
FOLDER = ".stacks"
#: Without being asked, no more than this is written to disk [bytes].
UNASKED = 100_000_000


@dataclass(frozen=True)
class Opened:
    """What came back.

    Parameters
    ----------
    stacks : int
    results : int
    warnings : list of str
        Files that are others now, or gone.
    """

    stacks: int
    results: int
    warnings: list[str] = field(default_factory=list)


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
    """The state of a viewer in plain JSON types."""
    stacks = []
    for layer in viewer.layers:
        if kind_of(layer) != "stack":
            continue
        info = known(layer, StackInfo)
        source = file_of(info.stack)
        stacks.append(
            {
                "path": source,
                "sha256": digest(source) if source else "",
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
        "points": _table(features),
        "candidates": _table(info.found.table),
        "default threshold": info.found.threshold,
        "area": [list(part) for part in info.found.area],
        "provenance": info.found.provenance,
    }


def _table(table: pd.DataFrame) -> dict[str, list[Any]]:
    plain: dict[str, list[Any]] = json.loads(pd.DataFrame(table).to_json(orient="split", double_precision=12))
    return {"columns": plain["columns"], "data": plain["data"]}


def save(viewer: Any, path: str | Path, *, at_most: float = np.inf) -> None:
    """Write the state of a viewer.

    Parameters
    ----------
    viewer : ViewerModel
    path : str or Path
    at_most : float
        Stacks that lie in no file are left out where they are larger than this [bytes].

    Raises
    ------
    StackError
        If there is no stack.
    """
    path, state = Path(path), describe(viewer)
    if not state["stacks"]:
        raise StackError("There is nothing to save: no stack is open.")
    path.parent.mkdir(parents=True, exist_ok=True)
    layers = (layer for layer in viewer.layers if kind_of(layer) == "stack")
    for number, (layer, item) in enumerate(zip(layers, state["stacks"], strict=True), 1):
        stack = known(layer, StackInfo).stack
        if stack is not None and not _lies_in_its_file(stack) and stack.nbytes <= at_most:
            beside = Path(path.name.removesuffix(SUFFIX) + FOLDER, f"{number}.nc")
            (path.parent / beside.parent).mkdir(exist_ok=True)
            write(stack, path.parent / beside)
            item.update(path=beside.as_posix(), sha256=digest(path.parent / beside))
    with write_beside(path) as written:
        written.write_text(json.dumps(state, indent=1, default=str), encoding="utf-8")


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


def restore(viewer: Any, state: dict[str, Any], stacks: list[Any]) -> Opened:
    """Put a session into a viewer.

    Parameters
    ----------
    viewer : ViewerModel
    state : dict
        As `read` gives it.
    stacks : list
        As `load_stacks` gives it.
    """
    steps = restoring(viewer, state, stacks)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            opened: Opened = end.value
            return opened


def restoring(viewer: Any, state: dict[str, Any], stacks: list[Any]) -> Generator[None, None, Opened]:
    """As `restore`, a layer at each step, so that a window can draw in between."""
    warnings, opened, shown = [], 0, 0
    for item, loaded in zip(state["stacks"], stacks, strict=True):
        if isinstance(loaded, Exception):
            warnings.append(f"{item['path'] or item['title']} could not be opened: {loaded}")
            continue
        stack, same = loaded
        if not same:
            warnings.append(f"{item['path']} is not the file that it was when the session was saved.")
        layers = []
        for made in stack_layers(stack, item["channel"], item["title"]):
            layers.append(add_layer(viewer, made))
            yield
        opened += 1
        for told in item["results"]:
            yield
            _restore_result(viewer, layers[-1], told)
            shown += 1
    _restore_window(viewer, state)
    return Opened(opened, shown, warnings)


def _restore_result(viewer: Any, stack_layer: Any, told: dict[str, Any]) -> None:
    (r0, r1), (c0, c1) = told["area"]
    unknown = np.full((r1 - r0, c1 - c0), np.nan, dtype=np.float32)
    detections = Detections(
        _frame(told["candidates"]),
        float(told["default threshold"]),
        unknown,
        unknown,
        ((r0, r1), (c0, c1)),
        {**told["provenance"], "label": told["label"]},
    )
    layer = showing.show(viewer, stack_layer, detections, maps=False)
    layer.name = told["name"]
    features = _frame(told["points"])
    features["origin"] = pd.Categorical(features["origin"].astype(str), categories=results.ORIGINS)
    removed = tuple((float(r), float(c)) for r, c in told["removed"])
    update(layer, removed=removed, detections=detections)
    results.set_points(layer, features[["row", "column"]].to_numpy(dtype=float), features)
    results.set_threshold(layer, float(told["threshold"]))
    edits.show_rejected(viewer, layer)


def _frame(told: dict[str, list[Any]]) -> pd.DataFrame:
    table = pd.DataFrame(told["data"], columns=told["columns"])
    for name in table:
        if table[name].dtype == object and name != "origin":
            numbers = pd.to_numeric(table[name], errors="coerce")
            if numbers.notna().any() or table[name].isna().all():
                table[name] = numbers.astype(float)
    return table


def _restore_window(viewer: Any, state: dict[str, Any]) -> None:
    for name, values in state.get("forms", {}).items():
        remembered.restore(name, values)
    if state.get("band"):
        choice, onset, mass, fitted, words = state["band"]
        band = None if fitted is None else Dispersion(float(fitted[0]), float(fitted[1]), name="fitted")
        shared(viewer).choose_band(BandState(choice, onset, mass, band, words))
    point = state.get("bias") or []
    for axis, value in enumerate(point[: viewer.dims.ndim]):
        viewer.dims.set_point(axis, float(value))
