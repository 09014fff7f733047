"""The layers of a detection: Points with features, maps of S and probability, and what the user corrected by hand.

All candidates are in the Points layer; the threshold only moves its `shown` mask, so the network never runs again.
Points that the user adds, moves or deletes are marked in the feature ``origin`` and survive the next run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from psygnal import Signal
from scipy.spatial import KDTree

from friedel.detections import COLUMNS, Detections
from friedel.errors import StackError
from friedel.scoring.areal_density import Density, covered_area, density
from friedel.stack import crop, scan_position, tip_position
from napari_friedel.layers import KEY, add_layer, info_of, kind_of, map_layer, placement, stack_of

#: Two positions nearer than this are the same impurity when a new run meets old corrections [px].
SAME_PX = 1.0
BY_HAND = ("added", "moved")


class _Events:
    """What docks listen to: `changed` is emitted with the Points layer whose impurities are others now."""

    changed = Signal(object)


EVENTS = _Events()


def find(viewer: Any, stack_layer: Any, kind: str) -> Any:
    """The layer of this kind that belongs to `stack_layer`, or None."""
    owner = info_of(stack_layer).get("id", stack_layer.unique_id if stack_layer is not None else None)
    for layer in viewer.layers:
        if kind_of(layer) == kind and info_of(layer).get("stack_id") == owner:
            return layer
    return None


def show(viewer: Any, stack_layer: Any, detections: Detections) -> Any:
    """Put a detection on the map, in place of the last one of the same stack.

    Parameters
    ----------
    viewer : ViewerModel
    stack_layer : napari.layers.Image
        The stack that was searched.
    detections : friedel.detections.Detections

    Returns
    -------
    napari.layers.Points
    """
    stack, channel = stack_of(stack_layer)
    info = info_of(stack_layer)
    # The name survives copies of the layer and changes of its title; results find their stack by it.
    owner = info.setdefault("id", stack_layer.unique_id)
    title = info.get("title", stack_layer.name)
    part = crop(stack, detections.area)
    for kind, label, values in (
        ("s", "S", detections.s),
        ("probability", "probability", detections.probability),
    ):
        _show_map(viewer, stack_layer, part, kind, np.asarray(values), f"{title} · {label}", owner)
    layer = find(viewer, stack_layer, "impurities")
    if layer is None:
        layer = _new_points(viewer, stack, f"{title} · impurities", owner)
    _fill(layer, stack, channel, detections)
    return layer


def _show_map(
    viewer: Any, stack_layer: Any, part: xr.Dataset, kind: str, values: np.ndarray, name: str, owner: Any
) -> None:
    made = map_layer(part, values, kind, name, stack_id=owner)
    layer = find(viewer, stack_layer, kind)
    if layer is None:
        made[1]["visible"] = False
        if kind == "probability":
            made[1]["contrast_limits"] = (0.0, 1.0)
        layer = add_layer(viewer, made)
        _keep_below_points(viewer, layer)
        return
    layer.data = values
    place = placement(part)
    for key in (
        "rotate",
        "scale",
        "translate",
    ):  # each lets napari lay out the scene anew, which takes its time
        if not np.allclose(getattr(layer, key), place[key]):
            setattr(layer, key, place[key])
    if kind == "s":
        layer.contrast_limits = made[1]["contrast_limits"]
    layer.metadata[KEY] = made[1]["metadata"][KEY]


def _keep_below_points(viewer: Any, layer: Any) -> None:
    first = next((i for i, other in enumerate(viewer.layers) if type(other).__name__ == "Points"), None)
    if first is not None and viewer.layers.index(layer) > first:
        viewer.layers.move(viewer.layers.index(layer), first)


def _new_points(viewer: Any, stack: xr.Dataset, name: str, owner: Any) -> Any:
    layer = viewer.add_points(
        np.zeros((0, 2)),
        name=name,
        features=_blank(0),
        metadata={KEY: {"kind": "impurities", "stack": stack, "stack_id": owner, "removed": []}},
        **points_style(point_size(stack)),
        **placement(stack),
    )
    layer.feature_defaults = _blank(1)
    layer.events.data.connect(_edited)
    return layer


def points_style(size: float) -> dict[str, Any]:
    """How impurities look: discs of this diameter, coloured by the feature `probability`."""
    return {
        "face_color": "probability",
        "face_colormap": "plasma",
        "face_contrast_limits": (0.0, 1.0),
        "border_color": "white",
        "border_width": 0.12,
        "size": size,
        "symbol": "disc",
        "canvas_size_limits": (0, 10_000),  # napari draws no point smaller than 2 screen pixels otherwise
    }


def point_size(stack: xr.Dataset) -> float:
    """Diameter of a point [px]: large enough to be seen, small enough not to hide its neighbours."""
    return max(1.0, min(stack.sizes["y"], stack.sizes["x"]) / 34)


def _blank(rows: int) -> pd.DataFrame:
    """Features of points that the user adds: unknown numbers, marked as added."""
    table = pd.DataFrame({name: np.full(rows, np.nan) for name in COLUMNS})
    table["origin"] = pd.Categorical(["added"] * rows, categories=["found", *BY_HAND, "removed"])
    return table


def _fill(layer: Any, stack: xr.Dataset, channel: str, detections: Detections) -> None:
    info = info_of(layer)
    hand = layer.features[layer.features["origin"].isin(BY_HAND)]
    hand_positions = layer.data[layer.features["origin"].isin(BY_HAND).to_numpy()]
    found = detections.table[list(COLUMNS)].reset_index(drop=True)
    positions = found[["row", "column"]].to_numpy(dtype=float)
    origin = np.full(len(found), "found", dtype=object)
    origin[_near(positions, info["removed"])] = "removed"
    # A hand-made point stands for whatever the network finds in its place.
    keep = ~_near(positions, hand_positions)
    found, positions, origin = found[keep], positions[keep], origin[keep]
    features = pd.concat([found.assign(origin=origin), hand], ignore_index=True)
    features["origin"] = pd.Categorical(features["origin"], categories=["found", *BY_HAND, "removed"])
    info.update(
        busy=True,
        stack=stack,
        channel=channel,
        detections=detections,
        provenance=dict(detections.provenance),
        area_nm2=covered_area(stack, detections.area, channel),
    )
    try:
        layer.selected_data = set()
        layer.data = np.concatenate([positions, hand_positions]) if len(features) else np.zeros((0, 2))
        layer.features = features
        layer.feature_defaults = _blank(1)
    finally:
        info["busy"] = False
    set_threshold(layer, detections.threshold)


def _near(positions: np.ndarray, others: Any) -> np.ndarray:
    """Which positions have one of the others within `SAME_PX`."""
    others = np.asarray(others, dtype=float).reshape(-1, 2)
    if not len(others) or not len(positions):
        return np.zeros(len(positions), dtype=bool)
    return KDTree(others).query(positions)[0] <= SAME_PX


# --- threshold and numbers ----------------------------------------------------------------------------------------


def set_threshold(layer: Any, threshold: float) -> None:
    """Show the candidates whose probability is at least `threshold`, and all that was added or moved by hand."""
    info_of(layer)["threshold"] = float(threshold)
    shown = counted(layer)
    if len(shown):
        size = np.asarray(layer.size, dtype=float)
        base = float(size.max()) or point_size(info_of(layer)["stack"])
        layer.shown = shown
        # napari 0.9 ignores the mask of a layer all of whose axes are displayed, as two of two are here: points
        # without a size are hidden on the canvas, and can be neither picked nor dragged.
        layer.size = np.where(shown, base, 0.0)
    EVENTS.changed.emit(layer)


def counted(layer: Any) -> np.ndarray:
    """Which points of the layer count as impurities, shape (n,)."""
    origin = layer.features["origin"].to_numpy()
    above = _above(layer.features["probability"], info_of(layer).get("threshold", 0.5))
    return (above & (origin == "found")) | np.isin(origin, BY_HAND)


def summary(layer: Any) -> Density:
    """Number and density of the impurities that count now."""
    return density(int(counted(layer).sum()), info_of(layer)["area_nm2"])


def impurity_positions(layer: Any) -> np.ndarray:
    """Positions (row, column) [px], shape (n, 2), of the impurities that count now."""
    return np.asarray(layer.data, dtype=float)[counted(layer)]


def table_of(layer: Any) -> pd.DataFrame:
    """Give the impurities as they are shown now, with the user's corrections, for export.

    Returns
    -------
    pandas.DataFrame
        The columns of `friedel.detections.COLUMNS` and `origin`; points made by hand have no probability (NaN).
        ``attrs["provenance"]`` tells threshold and corrections too.

    Raises
    ------
    StackError
        If the layer is not a result of this plugin.
    """
    info = info_of(layer)
    if kind_of(layer) != "impurities" or "detections" not in info:
        raise StackError(f"{layer.name!r} is not a result of “Detect impurities”; there is nothing to write.")
    return export(info, layer.features)


def export(info: dict[str, Any], features: Any) -> pd.DataFrame:
    """As `table_of`, from a layer's state."""
    table = pd.DataFrame(features).reset_index(drop=True)
    origin = table["origin"].astype(str)
    threshold = float(info["threshold"])
    keep = (
        _above(table["probability"], threshold) & (origin == "found").to_numpy()
        | origin.isin(BY_HAND).to_numpy()
    )
    counts = {name: int((origin == name).sum()) for name in BY_HAND}
    table = table.assign(origin=origin)[keep].reset_index(drop=True)
    table.attrs["provenance"] = {
        **info["detections"].provenance,
        "threshold": threshold,
        "edited": {**counts, "removed": len(info["removed"])},
    }
    return table


