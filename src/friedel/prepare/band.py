"""The surface band of a stack, fitted to the Fourier ring of its cleaned maps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from friedel.dispersion_fit.fourier_ring import RingFit, fit_ring
from friedel.prepare.channel import choose
from friedel.prepare.cleaning import clean
from friedel.settings import PrepareSettings
from friedel.stack import make_stack, pixel_pitch, validate

if TYPE_CHECKING:
    import xarray as xr

#: Pixels on a side that are enough to fit a band to the ring.
BAND_PX = 512


def fit_dispersion(
    stack: xr.Dataset, channel: str | None = None, *, prepare: PrepareSettings | bool = True
) -> RingFit:
    """Fit E₀ and m* to the Fourier ring of a stack.

    Bad data, line offsets and periodic structures are taken out before, as in a detection: stripes and lattices have
    rings and spots of their own.

    Parameters
    ----------
    stack : xarray.Dataset
        Two voltages at least; pixels need not be square, gaps may be NaN. Of a large field the middle is taken.
    channel : str, optional
        The dI/dV channel; by rule if None.
    prepare : PrepareSettings or bool
        True for the defaults, False for the maps as recorded.

    Returns
    -------
    RingFit
        With ``found=False`` where there is no isotropic ring, for example in noise.

    Raises
    ------
    StackError
        If there is no such channel.
    """
    given = PrepareSettings.of(prepare).in_force()
    middle = validate(stack).isel({name: _middle(stack.sizes[name]) for name in ("y", "x")})
    if given.as_recorded:
        return fit_ring(middle, channel)
    chosen = choose(middle, channel, given)
    separate = bool(stack.attrs.get("separate_scans", 0))
    cleaned = clean(chosen.values, given, didv=not chosen.topograph, separate=separate)
    bias = chosen.bias_mv
    if not len(cleaned.keep):
        return fit_ring(middle, chosen.name)
    maps = np.asarray(cleaned.maps, np.float32)
    fit = fit_ring(make_stack({"dI/dV": maps}, bias_mv=bias[cleaned.keep], pixel_nm=pixel_pitch(stack)))
    if not fit.found:
        return fit
    return replace(fit, bias_mv=bias, k_per_bias=fit.dispersion.k(bias))


def middle_of(maps: np.ndarray) -> np.ndarray:
    """The middle of maps that are larger than a ring needs, shape (bias, rows, columns)."""
    rows, columns = (_middle(count) for count in maps.shape[1:])
    return np.asarray(maps[:, rows, columns])


def _middle(count: int) -> slice:
    least = min(count, BAND_PX)
    return slice((count - least) // 2, (count + least) // 2)
