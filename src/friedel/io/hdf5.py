"""HDF5 files: NSID and NeXus with their axes, others as bare arrays.

Nothing outside the file is read: external links, virtual datasets and external storage are refused.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from friedel.errors import StackError
from friedel.io.arrays import Choice, stack_from_array
from friedel.io.axes import TO_MV, TO_NM, factor_of, in_unit, need_axes, split_images
from friedel.io.guard import check_hdf5
from friedel.io.nexus_spectrum import spectrum, text
from friedel.stack import make_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import xarray as xr

_MOST_OBJECTS = 20_000
#: deflate cannot pack more than about 1032 bytes into one.
_MOST_PACKED = 1100
_LARGEST = 64 << 30


@contextmanager
def open_file(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file after a child process has come back from it, and look through its links and sizes.

    Raises
    ------
    StackError
        If it is damaged, points outside itself, or claims more data than it can hold.
    """
    check_hdf5(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise StackError(
            f"{path}: the HDF5 file is cut off or damaged ({' '.join(str(error).split())[:160]})."
        ) from error
    with file:
        _inspect(file, path)
        yield file


def _inspect(file: h5py.File, path: Path) -> None:
    size = path.stat().st_size
    seen: set[Any] = set()
    waiting: list[h5py.Group] = [file["/"]]
    while waiting:
        group = waiting.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise StackError(f"{path}: {name!r} is a link to another file, which is not followed.")
            if isinstance(link, h5py.SoftLink):
                continue  # what it points to is met under its own name
            item = group[name]
            key = h5py.h5o.get_info(item.id).addr
            if key in seen:
                continue
            seen.add(key)
            if len(seen) > _MOST_OBJECTS:
                raise StackError(f"{path}: the file holds more than {_MOST_OBJECTS} objects; this is no map.")
            if isinstance(item, h5py.Group):
                waiting.append(item)
            elif isinstance(item, h5py.Dataset):
                _check(item, size, path)


def _check(item: h5py.Dataset, size: int, path: Path) -> None:
    if item.is_virtual or item.external:
        raise StackError(f"{path}: the data of {item.name!r} lies in another file, which is not followed.")
    if item.shape is None:
        return
    stored = item.id.get_storage_size()
    claimed = item.dtype.itemsize
    for length in item.shape:
        claimed *= int(length)
    if stored > size or claimed > _MOST_PACKED * max(stored, 1) + (1 << 20) or claimed > _LARGEST:
        raise StackError(
            f"{path}: {item.name!r} claims {claimed} bytes, but the file holds {stored} of them."
        )


@dataclass
class Main:
    """A dataset with a spectral and two spatial axes, or an image with two spatial ones."""

    dataset: h5py.Dataset
    order: tuple[int, ...]  # its axes for bias, y, x; an image has no first
    bias_mv: np.ndarray | None
    pixel_nm: tuple[float, float]
    unit: str
    origin_nm: tuple[float, float]  # x, y of the first pixel
    rises: tuple[int, int]  # +1 or -1 for y, x


def read(
    path: Path, *, bias: Any = None, pixel_nm: Any = None, dataset: str | None = None, axes: str | None = None
) -> xr.Dataset:
    """Open an HDF5 file; see `friedel.io.open_stack`."""
    with open_file(path) as file:
        return read_open(file, path, bias=bias, pixel_nm=pixel_nm, dataset=dataset, axes=axes)


def read_open(
    file: h5py.File,
    path: Path,
    *,
    bias: Any = None,
    pixel_nm: Any = None,
    dataset: str | None = None,
    axes: str | None = None,
) -> xr.Dataset:
    """Read a stack from a file that `open_file` gave."""
    arrays = {item.name: item for item in _datasets(file)}
    if not arrays and dataset is None and axes is None and (one := spectrum(file, path, bias)) is not None:
        return one
    found = {} if axes else {name: main for name, item in arrays.items() if (main := _main(item))}
    if dataset is not None:
        dataset = "/" + dataset.strip("/")
        found = {name: main for name, main in found.items() if name == dataset}
    if not found:
        choice = Choice.of({name: item.shape for name, item in arrays.items()}, dataset, path)
        values = load(arrays[choice.name], path)
        name = choice.name.rpartition("/")[2]
        return stack_from_array(
            values, path, name=name, bias=bias, pixel_nm=pixel_nm, axes=axes, instrument="HDF5"
        )
    if any(main.bias_mv is not None for main in found.values()):
        found = {name: main for name, main in found.items() if main.bias_mv is not None}
    first = next(iter(found.values()))
    pixel_nm = pixel_nm or first.pixel_nm
    axis = None
    if first.bias_mv is not None:
        axis, pixel_nm = need_axes(
            f"{path}: this file", first.bias_mv if bias is None else bias, pixel_nm, len(first.bias_mv)
        )
    units: dict[str, str] = {}
    channels: dict[str, np.ndarray] = {}
    images: dict[str, np.ndarray] = {}
    for name, main in found.items():
        if not _same_axes(main, first):
            raise StackError(
                f"{path}: several stacks of different axes: {', '.join(found)}. Name one.", settings="dataset"
            )
        label = _label(name, list(found))
        values = load(main.dataset, path).transpose(main.order)
        units[label] = main.unit
        (images if main.bias_mv is None else channels)[label] = values
    if axis is None:
        channels, images, axis = split_images(images, units, bias)
    return make_stack(
        channels,
        bias_mv=axis,
        pixel_nm=pixel_nm,
        units=units,
        images=images,
        tip_origin_x_nm=first.origin_nm[0],
        tip_origin_y_nm=first.origin_nm[1],
        # Columns that run against x are those of a frame rotated by 180°.
        scan_angle_deg=0.0 if first.rises[1] > 0 else 180.0,
        y_direction=first.rises[0] * first.rises[1],
        header={key: str(value)[:200] for key, value in file.attrs.items()},
        instrument=str(file.attrs.get("instrument", "HDF5")),
    )


def load(item: h5py.Dataset, path: Path) -> np.ndarray:
    """Read a dataset as float32; chunks that were never written become NaN instead of the file's fill value."""
    if item.dtype.kind not in "fiu":
        raise StackError(f"{path}: {item.name!r} holds no real numbers (type {item.dtype}).")
    if item.id.get_storage_size() == 0:
        raise StackError(f"{path}: nothing was ever written to {item.name!r}.")
    values: np.ndarray = item[()].astype(np.float32)
    if item.chunks is not None:
        grid = [-(-length // chunk) for length, chunk in zip(item.shape, item.chunks, strict=True)]
        if item.id.get_num_chunks() < int(np.prod(grid)):
            written = np.zeros(grid, dtype=bool)
            for index in range(item.id.get_num_chunks()):
                offset = item.id.get_chunk_info(index).chunk_offset
                written[tuple(o // c for o, c in zip(offset, item.chunks, strict=True))] = True
            for place in np.argwhere(~written):
                values[tuple(slice(p * c, (p + 1) * c) for p, c in zip(place, item.chunks, strict=True))] = (
                    np.nan
                )
    return values


def _datasets(file: h5py.File) -> list[h5py.Dataset]:
    found: list[h5py.Dataset] = []

    def visit(_name: str, item: Any) -> None:
        if (
            isinstance(item, h5py.Dataset)
            and item.dtype.kind in "fiu"
            and item.shape
            and len(item.shape) in (2, 3)
        ):
            found.append(item)

    file.visititems(visit)
    return found


def _main(item: h5py.Dataset) -> Main | None:
    """Find one spectral and two spatial axes, or the two of an image; else None."""
    scales = _scales(item) or _nexus_axes(item)
    if scales is None:
        return None
    spectral, spatial = [], []
    for index, scale in enumerate(scales):
        unit = text(scale.attrs.get("units", ""))
        kind = text(scale.attrs.get("dimension_type", "")).upper()
        try:
            if "SPECTRAL" in kind or (not kind and factor_of(unit, TO_MV) is not None):
                spectral.append((index, in_unit(scale[()], unit, TO_MV)))
            else:
                spatial.append(
                    (index, in_unit(scale[()], unit, TO_NM), scale.name.rpartition("/")[2].lower())
                )
        except StackError:
            return None
    if len(spectral) != len(item.shape) - 2 or len(spatial) != 2:
        return None
    # An axis called x is the fast one; else the order in the file is (…, y, x).
    if spatial[0][2].startswith("x") and not spatial[1][2].startswith("x"):
        spatial.reverse()
    pitch = tuple(_pitch(values) for _, values, _ in spatial)
    if not all(np.isfinite(pitch)):
        return None
    unit, order = text(item.attrs.get("units", "")), (spatial[0][0], spatial[1][0])
    y, x = spatial[0][1], spatial[1][1]
    place = (float(x[0]), float(y[0])), (1 if y[-1] >= y[0] else -1, 1 if x[-1] >= x[0] else -1)
    if not spectral:
        return Main(item, order, None, (pitch[0], pitch[1]), unit, *place)
    if spectral[0][1].shape != (item.shape[spectral[0][0]],):
        return None
    return Main(item, (spectral[0][0], *order), spectral[0][1], (pitch[0], pitch[1]), unit, *place)


def _pitch(values: np.ndarray) -> float:
    steps = np.diff(values)
    even = len(steps) > 0 and np.isfinite(steps).all() and np.allclose(steps, steps.mean(), rtol=1e-2)
    return float(abs(steps.mean())) if even and steps.mean() != 0 else float("nan")


def _scales(item: h5py.Dataset) -> list[h5py.Dataset] | None:
    # The references are followed here: HDF5's own function for it never returns from some damaged files.
    references = item.attrs.get("DIMENSION_LIST")
    if references is None or len(references) != item.ndim or any(len(each) == 0 for each in references):
        return None
    scales = [item.file[each[0]] for each in references]
    return scales if all(isinstance(scale, h5py.Dataset) and scale.ndim == 1 for scale in scales) else None


def _nexus_axes(item: h5py.Dataset) -> list[h5py.Dataset] | None:
    names = item.parent.attrs.get("axes")
    if names is None or isinstance(names, (str, bytes)) or len(names) != item.ndim:
        return None
    scales = [item.parent.get(text(name)) for name in names]
    sound = all(
        isinstance(s, h5py.Dataset) and s.shape == (n,) for s, n in zip(scales, item.shape, strict=True)
    )
    return scales if sound else None


def _same_axes(one: Main, other: Main) -> bool:
    return (
        one.dataset.shape == other.dataset.shape
        and one.order == other.order
        and np.array_equal(
            one.bias_mv if one.bias_mv is not None else [], other.bias_mv if other.bias_mv is not None else []
        )
        and np.allclose(one.pixel_nm, other.pixel_nm)
    )


def _label(name: str, names: list[str]) -> str:
    """Shortest end of the path that tells the datasets apart; NXdata groups carry the name themselves."""
    parts = name.strip("/").split("/")
    groups = [other.strip("/").split("/")[-2:-1] for other in names]
    if len(parts) > 1 and len(names) > 1 and sum(group == parts[-2:-1] for group in groups) == 1:
        return parts[-2]
    for count in range(1, len(parts) + 1):
        short = "/".join(parts[-count:])
        if sum(other.endswith("/" + short) for other in names) == 1:
            return short
    return name
