"""A session comes back: its stacks, results, edits and settings, a layer at each step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from friedel.detections import Detections
from friedel.physics.dispersion import Dispersion
from napari_friedel import remembered
from napari_friedel.layers import edits, results, showing
from napari_friedel.layers.info import update
from napari_friedel.layers.stack_layers import add_layer, stack_layers
from napari_friedel.widgets.shared import BandState, shared

if TYPE_CHECKING:
    from collections.abc import Generator


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


def restoring(viewer: Any, state: dict[str, Any], stacks: list[Any]) -> Generator[None, None, Opened]:
    """Put a session into a viewer, a layer at each step, so that a window can draw in between.

    Parameters
    ----------
    viewer : ViewerModel
    state : dict
        As `session.read` gives it.
    stacks : list
        As `session.load_stacks` gives it.
    """
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
            layer, detections = _restore_points(viewer, layers[-1], told)
            yield
            if layer in viewer.layers:
                _restore_edits(viewer, layer, detections, told)
                shown += 1
    for name, values in state.get("forms", {}).items():
        yield
        remembered.restore(name, values)
    _restore_window(viewer, state)
    return Opened(opened, shown, warnings)


def _restore_points(viewer: Any, stack_layer: Any, told: dict[str, Any]) -> tuple[Any, Detections]:
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
    return layer, detections


def _restore_edits(viewer: Any, layer: Any, detections: Detections, told: dict[str, Any]) -> None:
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
    if state.get("band"):
        choice, onset, mass, fitted, words = state["band"]
        band = None if fitted is None else Dispersion(float(fitted[0]), float(fitted[1]), name="fitted")
        shared(viewer).choose_band(BandState(choice, onset, mass, band, words))
    point = state.get("bias") or []
    for axis, value in enumerate(point[: viewer.dims.ndim]):
        viewer.dims.set_point(axis, float(value))
