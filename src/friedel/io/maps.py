"""Maps of one number per pixel, such as S or the probability: written as netCDF or `.gsf`, and read back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from friedel._util.atomic_write import write_beside
from friedel.errors import StackError
from friedel.io.axes import Pixel, pixel_pair
from friedel.io.limits import need_file

if TYPE_CHECKING:
    import os


def write_map(
    array: Any,
    path: str | os.PathLike[str],
    *,
    pixel_nm: Pixel,
    name: str = "map",
    units: str = "1",
    origin_nm: tuple[float, float] = (0.0, 0.0),
    attributes: dict[str, Any] | None = None,
    y_direction: int = 1,
) -> None:
    """Write a map.

    Parameters
    ----------
    array : array, shape (y, x)
        Stored as float32; NaN stays NaN.
    path : path
        ``.nc`` (netCDF) or ``.gsf`` (Gwyddion simple field). Replaced in one step.
    pixel_nm : float or (float, float)
        Pixel pitch [nm], or (along y, along x).
    name, units : str
        What the numbers are.
    origin_nm : (float, float)
        (y, x) of the centre of the first pixel in the scan frame [nm], for a map of a cut-out area.
    attributes : dict, optional
        Provenance; netCDF only.
    y_direction : int
        +1 if y rises with the row (see `friedel.stack`): the last row is then the first line of a ``.gsf``, whose first
        line is the upper one. `read_map` gives the rows back as they were.

    Raises
    ------
    StackError
        If the array is not an image or the suffix is unknown.
    """
    target = Path(path)
    values = np.asarray(array, dtype=np.float32)
    if values.ndim != 2 or values.size == 0:
        raise StackError(f"{target}: a map must have the shape (y, x), not {values.shape}.")
    pitch_y, pitch_x = pixel_pair(pixel_nm)
    if target.suffix.lower() == ".gsf":
        _write_gsf(values, target, (pitch_y, pitch_x), name, units, origin_nm, y_direction)
    elif target.suffix.lower() == ".nc":
        image = xr.DataArray(
            values,
            dims=("y", "x"),
            coords={
                "y": ("y", origin_nm[0] + np.arange(values.shape[0]) * pitch_y, {"units": "nm"}),
                "x": ("x", origin_nm[1] + np.arange(values.shape[1]) * pitch_x, {"units": "nm"}),
            },
            name=name.replace("/", "_"),
            attrs={"long_name": name, "units": units},
        )
        dataset = image.to_dataset()
        dataset.attrs = {
            key: v if isinstance(v, (int, float, str)) else str(v) for key, v in (attributes or {}).items()
        }
        # From memory: the HDF5 library crashes where the disk is full.
        content = dataset.to_netcdf(engine="h5netcdf")
        with write_beside(target) as beside:
            beside.write_bytes(content)
    else:
        raise StackError(f"{target}: maps are written as .nc or .gsf.")


def read_map(path: str | os.PathLike[str]) -> xr.DataArray:
    """Read a map that `write_map` wrote, or another `.gsf` image.

    Returns
    -------
    xarray.DataArray
        Shape (y, x), float32, coordinates in nm.

    Raises
    ------
    StackError
        If the file is not a map; the message names the file.
    """
    source = Path(path)
    need_file(source)
    try:
        with source.open("rb") as file:
            head = file.read(32)
        if head.startswith(b"Gwyddion Simple Field"):
            from friedel.io.gsf import load

            field = load(source)
            if field.pixel_nm is None:
                raise StackError(f"{source}: the image does not say how large it is.")
            return xr.DataArray(
                field.values,
                dims=("y", "x"),
                coords={
                    "y": (
                        "y",
                        field.origin_nm[0] + np.arange(field.values.shape[0]) * field.pixel_nm[0],
                        {"units": "nm"},
                    ),
                    "x": (
                        "x",
                        field.origin_nm[1] + np.arange(field.values.shape[1]) * field.pixel_nm[1],
                        {"units": "nm"},
                    ),
                },
                name=field.title or "map",
                attrs={
                    "long_name": field.title or "map",
                    "units": field.unit,
                },
            )
        from friedel.io.hdf5 import open_file

        with open_file(source):
            pass  # refuses links that lead out of the file
        with xr.open_dataset(source, engine="h5netcdf", cache=False) as dataset:
            images = [name for name, variable in dataset.data_vars.items() if variable.dims == ("y", "x")]
            if len(images) != 1:
                raise StackError(f"{source}: the file holds {len(images)} maps of the axes (y, x), not one.")
            image = dataset[images[0]].load()
        image.attrs = dict(image.attrs)
        return image.rename(image.attrs.get("long_name", images[0]))
    except StackError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:160]
        raise StackError(f"{source}: cannot be read as a map ({reason}).") from error


def _write_gsf(
    values: np.ndarray,
    target: Path,
    pixel: tuple[float, float],
    name: str,
    units: str,
    origin: tuple[float, float],
    y_direction: int,
) -> None:
    import gsffile

    from friedel.io.gsf import ROWS

    metadata = {
        "XReal": values.shape[1] * pixel[1] * 1e-9,
        "YReal": values.shape[0] * pixel[0] * 1e-9,
        # The offset is that of the image's edge, half a pixel before the first centre.
        "XOffset": (origin[1] - pixel[1] / 2) * 1e-9,
        "YOffset": (origin[0] - pixel[0] / 2) * 1e-9,
        "Title": name.replace("=", " ").replace("\n", " "),
        "XYUnits": "m",
        "ZUnits": "" if units == "1" else units,
        ROWS: "up" if y_direction > 0 else "down",
    }
    upright = np.ascontiguousarray(values[::-1]) if y_direction > 0 else values
    with write_beside(target) as beside:
        gsffile.write_gsf(beside, upright, metadata)
