"""Normal equations of the joint fit: derivatives of all maps by all parameters, multiplied with each other.

Map v has the columns C_v (pixels × derivatives, weighted). Taken out of them is what its nuisances explain, the
orthonormal columns N_v: J_v = (1 − N_v N_vᵀ) C_v, so that J_vᵀ J_v = C_vᵀ C_v − (N_vᵀ C_v)ᵀ (N_vᵀ C_v) needs no second
pass over the columns. Errors that all maps of a pixel have in common weigh less: a share β of Tᵀ T with T = Σ_v c_v J_v
is taken away. Columns are made block by block and never kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from friedel._util.threads import cores, each
from friedel.refit.field_model import FieldModel
from friedel.refit.parameters import Layout

#: Columns of one block, all maps together, are at most so many numbers: they stay in the processor's last cache.
BLOCK = 4_000_000


def offsets_and_stripes(row: np.ndarray, weight: np.ndarray, phase: np.ndarray | None) -> sparse.csr_array:
    """What every map may have besides waves, as orthonormal columns, (P, Q).

    Parameters
    ----------
    row : array of int, shape (P,)
        Each row has an offset of its own.
    weight : array, shape (P,)
        Of each pixel.
    phase : array, shape (P,), optional
        Of the stripes [rad]; there are none if None.
    """
    count, root = int(row.max(initial=-1)) + 1, np.sqrt(weight)
    offset = (root / np.sqrt(np.bincount(row, root**2))[row]).astype(np.float32)
    values, columns = offset[:, None], row[:, None]
    if phase is not None:
        waves = (root * np.stack([np.cos(phase), np.sin(phase)])).astype(np.float32)
        mean = np.stack([np.bincount(row, offset * wave)[row] for wave in waves])
        stripes = np.linalg.qr((waves - offset * mean).astype(np.float32).T)[0]
        values = np.hstack([values, stripes])
        columns = np.hstack([columns, np.broadcast_to([count, count + 1], stripes.shape)])
        count += 2
    ends = np.arange(0, values.size + 1, values.shape[1])
    return sparse.csr_array((values.ravel(), columns.ravel(), ends), shape=(len(row), count))


@dataclass(frozen=True)
class Weights:
    """How the maps of a model are compared with the data; V maps, P pixels.

    Parameters
    ----------
    pixel : array, shape (P,)
        Root of a pixel's weight, times its gain.
    map : array, shape (V,)
        Scale of each map over its noise.
    nuisance : sparse array, shape (P, Q)
        Orthonormal: offsets of the rows, each of which lives in its own row only, and stripes.
    seen : array, shape (V, P)
        Each map of the model over the noise, without nuisance.
    left : array, shape (V, P)
        What the model leaves over, over the noise; orthogonal to nuisance and `seen`, since the scales are fitted.
    common, share : array, shape (V,), and float
        Direction over the maps in which errors are correlated, and their share β of the variance.
    """

    pixel: np.ndarray
    map: np.ndarray
    nuisance: sparse.csr_array
    seen: np.ndarray
    left: np.ndarray
    common: np.ndarray
    share: float

    @property
    def unit(self) -> np.ndarray:
        """Direction of each map, (V, P): what a change of its scale does."""
        return np.asarray(self.seen / np.sqrt((self.seen**2).sum(axis=1, keepdims=True) + 1e-9))


def _blocks(parts: list[slice], size: int) -> list[list[slice]]:
    """Neighbouring parts together, up to `size` pixels or a single part."""
    blocks: list[list[slice]] = []
    for part in parts:
        if blocks and part.stop - blocks[-1][0].start <= size:
            blocks[-1].append(part)
        else:
            blocks.append([part])
    return blocks


def moments_over_energy(square: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Σ_v of the maps' CᵀC, (V, m, m), once plain and once times the energy on either side, (2 m, 2 m)."""
    m = square.shape[1]
    powers = np.stack([energy**0, energy, energy**2])
    out = np.empty((2, m, 2, m))

    def fill(rows: slice) -> None:
        plain, once, twice = np.tensordot(powers, square[:, rows], axes=1)
        out[0, rows, 0], out[0, rows, 1], out[1, rows, 0], out[1, rows, 1] = plain, once, once, twice

    each(fill, [slice(core, None, cores()) for core in range(cores())])
    return out.reshape(2 * m, 2 * m)


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Normal equations of one step.

    Parameters
    ----------
    matrix : array, shape (size, size)
        JᵀJ, the scale of every map eliminated.
    gradient : array, shape (size,)
        Jᵀ·residual.
    by_scale : array, shape (size, V)
        Overlap of every parameter's change with that of the scale of each map: JᵀJ at fixed scales is
        ``matrix + by_scale @ by_scale.T``.
    """

    matrix: np.ndarray
    gradient: np.ndarray
    by_scale: np.ndarray


@dataclass(frozen=True, eq=False)
class Sums:
    """Products of the weighted derivatives C_v of V maps, m columns each, over all pixels.

    Parameters
    ----------
    square : array, shape (V, m, m)
        CᵀC.
    along : array, shape (V, Q + 2, m)
        NᵀC of the Q nuisances, then the map's unit and what is left, each times C.
    together : array, shape (2 m, 2 m)
        TᵀT of the common part T, plain and times the energy; 0 without a common share.
    seen : array, shape (Q + V + 1, 2 m)
        Nuisances, the units of all maps and the common part of what is left, each times T.
    """

    square: np.ndarray
    along: np.ndarray
    together: np.ndarray
    seen: np.ndarray

    @classmethod
    def zeros(cls, maps: int, columns: int, nuisances: int) -> Sums:
        """Before the first pixel."""
        return cls(
            np.zeros((maps, columns, columns), np.float32),
            np.zeros((maps, nuisances + 2, columns), np.float32),
            np.zeros((2 * columns, 2 * columns)),
            np.zeros((nuisances + maps + 1, 2 * columns)),
        )


#: Makes the sums of a model, a layout, weights, and 1 and the energy of each map, (2, V).
MakeSums = Callable[[FieldModel, Layout, Weights, np.ndarray], Sums]


def normal_equations(
    model: FieldModel, layout: Layout, weights: Weights, energy: np.ndarray, sums_of: MakeSums | None = None
) -> NormalEquations:
    """Normal equations without priors.

    Parameters
    ----------
    model : FieldModel
    layout : Layout
    weights : Weights
    energy : array, shape (V,)
        From −1 to 1.
    sums_of : callable, optional
        What makes the sums; `sums_here` if None.
    """
    halves = np.stack([np.ones(len(energy)), energy])  # (2, V)
    sums = (sums_of or sums_here)(model, layout, weights, halves)
    square, along = sums.square, sums.along

    def project(v: int) -> None:
        square[v] -= along[v, :-1].T @ along[v, :-1]

    each(project, range(len(energy)))
    moments = moments_over_energy(square, energy)
    slope = (halves @ along[:, -1].astype(float)).ravel()
    if weights.share:
        unit = along[:, -2].astype(float)
        matrix, vector = _common_part(weights, halves, unit, sums.together, sums.seen)
        moments -= weights.share * matrix
        slope -= weights.share * vector
    by_scale = layout.expand(np.concatenate([along[:, -2].T, (energy[:, None] * along[:, -2]).T]))
    return NormalEquations(layout.expand_square(moments), layout.expand(slope), by_scale)


def sums_here(model: FieldModel, layout: Layout, weights: Weights, halves: np.ndarray) -> Sums:
    """The sums over all pixels, on the cores of this machine; `halves` are 1 and the energy of each map, (2, V)."""
    w, count, m = weights, halves.shape[1], layout.columns
    offsets = w.nuisance.shape[1]
    out, unit, common = Sums.zeros(count, m, offsets), w.unit, w.common @ w.left
    blocks = _blocks(model.parts(), BLOCK // (count * m))
    buffer = np.empty((count, max((b[-1].stop - b[0].start for b in blocks), default=0), m), np.float32)
    for block in blocks:
        start, stop = block[0].start, block[-1].stop
        columns = buffer[:, : stop - start]
        here, nuisance = np.s_[start:stop], w.nuisance[start:stop].T

        def fill(part: slice, start: int = start, columns: np.ndarray = columns) -> None:
            for v, waves in enumerate(model.waves(part)):
                values = columns[v, part.start - start : part.stop - start]
                waves.derivative(layout.names, values, positions=layout.positions)
                values *= (w.map[v] * w.pixel[part]).astype(np.float32)[:, None]

        def multiply(
            v: int, here: slice = here, columns: np.ndarray = columns, nuisance: Any = nuisance
        ) -> None:
            out.square[v] += columns[v].T @ columns[v]
            out.along[v, :-2] += nuisance @ columns[v]
            out.along[v, -2:] += np.stack([unit[v, here], w.left[v, here]]) @ columns[v]

        each(fill, block)
        each(multiply, range(count))
        if w.share:
            mixed = (halves * w.common).astype(np.float32) @ columns.reshape(count, -1)
            mixed = np.concatenate(mixed.reshape(2, stop - start, m), axis=1)
            out.together[:] += mixed.T @ mixed
            out.seen[:offsets] += nuisance @ mixed
            out.seen[offsets:] += np.vstack([unit[:, here], common[here]]) @ mixed
    return out


def _common_part(
    weights: Weights, halves: np.ndarray, by_unit: np.ndarray, together: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """TᵀT and Tᵀ·(common part of what is left), T freed of nuisance; `by_unit` is each map's unit times its columns."""
    count, width, unit = len(by_unit), together.shape[0], weights.unit
    common = weights.common @ weights.left
    offsets = weights.nuisance.shape[1]
    rows, units, shared = seen[:offsets], seen[offsets:-1], seen[-1]
    # T without its nuisances is the sum over maps without the rows' part, less each map's own part times its unit.
    own = np.einsum("av,v,vi->vai", halves, weights.common, by_unit).reshape(count, width)
    cross = units.T @ own
    matrix = together - (rows.T @ rows + cross + cross.T) + own.T @ (unit @ unit.T).astype(float) @ own
    return matrix, shared - own.T @ (unit @ common).astype(float)
