"""The layers of a detection: Points with features, maps of S and probability.

All candidates are in the Points layer; the threshold only moves its `shown` mask, so the network never runs again.
Points that the user accepts, adds, moves or rejects are marked in the feature ``origin`` and survive the next run.
A result of another model or method gets a layer of its own; `find` gives the one that the docks show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from psygnal import Signal
from scipy.spatial import KDTree

from friedel.detections import COLUMNS, SAME_PX, Detections
from friedel.errors import StackError
from friedel.refit.flags import text
from friedel.scoring.areal_density import Density, covered_area, density
from napari_friedel.layers.info import (
    ImpuritiesInfo,
    info_of,
    known,
    update,
)
from napari_friedel.layers.style import point_size, ring_colours

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr

#: A fit moves a point made by hand by no more than this [px].
REFITTED_PX = 2.5
#: Origins of points that count whatever the threshold.
BY_HAND = ("added", "moved", "accepted")
#: Feature with the names of a point's flags, for reading; tables have the bits.
FLAG_WORDS = "flag_words"
ORIGINS = ["found", *BY_HAND, "removed"]


class _Events:
    """What docks listen to: `changed` is emitted with the Points layer whose impurities are others now."""

    changed = Signal(object)


EVENTS = _Events()


def owner_of(stack_layer: Any) -> Hashable:
    """What results are tied to: this very layer, so that a duplicate has results of its own."""
    return None if stack_layer is None else stack_layer.unique_id


def find(viewer: Any, stack_layer: Any, kind: str) -> Any:
    """The layer of this kind that belongs to `stack_layer`, or None; of several results the current one."""
    # A result that is just being made is none yet: docks hear of its layer before it is filled.
    found = [
        x for x in every(viewer, stack_layer, kind) if getattr(info_of(x), "detections", True) is not None
    ]
    return next((x for x in found if getattr(info_of(x), "current", True)), found[-1] if found else None)


def every(viewer: Any, stack_layer: Any, kind: str) -> list[Any]:
    """All layers of this kind that belong to `stack_layer`."""
    if stack_layer is None:
        return []
    owner = owner_of(stack_layer)
    found = ((layer, info_of(layer)) for layer in viewer.layers)
    return [layer for layer, info in found if info is not None and info.kind == kind and info.owner == owner]


def label_of(detections: Detections) -> str:
    """Which model or method a result is of, in short."""
    told = detections.provenance
    method = str(told.get("method") or "network")
    return str(told.get("label") or (told.get("model") or "network" if method == "network" else method))


def make_current(viewer: Any, stack_layer: Any, layer: Any) -> None:
    """Let the docks show this one of several results; the others are hidden."""
    for other in every(viewer, stack_layer, "impurities"):
        if other is not layer and known(other, ImpuritiesInfo).current:
            update(other, current=False)
            other.visible = False
    if not known(layer, ImpuritiesInfo).current:
        update(layer, current=True)
    layer.visible = True
    EVENTS.changed.emit(layer)


def blank(rows: int, columns: Any = ()) -> pd.DataFrame:
    """Features of points that the user adds: unknown numbers, marked as added."""
    table = pd.DataFrame({name: np.full(rows, np.nan) for name in dict.fromkeys([*COLUMNS, *columns])})
    table["origin"] = pd.Categorical(["added"] * rows, categories=ORIGINS)
    return table


def fill(layer: Any, stack: xr.Dataset, channel: str, detections: Detections) -> None:
    """Put the candidates of `detections` into the layer; what was corrected by hand stays."""
    info = known(layer, ImpuritiesInfo)
    by_hand = layer.features["origin"].isin(BY_HAND).to_numpy()
    hand, hand_positions = layer.features[by_hand], layer.data[by_hand]
    found = _unknown_allowed(detections.table.reset_index(drop=True))
    found.attrs = {}
    positions = found[["row", "column"]].to_numpy(dtype=float)
    told = (
        found["origin"].astype(str) if "origin" in found else pd.Series(["found"] * len(found), dtype=object)
    )
    origin = told.where(told.isin(ORIGINS), "found").to_numpy(dtype=object, copy=True)
    origin[near(positions, info.removed)] = "removed"
    # A point made by hand that was fitted since stands for itself; any other for what the network finds in its place.
    fitted = np.isin(origin, ("added", "moved"))
    left = ~near(hand_positions, positions[fitted], REFITTED_PX)
    hand, hand_positions = hand[left], hand_positions[left]
    keep = ~near(positions, np.concatenate([hand_positions, positions[fitted]])) | fitted
    found, positions, origin = found[keep], positions[keep], origin[keep]
    rows = [part for part in (found.assign(origin=origin), hand) if len(part)]
    features = pd.concat(rows, ignore_index=True) if rows else blank(0, found.columns)
    features["origin"] = pd.Categorical(features["origin"], categories=ORIGINS)
    if "flags" in features:
        numbers = pd.to_numeric(features["flags"], errors="coerce")  # another program's may be words
        features[FLAG_WORDS] = text(numbers.fillna(0).to_numpy(int))
    update(
        layer,
        stack=stack,
        channel=channel,
        detections=detections,
        area_nm2=covered_area(stack, detections.area, channel),
    )
    data = np.concatenate([positions, hand_positions]) if len(features) else np.zeros((0, 2))
    set_points(layer, data, features)
    set_threshold(layer, detections.threshold)


def _unknown_allowed(table: pd.DataFrame) -> pd.DataFrame:
    """Whole numbers (flags) as floats: those of a point made by hand are unknown, NaN."""
    whole = table.select_dtypes("integer").columns
    return table.astype(dict.fromkeys(whole, float))


def set_points(layer: Any, data: np.ndarray, features: pd.DataFrame) -> None:
    """Put other points into the layer without marking them as made by hand."""
    update(layer, busy=True)
    try:
        layer.selected_data = set()
        layer.data = data
        if not layer.visible:
            # napari slices no hidden layer; its view would refer to points that are gone once the colours change.
            layer.set_view_slice()
        layer.features = features
        layer.feature_defaults = blank(1, [name for name in features if name != "origin"])
    finally:
        update(layer, busy=False)


def made_by_hand(layer: Any) -> np.ndarray:
    """Positions (row, column) [px], shape (n, 2), that the user added or moved; none without a layer."""
    if layer is None or "origin" not in layer.features:
        return np.zeros((0, 2))
    made = layer.features["origin"].isin(("added", "moved")).to_numpy()
    return np.asarray(np.asarray(layer.data, dtype=float)[made])


def near(positions: np.ndarray, others: Any, within: float = SAME_PX) -> np.ndarray:
    """Which positions have one of the others within so many pixels."""
    others = np.asarray(others, dtype=float).reshape(-1, 2)
    if not len(others) or not len(positions):
        return np.zeros(len(positions), dtype=bool)
    return np.asarray(KDTree(others).query(positions)[0] <= within)


def set_threshold(layer: Any, threshold: float) -> None:
    """Show the candidates whose probability is at least `threshold`, and all that was added or moved by hand."""
    update(layer, threshold=float(threshold))
    refresh(layer)


def refresh(layer: Any) -> None:
    """Let the canvas show what counts, in its colours, and tell the docks."""
    shown = counted(layer)
    if len(shown):
        size = np.asarray(layer.size, dtype=float)
        base = float(size.max()) or point_size(known(layer, ImpuritiesInfo).stack)  # type: ignore[arg-type]
        layer.shown = shown
        # napari 0.9 ignores the mask of a layer all of whose axes are displayed, as two of two are here: points
        # without a size are hidden on the canvas, and can be neither picked nor dragged.
        layer.size = np.where(shown, base, 0.0)
        layer.border_color = ring_colours(layer.features, known(layer, ImpuritiesInfo).colour_by)
    EVENTS.changed.emit(layer)


def counted(layer: Any) -> np.ndarray:
    """Which points of the layer count as impurities, shape (n,)."""
    origin = layer.features["origin"].to_numpy()
    above = _above(layer.features["probability"], known(layer, ImpuritiesInfo).threshold)
    counts: np.ndarray = (above & (origin == "found")) | np.isin(origin, BY_HAND)
    return counts


def summary(layer: Any) -> Density:
    """Number and density of the impurities that count now."""
    info = known(layer, ImpuritiesInfo)
    withheld = info.detections is not None and info.detections.withheld
    return density(int(counted(layer).sum()), info.area_nm2, withheld=withheld)


def impurity_positions(layer: Any) -> np.ndarray:
    """Positions (row, column) [px], shape (n, 2), of the impurities that count now."""
    positions: np.ndarray = np.asarray(layer.data, dtype=float)[counted(layer)]
    return positions


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
    if not isinstance(info, ImpuritiesInfo) or info.detections is None:
        raise StackError(f"{layer.name!r} is not a result of the Detect dock; there is nothing to write.")
    return export(info, layer.features)


def export(info: ImpuritiesInfo, features: Any) -> pd.DataFrame:
    """As `table_of`, from a layer's state."""
    table = pd.DataFrame(features).reset_index(drop=True).drop(columns=FLAG_WORDS, errors="ignore")
    origin = table["origin"].astype(str)
    threshold = info.threshold
    keep = (
        _above(table["probability"], threshold) & (origin == "found").to_numpy()
        | origin.isin(BY_HAND).to_numpy()
    )
    counts = {name: int((origin == name).sum()) for name in BY_HAND}
    table = table.assign(origin=origin)[keep].reset_index(drop=True)
    whole = info.found.table.select_dtypes("integer").columns.intersection(table.columns)
    table = table.astype(dict.fromkeys(whole, "Int64"))  # unknown for points made by hand
    table.attrs["provenance"] = {
        **info.found.provenance,
        "threshold": threshold,
        "edited": {**counts, "removed": len(info.removed)},
    }
    return table


def _above(probability: Any, threshold: float) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # NaN, made by hand, is not above anything
        return np.asarray(probability, dtype=float) >= threshold