def _above(probability: Any, threshold: float) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # NaN, made by hand, is not above anything
        return np.asarray(probability, dtype=float) >= threshold


# --- corrections by hand ------------------------------------------------------------------------------------------


def forget_edits(layer: Any) -> None:
    """Throw the user's corrections away: added points go, deleted and moved ones return."""
    info = info_of(layer)
    info["removed"] = []
    stack, channel, detections = info["stack"], info["channel"], info["detections"]
    info["busy"] = True
    layer.data = np.zeros((0, 2))
    layer.features = _blank(0)
    threshold = info["threshold"]
    _fill(layer, stack, channel, detections)
    set_threshold(layer, threshold)


def edit_count(layer: Any) -> int:
    """Number of corrections by hand."""
    return int(layer.features["origin"].isin(BY_HAND).sum()) + len(info_of(layer).get("removed", []))


def _edited(event: Any) -> None:
    """Mark what the user changed; napari calls this around every change of the points."""
    layer, info = event.source, info_of(event.source)
    if info.get("busy", True) if "detections" in info else True:
        return
    action = str(getattr(event.action, "value", event.action))
    indices = [int(i) for i in np.atleast_1d(np.asarray(event.data_indices, dtype=int))]
    indices = [i + len(layer.data) if i < 0 else i for i in indices]
    features = layer.features
    if action == "removing":
        found = features.iloc[indices]
        found = found[found["origin"] == "found"]
        info["removed"] = [*info["removed"], *found[["row", "column"]].to_numpy(dtype=float).tolist()]
        return
    if action == "added":
        _locate(layer, indices, "added")
    elif action == "changed":
        # Dragging says which points moved; setting `data` says all of them.
        known = features[["row", "column"]].to_numpy(dtype=float)
        indices = [i for i in indices if not np.allclose(layer.data[i], known[i], atol=1e-6)]
        found = features.iloc[indices]
        found = found[found["origin"] == "found"]
        info["removed"] = [*info["removed"], *found[["row", "column"]].to_numpy(dtype=float).tolist()]
        moved = [i for i in indices if features["origin"].iloc[i] in ("found", "moved")]
        _locate(layer, moved, "moved")
        _locate(layer, [i for i in indices if i not in moved], "added")
    if action in ("added", "changed", "removed"):
        EVENTS.changed.emit(layer)


def _locate(layer: Any, indices: list[int], origin: str) -> None:
    """Write where hand-made points lie, and that they are hand-made, into the features."""
    if not indices:
        return
    stack = info_of(layer)["stack"]
    rows, columns = np.asarray(layer.data, dtype=float)[indices].T
    x, y = scan_position(stack, rows, columns)
    tip_x, tip_y = tip_position(stack, x, y)
    table = layer.features.copy()
    values = {"row": rows, "column": columns, "x_nm": x, "y_nm": y, "tip_x_nm": tip_x, "tip_y_nm": tip_y}
    for name, column in values.items():
        table.iloc[indices, table.columns.get_loc(name)] = column
    for name in ("probability", "s", "sigma_nm"):
        table.iloc[indices, table.columns.get_loc(name)] = np.nan
    table.iloc[indices, table.columns.get_loc("origin")] = origin
    layer.features = table
