"""Corrections by hand: accept, reject, add, move; undo and redo; what was rejected, as a layer of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from friedel.stack import scan_position, tip_position
from napari_friedel.layers import results
from napari_friedel.layers.geometry import placement
from napari_friedel.layers.info import KEY, ImpuritiesInfo, LayerInfo, Position, info_of, known, update
from napari_friedel.layers.style import ORIGIN_COLOURS, point_size

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Steps that can be undone.
DEPTH = 50
NUMBERS = ("row", "column", "x_nm", "y_nm", "tip_x_nm", "tip_y_nm")


@dataclass(frozen=True)
class Snapshot:
    """The points before a change."""

    data: np.ndarray
    features: pd.DataFrame
    removed: tuple[Position, ...]


def snapshot(layer: Any) -> Snapshot:
    """The points as they are now."""
    return Snapshot(
        np.array(layer.data, dtype=float), layer.features.copy(), known(layer, ImpuritiesInfo).removed
    )


def remember(layer: Any) -> None:
    """Keep the present state for `undo`."""
    info = known(layer, ImpuritiesInfo)
    update(layer, past=(*info.past, snapshot(layer))[-DEPTH:], future=())


def undo(layer: Any) -> bool:
    """Take the last correction back; False if there is none."""
    return _travel(layer, "past", "future")


def redo(layer: Any) -> bool:
    """Make the correction that was undone once more; False if there is none."""
    return _travel(layer, "future", "past")


def _travel(layer: Any, source: str, target: str) -> bool:
    info = known(layer, ImpuritiesInfo)
    waiting: tuple[Snapshot, ...] = getattr(info, source)
    if not waiting:
        return False
    now, then = snapshot(layer), waiting[-1]
    update(layer, **{source: waiting[:-1], target: (*getattr(info, target), now), "removed": then.removed})
    results.set_points(layer, then.data, then.features)
    results.refresh(layer)
    return True


def forget_edits(layer: Any) -> None:
    """Throw the user's corrections away: added points go, rejected and moved ones return."""
    remember(layer)
    info = known(layer, ImpuritiesInfo)
    update(layer, removed=())
    results.set_points(layer, np.zeros((0, 2)), results.blank(0))
    results.fill(layer, info.stack, info.channel, info.found)  # type: ignore[arg-type]
    results.set_threshold(layer, info.threshold)


def edit_count(layer: Any) -> int:
    """Number of corrections by hand."""
    by_hand = int(layer.features["origin"].isin(results.BY_HAND).sum())
    return by_hand + len(known(layer, ImpuritiesInfo).removed)


def accept(layer: Any, indices: Sequence[int]) -> None:
    """Let these candidates count whatever the threshold."""
    if not len(indices):
        return
    remember(layer)
    info = known(layer, ImpuritiesInfo)
    table = layer.features.copy()
    for index in indices:
        if table["origin"].iloc[index] in ("found", "removed"):
            table.iloc[index, table.columns.get_loc("origin")] = "accepted"
    kept = np.asarray(layer.data, dtype=float)[list(indices)]
    removed = np.array(info.removed, dtype=float).reshape(-1, 2)
    removed = removed[~results.near(removed, kept)]
    update(layer, removed=tuple((float(r), float(c)) for r, c in removed))
    layer.features = table
    results.refresh(layer)


def reject(layer: Any, indices: Sequence[int]) -> None:
    """Take these points away; what a method found stays rejected in later runs."""
    if not len(indices):
        return
    layer.selected_data = set(indices)
    layer.remove_selected()


def add(layer: Any, position: Position) -> None:
    """Add an impurity at (row, column)."""
    layer.add([position])


