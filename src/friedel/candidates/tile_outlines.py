"""Where the network's tiles lie on the recorded map, without running it (and without loading torch)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from friedel.candidates.tiling import cover, layout
from friedel.errors import PhysicsError
from friedel.models.registry import Model, find_model, read_header
from friedel.physics.dispersion import Dispersion, resolve
from friedel.resample import plan
from friedel.stack import Area, crop, pixel_pitch

if TYPE_CHECKING:
    import os

    import xarray as xr

Rectangle = tuple[tuple[float, float], tuple[float, float]]


def tile_outlines(
    stack: xr.Dataset,
    *,
    dispersion: Dispersion | str | None,
    model: str | os.PathLike[str] = "friedel",
    area: Area | None = None,
    tiles: str = "blend",
) -> list[Rectangle]:
    """Edges of the tiles in pixels of the recorded array.

    Parameters
    ----------
    stack : xarray.Dataset
    dispersion : Dispersion or str
        The band; it decides how the map is resampled, and with it how large a tile is on the map.
    model : str or path
        Its header says how large its tiles are.
    area, tiles
        As in `friedel.pipeline.iter_detect`.

    Returns
    -------
    list of ((row_start, row_stop), (column_start, column_stop))
        Edges, not centres: the first pixel begins at −0.5.

    Raises
    ------
    PhysicsError
        If no band is given, or the map cannot be brought to the model's sampling.
    """
    band = resolve(dispersion)
    if band is None:
        raise PhysicsError(
            "The size of a tile on the map follows from the surface band: fit or choose one first."
        )
    part = crop(stack, area)
    (row_start, _), (column_start, _) = area or ((0, 0), (0, 0))
    # Tiles depend on the header alone.
    header = Model(network=None, header=read_header(find_model(model)))  # type: ignore[arg-type]
    shape = (part.sizes["y"], part.sizes["x"])
    scaling = plan(
        band.k(part["bias"].to_numpy()), pixel_pitch(part), shape, header.k_range, k_mean=header.k_mean
    )
    cut = layout(header, tiles)
    size, corners = cover(scaling.new_shape, cut)
    offset = np.array([row_start, column_start])
    first = (np.array(corners) - 0.5) * scaling.step + scaling.origin + offset
    last = first + np.array(size) * scaling.step
    return [((r0, r1), (c0, c1)) for (r0, c0), (r1, c1) in zip(first.tolist(), last.tolist(), strict=True)]
