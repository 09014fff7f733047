"""Touch everything in an HDF5 file that a reader may touch later; run by `friedel.io.guard` as a process of its own.

The HDF5 library loops for ever or crashes on some damaged files. Here that costs a process that nobody misses. To start
quickly, this file imports h5py alone and nothing of `friedel`. What the library refuses with an error is passed over:
the reader meets the same error and answers it. Only never coming back counts.

Standard input gives ``{"path": ..., "places": [...]}`` (JSON; the places are searched for modules). Standard output
tells ``ready`` before the file is opened, and ``done`` at the end.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: A damaged length must not take the machine's memory; address space, of which the libraries themselves need some.
MEMORY = 4 << 30
#: More objects than any reader here accepts.
MOST_OBJECTS = 20_100
#: Datasets up to this size are read whole; of larger ones the index of their chunks and both ends.
WHOLE = 4 << 20
#: Strings and lists lie elsewhere in the file, each with its own address, so they are all read up to this many.
MOST_STRINGS = 1_000_000
#: What h5py and h5netcdf ask of a dataset beside its numbers.
PROPERTIES = (
    "dtype",
    "maxshape",
    "fillvalue",
    "chunks",
    "compression",
    "compression_opts",
    "shuffle",
    "fletcher32",
    "scaleoffset",
    "_filters",
    "is_scale",
)


def main() -> None:
    """Read the order from standard input and walk the file."""
    order = json.load(sys.stdin)
    sys.path += [place for place in order["places"] if place not in sys.path]
    import h5py

    limit_memory()
    print("ready", flush=True)
    attempt(walk_file, h5py, order["path"])
    print("done", flush=True)


def limit_memory() -> None:
    """Set the limit where the system has one."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    except (ImportError, ValueError, OSError):
        pass


def attempt(step: Callable[..., Any], *arguments: Any) -> Any:
    """Return what `step` gives, None if the library refuses it."""
    try:
        return step(*arguments)
    except Exception:
        return None


def walk_file(h5py: Any, path: str) -> None:
    """Walk every object, and close the file."""
    with h5py.File(path, "r") as file:
        for item in objects(h5py, file):
            attempt(touch_attributes, h5py, file, item)
            if isinstance(item, h5py.Dataset):
                attempt(touch_dataset, item)


def objects(h5py: Any, file: Any) -> Iterator[Any]:
    """Every object that hard links lead to, once; other links are never followed."""
    seen = set()
    waiting = [file["/"]]
    yield waiting[0]
    while waiting:
        group = waiting.pop()
        for name in attempt(list, group) or ():
            if not isinstance(attempt(group.get, name, None, False, True), h5py.HardLink):
                continue
            item = attempt(group.__getitem__, name)
            place = None if item is None else attempt(address, h5py, item)
            if place is None or place in seen:
                continue
            seen.add(place)
            if len(seen) > MOST_OBJECTS:
                return
            if isinstance(item, h5py.Group):
                waiting.append(item)
            yield item


def address(h5py: Any, item: Any) -> int:
    """Where the object lies in the file."""
    offset: int = h5py.h5o.get_info(item.id).addr
    return offset


def touch_attributes(h5py: Any, file: Any, item: Any) -> None:
    """Read every attribute, and open what its references name."""
    for name in list(item.attrs):
        attempt(item.attrs.get_id, name)
        for reference in references(h5py, attempt(item.attrs.__getitem__, name)):
            attempt(follow, h5py, file, reference)


def follow(h5py: Any, file: Any, reference: Any) -> None:
    """Ask for what a reader asks for behind a reference."""
    target = file[reference]
    attempt(getattr, target, "name")
    attempt(getattr, target, "shape")
    if isinstance(reference, h5py.RegionReference):
        target.regionref.selection(reference)


def references(h5py: Any, value: Any, depth: int = 0) -> Iterator[Any]:
    """References within the value of an attribute, which may be lists of lists (DIMENSION_LIST) or records."""
    if isinstance(value, (h5py.Reference, h5py.RegionReference)):
        if value:
            yield value
    elif depth < 4 and getattr(getattr(value, "dtype", None), "kind", "") in "OV":
        for part in value.flat if hasattr(value, "flat") else value:
            yield from references(h5py, part, depth + 1)


def touch_dataset(item: Any) -> None:
    """Read what describes a dataset, the index of its chunks, and enough of its data."""
    if item.is_virtual or item.external:
        return  # their data lie in other files, which are never opened
    for name in PROPERTIES:
        attempt(getattr, item, name)
    attempt(lambda: item.parent.name)
    for dimension in item.dims:
        attempt(touch_scales, dimension)
    stored = item.id.get_storage_size()
    if item.shape is None or stored == 0:
        return
    if item.chunks is not None:
        attempt(touch_chunks, item)
    claimed = item.size * item.dtype.itemsize
    if claimed <= WHOLE or (item.dtype.kind == "O" and item.size <= MOST_STRINGS):
        attempt(item.__getitem__, ())
    elif item.ndim:
        attempt(item.__getitem__, (0,) * item.ndim)
        attempt(item.__getitem__, tuple(length - 1 for length in item.shape))


def touch_scales(dimension: Any) -> None:
    """Follow the scales of one dimension as h5netcdf does."""
    attempt(getattr, dimension, "label")
    dimension.keys()
    for scale in dimension.values():
        attempt(getattr, scale, "shape")


def touch_chunks(item: Any) -> None:
    """Go through the whole index of chunks (a damaged tree may hold a circle)."""
    count = item.id.get_num_chunks()
    if hasattr(item.id, "chunk_iter"):
        item.id.chunk_iter(lambda _chunk: None)
    for index in {0, count // 2, count - 1} if count else ():
        item.id.get_chunk_info(index)


if __name__ == "__main__":
    main()
    # Leave without the libraries' own tidying up: everything is said.
    os._exit(0)
