"""Density and normal equations of the joint fit on a torch device; `friedel.refit.normal_equations` has the formulas.

The pixels are worked on in blocks of at most `BYTES`, and sums that cross blocks have double precision.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from friedel.refit.device_waves import DevicePaths, DeviceWaves, on
from friedel.refit.field_model import FieldModel
from friedel.refit.normal_equations import Sums, Weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from friedel.refit.parameters import Layout

#: A block of pixels takes at most about so many bytes of the device.
BYTES = 512 << 20
#: Complex arrays of pixels × scatterers, and real ones of pixels × columns, that exist at a time.
COMPLEX, REAL = 16, 4


@contextmanager
def _exact() -> Iterator[None]:
    """No gradients, and products of 24 bits: a program may have let a GPU round them to 11 (TF32)."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def give_back(device: str | None) -> None:
    """Give a GPU's cached memory back to the other programs on it."""
    if device is not None and torch.device(device).type == "cuda":
        torch.cuda.empty_cache()


def _blocks(model: FieldModel, columns: int) -> list[slice]:
    """Slices of pixels that fit into `BYTES`."""
    each = 8 * COMPLEX * max(len(model.position), 1) + 4 * REAL * columns
    size = max(16, BYTES // each)
    count = len(model.place)
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _waves(model: FieldModel, part: slice, device: torch.device) -> Iterator[DeviceWaves]:
    """The waves of every map in a part of the pixels."""
    place, still = on(device, model.place[part]), not model.drift.any()
    paths = DevicePaths(place, on(device, model.position), model.ripple) if still else None
    for v, scattering in enumerate(model.scattering):
        moved = model.position + model.drift[v]
        yield DeviceWaves(paths or DevicePaths(place, on(device, moved), model.ripple), scattering)


class DeviceModel(FieldModel):
    """A `FieldModel` whose density is made on a torch device.

    Parameters
    ----------
    device : str
        For example ``cuda:0``.
    *given
        Those of `FieldModel`.
    """

    def __init__(self, device: str, *given: Any) -> None:
        super().__init__(*given)
        self.device = torch.device(device)

    def _made_density(self) -> np.ndarray:
        out = np.empty((len(self.scattering), len(self.place)), np.float32)
        with _exact():
            for part in _blocks(self, 0):
                for v, waves in enumerate(_waves(self, part, self.device)):
                    out[v, part] = waves.density.cpu().numpy()
        return out


class _Nuisance:
    """The nuisances of some pixels: an offset of its own row for every pixel, then columns that all have."""

    def __init__(self, weights: Weights, part: slice, device: torch.device) -> None:
        rows = weights.nuisance[part]
        each = rows.nnz // max(rows.shape[0], 1)
        index = torch.from_numpy(rows.indices.reshape(-1, each)[:, 0].astype(np.int64))
        values = rows.data.reshape(-1, each)
        self._row, self._offset = index.to(device), on(device, values[:, :1])
        self._stripes, self._count = on(device, values[:, 1:].T), rows.shape[1]

    def times(self, columns: torch.Tensor) -> torch.Tensor:
        """Nᵀ C, shape (Q, m)."""
        stripes = len(self._stripes)
        out = columns.new_zeros((self._count - stripes, columns.shape[1]))
        out.index_add_(0, self._row, self._offset * columns)
        return torch.cat([out, self._stripes @ columns])


def sums_on(model: FieldModel, layout: Layout, weights: Weights, halves: np.ndarray) -> Sums:
    """The sums over all pixels, made on the model's device.

    Parameters
    ----------
    model : DeviceModel
    layout : Layout
    weights : Weights
    halves : array, shape (2, V)
        1 and the energy of each map.
    """
    if not isinstance(model, DeviceModel):
        raise TypeError(
            "a model without a device has its sums made by friedel.refit.normal_equations.sums_here"
        )
    w, device = weights, model.device
    zeros = Sums.zeros(halves.shape[1], layout.columns, w.nuisance.shape[1])
    square, along, together, seen = (
        torch.from_numpy(array).to(device, torch.float64)
        for array in (zeros.square, zeros.along, zeros.together, zeros.seen)
    )
    with _exact():
        unit, left, common = on(device, w.unit), on(device, w.left), on(device, w.common @ w.left)
        pixel, share = on(device, w.pixel), on(device, halves * w.common)
        for part in _blocks(model, layout.columns):
            nuisance, mixed = _Nuisance(w, part, device), None
            for v, waves in enumerate(_waves(model, part, device)):
                columns = waves.derivative(layout.names, positions=layout.positions)
                columns *= (float(w.map[v]) * pixel[part])[:, None]
                square[v] += columns.T @ columns
                along[v, :-2] += nuisance.times(columns)
                along[v, -2:] += torch.stack([unit[v, part], left[v, part]]) @ columns
                if w.share:
                    both = torch.cat([share[0, v] * columns, share[1, v] * columns], dim=1)
                    mixed = both if mixed is None else mixed.add_(both)
            if mixed is not None:
                together += mixed.T @ mixed
                seen[: -len(unit) - 1] += nuisance.times(mixed)
                seen[-len(unit) - 1 :] += torch.vstack([unit[:, part], common[None, part]]) @ mixed
    return Sums(
        square.float().cpu().numpy(), along.float().cpu().numpy(), together.cpu().numpy(), seen.cpu().numpy()
    )