def on_data(event: Any) -> None:
    """Mark what the user changed; napari calls this before and after every change of the points."""
    layer = event.source
    info = info_of(layer)
    if not isinstance(info, ImpuritiesInfo) or info.detections is None or info.busy:
        return
    action = str(getattr(event.action, "value", event.action))
    indices = [int(i) for i in np.atleast_1d(np.asarray(event.data_indices, dtype=int))]
    indices = [i + len(layer.data) if i < 0 else i for i in indices]
    if action in ("adding", "removing", "changing"):
        remember(layer)
    if action == "removing":
        _note_removed(layer, indices)
    elif action == "added":
        locate(layer, indices, "added")
    elif action == "changed":
        # Dragging says which points moved; setting `data` says all of them.
        before = layer.features[["row", "column"]].to_numpy(dtype=float)
        indices = [i for i in indices if not np.allclose(layer.data[i], before[i], atol=1e-6)]
        _note_removed(layer, indices)
        moved = [i for i in indices if layer.features["origin"].iloc[i] in ("found", "moved", "accepted")]
        locate(layer, moved, "moved")
        locate(layer, [i for i in indices if i not in moved], "added")
    if action in ("added", "changed", "removed"):
        results.refresh(layer)


def _note_removed(layer: Any, indices: list[int]) -> None:
    rows = layer.features.iloc[indices]
    rows = rows[rows["origin"].isin(("found", "accepted"))][["row", "column"]].to_numpy(dtype=float)
    removed = known(layer, ImpuritiesInfo).removed
    update(layer, removed=(*removed, *((float(r), float(c)) for r, c in rows)))


def locate(layer: Any, indices: list[int], origin: str) -> None:
    """Write where hand-made points lie, and that they are hand-made, into the features."""
    if not indices:
        return
    stack = known(layer, ImpuritiesInfo).stack
    values = coordinates(stack, np.asarray(layer.data, dtype=float)[indices])
    table = layer.features.copy()
    for name in table:
        if name in values:
            table.iloc[indices, table.columns.get_loc(name)] = values[name].to_numpy()
        elif name != "origin":
            column = table[name]
            if pd.api.types.is_float_dtype(column):
                table.iloc[indices, table.columns.get_loc(name)] = np.nan
    table.iloc[indices, table.columns.get_loc("origin")] = origin
    layer.features = table


def coordinates(stack: Any, positions: np.ndarray) -> pd.DataFrame:
    """Coordinates in px, nm and of the tip of positions (row, column) on a stack."""
    rows, columns = np.asarray(positions, dtype=float).reshape(-1, 2).T
    x, y = scan_position(stack, rows, columns)
    tip_x, tip_y = tip_position(stack, x, y)
    return pd.DataFrame(dict(zip(NUMBERS, (rows, columns, x, y, tip_x, tip_y), strict=True)))


def keep_aside(layer: Any, label: str) -> None:
    """Rename a result, so that the next run of the same model makes a new one."""
    title = layer.name.split(" · ")[0]
    update(layer, label=label)
    layer.name = f"{title} · impurities ({label})"


def show_rejected(viewer: Any, layer: Any) -> None:
    """Keep the layer of rejected candidates in step with the result `layer`."""
    info = known(layer, ImpuritiesInfo)
    found = (x for x in viewer.layers if getattr(info_of(x), "owner", None) == info.owner)
    crosses = next((x for x in found if getattr(info_of(x), "kind", "") == "rejected"), None)
    if crosses is None and not info.removed:
        return
    positions = np.array(info.removed, dtype=float).reshape(-1, 2)
    if crosses is not None:
        if not np.array_equal(np.asarray(crosses.data), positions):
            crosses.data = positions
        return
    active = viewer.layers.selection.active
    viewer.add_points(
        positions,
        name=f"{layer.name.split(' · ')[0]} · rejected",
        symbol="x",
        size=0.6 * point_size(info.stack),  # type: ignore[arg-type]
        face_color=ORIGIN_COLOURS["removed"],
        border_width=0,
        metadata={KEY: LayerInfo("rejected", info.stack, info.owner)},
        **placement(info.stack),  # type: ignore[arg-type]
    )
    if active is not None:
        viewer.layers.selection.active = active
