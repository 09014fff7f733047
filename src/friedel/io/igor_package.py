"""Packed experiments of Igor (`.pxp`): one wave of several, as in `friedel.io.igor`; read with igor2."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.arrays import Choice
from friedel.io.igor import stack_of_wave
from friedel.io.limits import check_unpacked

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr


def read(path: Path, *, bias: Any = None, pixel_nm: Any = None, dataset: str | None = None) -> xr.Dataset:
    """Open a `.pxp` file; see `friedel.io.open_stack`. `dataset` names the wave, with its folders: ``root/topo``."""
    try:
        from igor2 import packed
    except ImportError:
        raise StackError(
            f'{path}: Igor files need an extra package: pip install "napari-friedel[igor]".'
        ) from None
    check_unpacked(path.stat().st_size, path)
    logging.getLogger("igor2").setLevel(logging.CRITICAL + 1)  # it prints the numbers of a damaged wave
    _, tree = packed.load(str(path))
    waves = dict(_waves(tree))
    shapes = {name: np.shape(wave["wData"]) for name, wave in waves.items()}
    choice = Choice.of(shapes, dataset, path)
    return stack_of_wave(waves[choice.name], path, bias=bias, pixel_nm=pixel_nm)


def _waves(tree: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for key, item in tree.items():
        name = key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)
        if isinstance(item, Mapping):
            yield from _waves(item, f"{prefix}{name}/")
        elif hasattr(item, "wave"):
            wave = item.wave["wave"]
            if np.asarray(wave["wData"]).dtype.kind in "fiuc":
                yield f"{prefix}{name}".removeprefix("root/"), wave
