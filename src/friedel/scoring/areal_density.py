"""How many impurities per square nanometre, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from friedel._util.big_maps import read_parts
from friedel.scoring.intervals import poisson
from friedel.stack import Area, channel_names, crop, image_names, pixel_pitch

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Density:
    """A number density with its confidence interval [nm⁻²]; NaN where it is unknown."""

    count: int
    area_nm2: float
    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether it is known."""
        return bool(np.isfinite(self.value))

    def __str__(self) -> str:
        if not self.known:
            return f"{self.count} impurities, density unknown: no probability is listed"
        return f"{self.count} impurities, {self.value:.4g} nm⁻² ({self.low:.4g} to {self.high:.4g})"


def covered_area(stack: xr.Dataset, area: Area | None = None, channel: str | None = None) -> float:
    """Area that was measured [nm²]: acquired pixels only.

    Parameters
    ----------
    stack : xarray.Dataset
    area : ((row_start, row_stop), (column_start, column_stop)), optional
        A part of the stack.
    channel : str, optional
        Channel that decides what was acquired; the first one by default.
    """
    part = crop(stack, area)
    pitch_y, pitch_x = pixel_pitch(stack)
    data = part[channel or (channel_names(part) or image_names(part))[0]]
    acquired = np.zeros((part.sizes["y"], part.sizes["x"]), dtype=bool)
    if data.ndim == 2:
        acquired = np.isfinite(data.to_numpy())
    for some in read_parts(data.shape) if data.ndim == 3 else ():
        acquired |= np.isfinite(data[some].to_numpy()).any(axis=0)
        if acquired.all():
            break
    return float(acquired.sum() * pitch_y * pitch_x)


def density(count: int, area_nm2: float, level: float = 0.95, *, withheld: bool = False) -> Density:
    """Number density of `count` points on an area, with the exact Poisson interval.

    Parameters
    ----------
    count : int
    area_nm2 : float
        Area [nm²].
    level : float
        Coverage of the central interval (Garwood, Biometrika 28, 437 (1936)).
    withheld : bool
        Whether no probability is listed (`friedel.detections.Detections.withheld`): then no point is no finding, and
        the density is unknown.

    Returns
    -------
    Density

    Raises
    ------
    ValueError
        If the area is not positive or the count negative.
    """
    if not area_nm2 > 0 or count < 0:
        raise ValueError(f"A density needs a positive area and a count, not {count} on {area_nm2} nm².")
    if withheld and not count:
        return Density(0, float(area_nm2), np.nan, np.nan, np.nan)
    low, high = poisson(int(count), level)
    return Density(int(count), float(area_nm2), count / area_nm2, low / area_nm2, high / area_nm2)
