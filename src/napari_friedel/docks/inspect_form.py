"""Small parts of the inspect dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


def is_even(bias: np.ndarray) -> bool:
    """Whether voltages lie at equal intervals."""
    return len(bias) < 3 or bool(np.allclose(np.diff(bias), bias[1] - bias[0], rtol=1e-3))


def even_axis(bias: np.ndarray) -> tuple[float, np.ndarray]:
    """Half a step of rising voltages, and the indices by which an even axis shows them: uneven ones by the nearest."""
    half = (bias[-1] - bias[0]) / max(2 * (len(bias) - 1), 1) or 1.0
    count = max(len(bias), 2 if len(bias) > 1 else 1) * (1 if is_even(bias) else 4)
    even = np.linspace(bias[0], bias[-1], count)
    return float(half), np.abs(even[:, None] - bias[None]).argmin(axis=1)


def didv_label(channel: xr.DataArray, *, derived: bool) -> str:
    """Label of an axis of dI/dV with the unit of its channel."""
    unit = str(channel.attrs.get("units", ""))
    return f"dI/dV ({unit + '/mV' if derived else unit})" if unit and unit != "1" else "dI/dV (arb. units)"
