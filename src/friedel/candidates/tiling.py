"""Run a network over a field of any size: `paper`, disjoint patches as published, or `blend`, without seams."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel._util.big_maps import release
from friedel._util.work import HERE, Work
from friedel.errors import ModelError
from friedel.models.base import Output
from friedel.models.light import LightModel, Processor
from friedel.progress import Progress
from friedel.stack import normalise

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import torch

    from friedel.models.model import Model
    from friedel.models.runtime import DetectionModel

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


def layout(model: DetectionModel, mode: str) -> Layout:
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
    model: DetectionModel, maps: np.ndarray, k: np.ndarray, mask: np.ndarray, cut: Layout, work: Work = HERE
) -> Generator[Progress, None, Field]:
    """Apply the network tile by tile.

    Parameters
    ----------
    model : Model or LightModel
    maps : array, shape (bias, rows, columns), float32
        Mean 0, root mean square 1, 0 where not acquired.
    k : array, shape (bias,)
        Wavevectors [rad/px], ascending.
    mask : array of bool, shape (rows, columns)
    cut : Layout
    work : Work
        Where the tiles are computed.

    Yields
    ------
    Progress
        Once per batch of tiles: one tile on a CPU.

    Returns
    -------
    Field
        Memory: one tile at a time plus four maps of the field.
    """
    rows, columns = mask.shape
    size, places = cover((rows, columns), cut)
    window = _window(size, cut)
    weight = np.zeros((rows, columns), dtype=np.float32)
    total: _Layers | None = None
    batches = list(_batches(places, size, mask, batch_size(model.device, size)))
    pieces = (_piece(model, maps, k, mask, batch, size, cut) for batch in batches)
    done = 0
    for batch, found in zip(batches, work.each(forward, pieces), strict=True):
        if total is None:
            total = found.zeros((rows, columns))
        for values, (row, column) in zip(np.moveaxis(found.values, 1, 0), batch, strict=True):
            at = np.s_[row : row + size[0], column : column + size[1]]
            # In mode paper, where the last patch was shifted over its neighbour, the neighbour's answer stays.
            share = (weight[at] == 0).astype(np.float32) if cut.mode == "paper" else window
            total.values[(slice(None), *at)] += share * values
            weight[at] += share
        release(maps)
        done += len(batch)
        yield Progress(done / len(places), f"tile {done} of {len(places)}")
    if total is None:
        raise ModelError("Nothing was acquired in this area: it holds no pixel for the network.")
    with np.errstate(invalid="ignore", divide="ignore"):
        total = replace(total, values=np.where(weight > 0, total.values / weight, np.nan))
    sigma = np.exp(total.values[-1]) if total.has_sigma else None
    return Field(
        np.where(mask, total.values[0], np.nan), total.values[1:3] if total.has_offset else None, sigma
    )


@dataclass(frozen=True)
class _Layers:
    """A network's maps, shape (layers, [tiles,] rows, columns): S, then the offset's two and ln σ where it has them."""

    values: np.ndarray
    has_offset: bool
    has_sigma: bool

    def zeros(self, shape: tuple[int, int]) -> _Layers:
        return replace(self, values=np.zeros((len(self.values), *shape), dtype=np.float32))


#: Bytes that a forward pass takes per pixel of a tile, about: a dozen pooled voltages of some hundred channels each.
BYTES_PER_PIXEL = 20_000
#: Share of a GPU's free memory that a batch may take, and most tiles of one batch.
OF_FREE, MOST_TILES = 0.5, 64


def batch_size(device: torch.device | Processor, size: tuple[int, int]) -> int:
    """Tiles of one forward pass: as many as fill a GPU's free memory by half; one on a CPU, which gains nothing."""
    if isinstance(device, Processor) or device.type != "cuda":
        return 1
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    return int(np.clip(OF_FREE * free / (BYTES_PER_PIXEL * size[0] * size[1]), 1, MOST_TILES))


def _batches(
    places: list[tuple[int, int]], size: tuple[int, int], mask: np.ndarray, count: int
) -> Iterator[list[tuple[int, int]]]:
    """Corners of the tiles that hold data, some at a time."""
    seen = [(r, c) for r, c in places if mask[r : r + size[0], c : c + size[1]].any()]
    for start in range(0, len(seen), count):
        yield seen[start : start + count]


def _piece(
    model: DetectionModel,
    maps: np.ndarray,
    k: np.ndarray,
    mask: np.ndarray,
    batch: list[tuple[int, int]],
    size: tuple[int, int],
    cut: Layout,
) -> tuple[DetectionModel, np.ndarray, np.ndarray, np.ndarray, bool]:
    """What `forward` takes for some tiles."""
    areas = [np.s_[r : r + size[0], c : c + size[1]] for r, c in batch]
    tiles = np.stack([np.asarray(maps[(slice(None), *at)]) for at in areas])
    return model, tiles, k, np.stack([mask[at] for at in areas]), cut.own_scale


def forward(
    model: DetectionModel, tiles: np.ndarray, k: np.ndarray, known: np.ndarray, own_scale: bool
) -> _Layers:
    """One forward pass over some tiles.

    Parameters
    ----------
    model : Model or LightModel
    tiles : array, shape (n, bias, rows, columns)
    k : array, shape (bias,)
    known : array of bool, shape (n, rows, columns)
    own_scale : bool
        Whether each tile is normalised by itself.
    """
    if own_scale:
        tiles = np.nan_to_num(normalise(np.where(known[:, None], tiles, np.nan)))
    one_k = np.broadcast_to(np.asarray(k, dtype=np.float32), (len(tiles), len(k)))
    given = tiles, one_k, known.astype(np.float32)
    out = model.network(*given) if isinstance(model, LightModel) else _by_torch(model, *given)
    layers = [out.s]
    if out.offset is not None:
        layers += [out.offset[:, 0], out.offset[:, 1]]
    if out.log_sigma is not None:
        layers.append(out.log_sigma)
    values = np.stack([np.asarray(layer, dtype=np.float32) for layer in layers])
    return _Layers(values, out.offset is not None, out.log_sigma is not None)


def _by_torch(model: Model, tiles: np.ndarray, k: np.ndarray, known: np.ndarray) -> Output:
    """The answer of torch's network, on the processor."""
    import torch

    from friedel.models.model import full_precision

    with torch.inference_mode(), full_precision():
        out: Output = model.network(*(torch.tensor(x).to(model.device) for x in (tiles, k, known)))
        s, offset, log_sigma = (None if layer is None else layer.float().cpu() for layer in out)
    return Output(s, offset, log_sigma)  # type: ignore[arg-type]


def _window(size: tuple[int, int], cut: Layout) -> np.ndarray:
    """Weight of a tile's pixels: 1 inside, falling towards the border over the overlap."""

    def ramp(length: int) -> np.ndarray:
        inside = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
        # The outermost pixels know only half of the waves around them: almost no weight.
        return np.clip(inside / max(cut.overlap, 1), 0, 1) ** 2 + 1e-4

    return np.outer(ramp(size[0]), ramp(size[1])).astype(np.float32)
