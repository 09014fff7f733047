"""Channels that are read from their file when they are touched, and only the part that is touched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from friedel.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Records:
    """Where the spectra of a grid lie in a file: one record of float32 numbers per pixel, pixel after pixel.

    Parameters
    ----------
    path : Path
    offset : int
        Bytes before the first record.
    length : int
        Numbers in a record.
    shape : (int, int)
        Rows and columns of the grid.
    acquired : int
        Complete records in the file, at most rows × columns.
    dtype : str
        For example ``">f4"``.
    index : array, shape (rows × columns,), optional
        The record of every pixel, −1 where there is none; if None, the records lie row by row.
    """

    path: Path
    offset: int
    length: int
    shape: tuple[int, int]
    acquired: int
    dtype: str = ">f4"
    index: np.ndarray | None = field(default=None, compare=False)

    def open(self) -> np.ndarray:
        """Map the complete records, shape (acquired, length). The file stays open only while the map is used."""
        # Mapping past the end of a file that shrank would kill the process, so its size is checked each time.
        width = np.dtype(self.dtype).itemsize
        try:
            size = self.path.stat().st_size
            if size < self.offset + self.acquired * self.length * width:
                raise StackError(
                    f"{self.path}: the file has become shorter since it was opened; open it again."
                )
            return np.memmap(self.path, self.dtype, "r", self.offset, (self.acquired, self.length))
        except OSError as error:
            raise StackError(f"{self.path}: cannot be read any more ({error.strerror or error}).") from error


#: Pixels that are transposed at a time: the block of one channel stays in the processor's cache.
_BLOCK = 256


class _Sweep(BackendArray):
    """One channel of `Records`, shape (bias, y, x), native float32, NaN where not acquired."""

    def __init__(self, records: Records, numbers: np.ndarray) -> None:
        self.records = records
        self.numbers = numbers
        self.shape = (len(numbers), *records.shape)
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        sweep, rows, columns = key
        numbers = np.atleast_1d(self.numbers[sweep])
        height, width = self.records.shape
        first, last = _span(rows, height)
        out = np.full((len(numbers), (last - first) * width), np.nan, dtype=np.float32)
        if len(numbers):
            self._fill(out, first * width, last * width, numbers)
        planes = out.reshape(len(numbers), last - first, width)
        rows = rows - first if isinstance(rows, (int, np.integer)) else _shift(rows, first)
        planes = planes[:, rows][..., columns]
        return planes[0] if isinstance(sweep, (int, np.integer)) else planes

    def _fill(self, out: np.ndarray, start: int, stop: int, numbers: np.ndarray) -> None:
        """Read the pixels from `start` to `stop` into `out`, shape (numbers, pixels)."""
        index = self.records.index
        if index is None:
            stop = min(stop, self.records.acquired)
            if stop > start:
                _transpose(self.records.open()[start:stop], numbers, out)
            return
        known = np.flatnonzero(index[start:stop] >= 0)
        if len(known):
            part = np.empty((len(numbers), len(known)), dtype=np.float32)
            rows = self.records.open()
            for begin in range(0, len(known), _BLOCK):
                block = known[begin : begin + _BLOCK]
                _transpose(rows[index[start + block]], numbers, part[:, begin : begin + len(block)])
            out[:, known] = part


class _Parameter(BackendArray):
    """One number of each record as an image, shape (y, x)."""

    def __init__(self, records: Records, number: int) -> None:
        self.records = records
        self.number = number
        self.shape = records.shape
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        image = np.full(self.shape, np.nan, dtype=np.float32)
        values = self.records.open()[:, self.number]
        if self.records.index is None:
            image.reshape(-1)[: self.records.acquired] = values
        else:
            known = self.records.index >= 0
            image.reshape(-1)[known] = values[self.records.index[known]]
        part: np.ndarray = image[key]
        return part


def sweep_variable(records: Records, numbers: Any) -> xr.Variable:
    """Make a lazy channel (bias, y, x) of the given numbers of each record (indices, one per bias)."""
    return _lazy(("bias", "y", "x"), _Sweep(records, np.asarray(numbers, dtype=np.intp)))


def image_variable(records: Records, number: int) -> xr.Variable:
    """Make a lazy image (y, x) of one number of each record."""
    return _lazy(("y", "x"), _Parameter(records, number))


def lazy_variable(
    dims: tuple[str, ...], shape: tuple[int, ...], read: Callable[[], np.ndarray]
) -> xr.Variable:
    """Make a float32 variable that calls `read` when first touched, and only once."""
    return _lazy(dims, _Whole(shape, read))


def hdf5_variable(path: Path, name: str, shape: tuple[int, int, int]) -> xr.Variable:
    """Make a lazy channel (bias, y, x) of a dataset of an HDF5 file, which is open only while a part is read."""
    return _lazy(("bias", "y", "x"), _Dataset(path, name, shape))


def converted(variable: xr.Variable, dims: tuple[str, ...], path: Path) -> xr.Variable:
    """Give a variable the order of axes `dims` and float32 numbers; in a file it stays until it is touched."""
    if variable._in_memory or variable.chunks:
        return variable.transpose(*dims).astype(np.float32)
    lazy = _lazy(dims, _Converted(variable, dims, path))
    lazy.attrs.update(variable.attrs)
    return lazy


class _Converted(BackendArray):
    def __init__(self, variable: xr.Variable, dims: tuple[str, ...], path: Path) -> None:
        self.variable, self.dims, self.path = variable, dims, path
        self.shape = tuple(variable.sizes[dim] for dim in dims)
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        part = self.variable.isel(dict(zip(self.dims, key, strict=True)))
        ordered = part.transpose(*(dim for dim in self.dims if dim in part.dims))
        try:
            return np.asarray(ordered.to_numpy(), dtype=np.float32)
        except Exception as error:  # whatever unpacks the parts raises an error of its own
            raise StackError(f"{self.path}: a part of it cannot be read ({error}): it is damaged.") from error


class _Dataset(BackendArray):
    def __init__(self, path: Path, name: str, shape: tuple[int, int, int]) -> None:
        self.path, self.name = path, name
        self.shape = shape
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        import h5py

        # The library takes no step backwards: what lies between is read, and turned here.
        ranges = [_span(one, size) for one, size in zip(key, self.shape, strict=True)]
        inside = tuple(
            one - first if isinstance(one, (int, np.integer)) else _shift(one, first)
            for one, (first, _) in zip(key, ranges, strict=True)
        )
        try:
            with h5py.File(self.path, "r") as file:
                values = file[self.name][tuple(slice(*one) for one in ranges)]
        except (OSError, KeyError) as error:
            raise StackError(f"{self.path}: cannot be read any more ({error}).") from error
        return np.asarray(values, dtype=np.float32)[inside]


class _Whole(BackendArray):
    def __init__(self, shape: tuple[int, ...], read: Callable[[], np.ndarray]) -> None:
        self.read = read
        self.shape = shape
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, lambda basic: self.read()[basic]
        )


def _lazy(dims: tuple[str, ...], array: BackendArray) -> xr.Variable:
    # Cached once it is read whole; a plane alone is read without the rest.
    lazy = indexing.LazilyIndexedArray(array)
    return xr.Variable(dims, indexing.MemoryCachedArray(indexing.CopyOnWriteArray(lazy)))  # type: ignore[arg-type]


def _span(key: Any, size: int) -> tuple[int, int]:
    """First index and one past the last that a basic key touches."""
    if isinstance(key, (int, np.integer)):
        index = int(key) % size if size else 0
        return index, index + 1
    touched = range(size)[key]
    return (min(touched), max(touched) + 1) if len(touched) else (0, 0)


def _shift(key: slice, first: int) -> slice:
    start, stop, step = key.start or 0, key.stop, key.step or 1
    if step < 0:
        return (
            slice(None if key.start is None else start - first, None, step)
            if stop is None
            else slice(start - first, stop - first if stop - first >= 0 else None, step)
        )
    return slice(start - first, None if stop is None else stop - first, step)


def _transpose(records: np.ndarray, numbers: np.ndarray, out: np.ndarray) -> None:
    """Copy ``records[:, numbers].T`` into ``out[:, :len(records)]``, byte order made native."""
    even = len(numbers) > 1 and (np.diff(numbers) == 1).all()
    columns: Any = slice(int(numbers[0]), int(numbers[-1]) + 1) if even else numbers
    if len(numbers) <= 4:  # few planes: no detour over a block
        for plane, number in enumerate(numbers):
            out[plane, : len(records)] = records[:, number]
        return
    for start in range(0, len(records), _BLOCK):
        block = records[start : start + _BLOCK, columns].astype(np.float32)
        out[:, start : start + len(block)] = block.T
