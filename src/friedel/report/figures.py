"""Pictures that the commands write: the map with its rings and the points found on it, S, spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from friedel.stack import axis_step, crop, didv, normalise, scan_position

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from friedel.detections import Detections

FOUND, TRUE = "#d95f02", "#1b9e77"


def overview(stack: xr.Dataset, found: Detections, truth: np.ndarray | None = None) -> Figure:
    """Draw the map nearest to the middle bias, and S; found points as circles, true ones (row, column) as crosses.

    The first recorded line is at the bottom, as the instrument scanned it; axes in nm.
    """
    from matplotlib.figure import Figure

    part = crop(stack, found.area)
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    map_of(left, part, found)
    image = right.imshow(
        found.s, origin="lower", extent=_extent(part), cmap="viridis", interpolation="nearest"
    )
    figure.colorbar(image, ax=right, shrink=0.8, label="S")
    network = found.provenance.get("model") or found.provenance.get("method", "")
    right.set_title(f"S of {network}, found points")
    right.set_xlabel("x [nm]")
    points = found.impurities
    for axes in (left, right):
        axes.scatter(points["x_nm"], points["y_nm"], s=70, facecolors="none", edgecolors=FOUND, linewidths=1.4,
                     label=f"found: {len(points)}")  # fmt: skip
    if truth is not None:
        x, y = scan_position(stack, truth[:, 0], truth[:, 1])
        left.scatter(x, y, s=28, marker="+", color=TRUE, linewidths=1.2, label=f"true: {len(truth)}")
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, frameon=False)
    return figure


def thumbnail(stack: xr.Dataset, found: Detections) -> Figure:
    """Draw the map with the points, small and without axes, 4 inches wide."""
    from matplotlib.figure import Figure

    part = crop(stack, found.area)
    figure = Figure(figsize=(4, 4 * min(3.0, max(1 / 3, part.sizes["y"] / part.sizes["x"]))))
    axes = figure.add_axes((0, 0, 1, 1))
    map_of(axes, part, found)
    points = found.impurities
    axes.scatter(points["x_nm"], points["y_nm"], s=90, facecolors="none", edgecolors=FOUND, linewidths=2)
    axes.set_axis_off()
    return figure


def map_of(axes: Axes, part: xr.Dataset, found: Detections) -> None:
    """dI/dV around the middle of the voltages used: a mean over 30 mV, in which the rings of one voltage survive."""
    data = didv(part, found.provenance.get("channel"))
    bias = part["bias"].to_numpy()
    used = np.asarray(found.provenance.get("bias_mv") or bias, dtype=float)
    middle = used[np.abs(used - np.median(used)).argmin()]
    index = np.flatnonzero(np.abs(bias - middle) <= 15)
    plane = normalise(normalise(data.isel(bias=index).to_numpy()).mean(axis=0, keepdims=True))[0]
    limits = np.nanpercentile(plane, [1, 99]) if np.isfinite(plane).any() else (0, 1)
    axes.imshow(plane, origin="lower", extent=_extent(part), cmap="gray", vmin=limits[0], vmax=limits[1])
    low, high = bias[index].min(), bias[index].max()
    volts = f"{middle:g} mV" if low == high else f"{low:g} to {high:g} mV"
    axes.set(title=f"dI/dV at {volts} ({data.attrs['channel']})", xlabel="x [nm]", ylabel="y [nm]")


def spectra(stack: xr.Dataset, found: Detections) -> Figure:
    """dI/dV against bias: mean of the field, and mean and spread at the impurities."""
    from matplotlib.figure import Figure

    part = crop(stack, found.area)
    values = didv(part, found.provenance.get("channel")).to_numpy()
    bias = part["bias"].to_numpy()
    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axes = figure.subplots()
    flat = values.reshape(len(bias), -1)
    known = np.isfinite(flat).all(axis=0)
    axes.plot(bias, flat[:, known].mean(axis=1), color="0.3", label="mean of the field")
    rows = np.rint(found.positions[:, 0] - found.area[0][0]).astype(int).clip(0, values.shape[1] - 1)
    columns = np.rint(found.positions[:, 1] - found.area[1][0]).astype(int).clip(0, values.shape[2] - 1)
    at = values[:, rows, columns]
    at = at[:, np.isfinite(at).all(axis=0)]
    if at.shape[1]:
        axes.plot(bias, at.mean(axis=1), color=FOUND, label=f"mean at {at.shape[1]} impurities")
        low, high = np.percentile(at, [16, 84], axis=1)
        axes.fill_between(bias, low, high, color=FOUND, alpha=0.2, linewidth=0)
    axes.set(xlabel="bias [mV]", ylabel="dI/dV")
    axes.legend(frameon=False)
    return figure


def _extent(part: xr.Dataset) -> tuple[float, float, float, float]:
    half_y, half_x = (axis_step(part, dim) / 2 for dim in ("y", "x"))
    x, y = part["x"].to_numpy(), part["y"].to_numpy()
    return float(x[0] - half_x), float(x[-1] + half_x), float(y[0] - half_y), float(y[-1] + half_y)
