"""Run a network over a field of any size: `paper`, disjoint patches as published, or `blend`, without seams."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import ModelError
from friedel.progress import Progress
from friedel.stack import normalise

if TYPE_CHECKING:
    from friedel.models.registry import Model

MODES = ("blend", "paper")

#: Patch of arXiv 2006.15898 [px].
PAPER_PATCH = 20


@dataclass(frozen=True)
class Layout:
    """How a field is cut.

    mode : "blend" or "paper"; size : side of a tile [px], or half of the largest where `own_scale` is False;
    overlap : of neighbours [px]; own_scale : whether every tile is normalised by itself, as the network's training
    patches were.
    """

    mode: str
    size: int
    overlap: int
    own_scale: bool


@dataclass(frozen=True)
class Field:
    """A network's answer for a whole field: each map has the field's shape, `offset` is (2, rows, columns) or None."""

    s: np.ndarray
    offset: np.ndarray | None
    sigma: np.ndarray | None


def layout(model: Model, mode: str) -> Layout:
    """Tile sizes from the model's header, with defaults.

    A network trained on small patches (``patch`` in its header) sees patches of that size and scale in both modes;
    another one sees tiles of ``config["tile"]`` pixels, 96 by default, up to twice as large where fewer of them do.
    """
    if mode not in MODES:
        raise ModelError(f"Tiles are cut in the mode {' or '.join(map(repr, MODES))}, not {mode!r}.")
    config: dict[str, Any] = model.header.get("config", {})
    patch = model.header.get("patch")
    if mode == "paper":
        size = int(patch or PAPER_PATCH)
        return Layout(mode, size, 0, True)
    size = int(patch or config.get("tile", 96))
    overlap = int(config.get("overlap", size // 2 if patch else 24))
    return Layout(mode, size, min(overlap, size // 2), patch is not None)


def starts(length: int, size: int, overlap: int) -> list[int]:
    """First indices of tiles of `size` that cover `length`; the last one is shifted back to end at the border."""
    if length <= size:
        return [0]
    step = size - overlap
    count = 1 + int(np.ceil((length - size) / step))
    if overlap:  # spread evenly
        return [int(v) for v in np.rint(np.linspace(0, length - size, count))]
    return [min(index * step, length - size) for index in range(count)]


def even(length: int, largest: int, overlap: int) -> int:
    """Size of tiles that cover `length` with as few of them as the largest ones would, and waste nothing."""
    count = len(starts(length, largest, overlap))
    return min(length, int(np.ceil((length + (count - 1) * overlap) / count)))


def corners(shape: tuple[int, int], size: tuple[int, int], overlap: int) -> list[tuple[int, int]]:
    """First row and column of every tile of `size` that covers a field of this shape, row by row."""
    return [
        (row, column)
        for row in starts(shape[0], size[0], overlap)
        for column in starts(shape[1], size[1], overlap)
    ]


def cover(shape: tuple[int, int], cut: Layout) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """Size of the tiles of a field and the first row and column of each.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the field.
    cut : Layout
    """
    if cut.own_scale:
        size = min(cut.size, shape[0]), min(cut.size, shape[1])
    else:  # what overlaps is seen twice: the larger, the less
        size = even(shape[0], 2 * cut.size, cut.overlap), even(shape[1], 2 * cut.size, cut.overlap)
    return size, corners(shape, size, cut.overlap)


def iter_run(
    model: Model, maps: np.ndarray, k: np.ndarray, mask: np.ndarray, cut: Layout
) -> Generator[Progress, None, Field]:
    """Apply the network tile by tile.

    Parameters
    ----------
    model : Model
    maps : array, shape (bias, rows, columns), float32
        Mean 0, root mean square 1, 0 where not acquired.
    k : array, shape (bias,)
        Wavevectors [rad/px], ascending.
    mask : array of bool, shape (rows, columns)
    cut : Layout

    Yields
    ------
    Progress
        Once a tile.

    Returns
    -------
    Field
        Memory: one tile at a time plus four maps of the field.
    """
    import torch

    from friedel.models.model import full_precision

    rows, columns = mask.shape
    size, places = cover((rows, columns), cut)
    window = _window(size, cut)
    weight = np.zeros((rows, columns), dtype=np.float32)
    total: np.ndarray | None = None  # sums of S, then of what else the network gives
    parts = 1
    k_tensor = torch.as_tensor(np.asarray(k), dtype=torch.float32, device=model.device)[None]
    for number, (row, column) in enumerate(places):
        at = np.s_[row : row + size[0], column : column + size[1]]
        known = mask[at]
        if known.any():
            # A contiguous copy: a torch view of the field would keep the memory of the whole.
            tile = np.ascontiguousarray(maps[(slice(None), *at)])
            if cut.own_scale:
                tile = np.nan_to_num(normalise(np.where(known, tile, np.nan)))
            with torch.inference_mode(), full_precision():
                out = model.network(
                    torch.from_numpy(tile)[None].to(model.device),
                    k_tensor,
                    torch.from_numpy(known.astype(np.float32))[None].to(model.device),
                )
            layers = [out.s]
            if out.offset is not None:
                layers += [out.offset[:, 0], out.offset[:, 1]]
            if out.log_sigma is not None:
                layers.append(out.log_sigma)
            found = torch.cat(layers).float().cpu().numpy()
            parts = 1 + 2 * (out.offset is not None) + 10 * (out.log_sigma is not None)
            if total is None:
                total = np.zeros((len(found), rows, columns), dtype=np.float32)
            if cut.mode == "paper":
                # Where the last patch was shifted over its neighbour, the neighbour's answer stays.
                share = (weight[at] == 0).astype(np.float32)
            else:
                share = window
            total[(slice(None), *at)] += share * found
            weight[at] += share
        yield Progress((number + 1) / len(places), f"tile {number + 1} of {len(places)}")
    if total is None:
        raise ModelError("Nothing was acquired in this area: there is no pixel to look at.")
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(weight > 0, total / weight, np.nan)
    offset = mean[1:3] if parts % 10 == 3 else None
    sigma = np.exp(mean[-1]) if parts > 10 else None
    return Field(np.where(mask, mean[0], np.nan), offset, sigma)


def _window(size: tuple[int, int], cut: Layout) -> np.ndarray:
    """Weight of a tile's pixels: 1 inside, falling towards the border over the overlap."""

    def ramp(length: int) -> np.ndarray:
        inside = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
        # The outermost pixels know only half of the waves around them: almost no weight.
        return np.clip(inside / max(cut.overlap, 1), 0, 1) ** 2 + 1e-4

    return np.outer(ramp(size[0]), ramp(size[1])).astype(np.float32)
