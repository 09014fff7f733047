"""GXSM scans (netCDF-3): layers over bias, lengths in Å. Written from public descriptions of the files.

The image is the variable `FloatField` (or `H`, `DoubleField`, `ByteField`) with the axes (time, value, dimy, dimx).
`value` holds the bias of each layer [V], `dimx` and `dimy` the places of the pixels, `offsetx`, `offsety` and `alpha`
the frame.

GXSM takes the layers of a series of voltages one after the other, each as a whole scan. Only the maps that it fills
from spectra taken at each pixel (its sources ``Map-PrbSrc``) hold layers of one scan.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.axes import bias_axis, pixel_pair, split_images
from friedel.stack import is_height, make_stack

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_FIELDS = ("FloatField", "DoubleField", "H", "ByteField")
_OF_SPECTRA = re.compile(r"map-?prb|prbsrc", re.IGNORECASE)
_BIAS = re.compile(r"(sranger.*_bias|gapvoltage|bias)$", re.IGNORECASE)


def is_gxsm(names: Any) -> bool:
    """Whether the names of the variables are those of a scan of GXSM."""
    return {"dimx", "dimy"} <= set(names) and any(field in names for field in _FIELDS)


def read_open(file: xr.Dataset, path: Path, *, bias: Any = None, pixel_nm: Any = None) -> xr.Dataset:
    """Make a stack of an opened file; see `friedel.io.open_stack`."""
    field = next(name for name in _FIELDS if name in file)
    data = file[field]
    if data.ndim != 4 or not {"dimx", "dimy"} <= set(data.dims):
        raise StackError(
            f"{path}: {field} has the axes {', '.join(map(str, data.dims))}, not (time, value, dimy, dimx)."
        )
    if data.sizes[data.dims[0]] != 1:
        raise StackError(
            f"{path}: the file holds {data.sizes[data.dims[0]]} images in time; only one can be read."
        )
    y, x = (file[name].to_numpy().astype(float) * 0.1 for name in ("dimy", "dimx"))
    pitch = tuple(_pitch(file, values, f"range{axis}", path) for values, axis in ((y, "y"), (x, "x")))
    name, unit = _label(path, data)
    layers = data.to_numpy()[0].astype(np.float64) * _step(file, whole=field in ("H", "ByteField"))
    if len(x) > 1 and x[-1] < x[0]:
        layers = layers[..., ::-1]  # columns are turned so that x rises
    rising = len(y) < 2 or y[-1] > y[0]
    common: dict[str, Any] = {
        "pixel_nm": pitch if pixel_nm is None else pixel_pair(pixel_nm),
        "units": {name: unit},
        "header": {str(key): str(value)[:200] for key, value in file.attrs.items()},
        "instrument": "GXSM",
        "scan_centre_x_nm": _number(file, "offsetx", 0.0) * 0.1,
        "scan_centre_y_nm": _number(file, "offsety", 0.0) * 0.1,
        "scan_angle_deg": _number(file, "alpha", 0.0),
        "y_direction": 1 if rising else -1,
    }
    if len(layers) > 1:
        axis = _layers(file, path) if bias is None else bias_axis(bias, len(layers))
        common["separate_scans"] = int(not _of_spectra(file, path))
        return make_stack({name: layers.astype(np.float32)}, bias_mv=axis, **common)
    own = next((float(file[v].to_numpy().ravel()[0]) * 1e3 for v in file if _BIAS.search(str(v))), None)
    channels, images, axis = split_images({name: layers[0]}, {name: unit}, own if bias is None else bias)
    return make_stack(channels, images=images, bias_mv=axis, **common)


def _number(file: xr.Dataset, name: str, default: float | None = None) -> float:
    if name in file and file[name].size:
        value = float(file[name].to_numpy().ravel()[0])
        if np.isfinite(value):
            return value
    if default is None:
        raise StackError(f"the variable {name!r} is missing or damaged.")
    return default


def _step(file: xr.Dataset, *, whole: bool) -> float:
    """What a stored number is worth: GXSM keeps those of its converter, also as floats, and their size in ``dz``."""
    step = _number(file, "dz", None if whole else 1.0)
    return step if step > 0 else 1.0


def _pitch(file: xr.Dataset, values: np.ndarray, span: str, path: Path) -> float:
    steps = np.diff(values)
    if (
        len(steps)
        and np.isfinite(steps).all()
        and np.allclose(steps, steps.mean(), rtol=1e-2)
        and steps.mean()
    ):
        return abs(float(steps.mean()))
    length = abs(_number(file, span, 0.0)) * 0.1
    if not length > 0:
        raise StackError(f"{path}: the places of the pixels are damaged, and {span} is not known.")
    return length / len(values)


def _layers(file: xr.Dataset, path: Path) -> np.ndarray:
    values = file["value"].to_numpy().astype(float) if "value" in file else np.array([])
    if len(np.unique(values)) < 2 or not np.isfinite(values).all():
        raise StackError(f"{path}: the layers do not say their bias: give bias (START:STOP, in mV).")
    return np.round(values * 1e3, 9)


def _of_spectra(file: xr.Dataset, path: Path) -> bool:
    """Whether the layers come from spectra taken within one scan, as the titles of the scan or its name say."""
    texts = [
        str(value) for key, value in file.attrs.items() if str(key).lower() in ("title", "type", "source")
    ]
    for name in ("title", "type"):
        if name in file:
            values = file[name].to_numpy().ravel()
            texts.append("".join(v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in values))
    return any(_OF_SPECTRA.search(text) for text in (*texts, path.stem))


def _label(path: Path, data: xr.DataArray) -> tuple[str, str]:
    """GXSM tells the channel by the end of the name of the file: ``-Topo``, ``-ADC0-I``, ``-dIdV``."""
    found = re.search(r"-(?:M\d+-)?(?:Xp|Xm)-(.+)$", path.stem)
    name = found[1] if found else path.stem.rpartition("-")[2] or "image"
    unit = str(data.attrs.get("ZLabel", "") or data.attrs.get("units", "")).strip()
    unit = str(data.attrs.get("unit", unit)).strip()
    if is_height(name):
        return name, "Å"
    return name, unit if len(unit) < 12 else ""
