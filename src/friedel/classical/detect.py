"""The classical methods on a field of any size: matched field, and matched field with a joint refit (OMP)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from friedel.candidates.peaks import candidates
from friedel.candidates.result import Candidates
from friedel.candidates.tiling import starts
from friedel.classical.matched_field import Template, iter_statistic, pool
from friedel.classical.omp import iter_pursue
from friedel.classical.surrogate_null import iter_surrogate_null
from friedel.progress import Progress, share
from friedel.stack import normalise

if TYPE_CHECKING:
    from collections.abc import Generator

#: k·pixel the classical methods take without resampling [rad/px]: coarser is aliased soon, finer only costs time.
K_RANGE = (0.45, 1.25)
#: Significance over the field from which on a peak is an impurity.
THRESHOLD = 0.95
#: Field [px] whose scatterers are refitted together, and the overlap of neighbours.
TILE, OVERLAP = 96, 24


def iter_matched_field(
    maps: np.ndarray,
    k: np.ndarray,
    mask: np.ndarray,
    template: Template | None = None,
    *,
    acquired: np.ndarray | None = None,
) -> Generator[Progress, None, Candidates]:
    """Maxima of the matched field.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        Mean 0, root mean square 1.
    k : array, shape (bias,)
        Wavevectors [rad/px].
    mask : array of bool, shape (rows, columns)
        Where an impurity may be found.
    template : Template, optional
        The LDOS by default, for which voltages in step are averaged first (`pool`); not so for Eq. 3, whose phases
        are random.
    acquired : array of bool, shape (rows, columns), optional
        Pixels that the waves are compared with: those of `mask` if None. What was interpolated is no measurement, and
        an impurity there is known by the waves around it.

    Returns
    -------
    Candidates
        `s` is T and `significance` its significance over the field, 1 − p (`friedel.classical.surrogate_null`).
        `probability` is the same number, since every table has that column, and no posterior probability. `sigma_px`
        is NaN.
    """
    template, acquired = template or Template(), mask if acquired is None else acquired
    pooled, groups = _pooled(maps, k, acquired, template)
    t = yield from share(iter_statistic(pooled, groups, acquired, template=template), 0.0, 0.2)
    t = np.where(mask, t, np.nan)
    null = yield from share(iter_surrogate_null(pooled, groups, acquired, template), 0.2, 1.0)
    probability = null.significance(t)
    table = candidates(t, probability, floor=0.01)
    table = table.assign(significance=table["probability"])
    return Candidates(table, t, probability, THRESHOLD, False, method=_about(template, groups))


def iter_omp(
    maps: np.ndarray,
    k: np.ndarray,
    mask: np.ndarray,
    template: Template | None = None,
    *,
    least_significance: float = THRESHOLD,
    pooling: bool = True,
) -> Generator[Progress, None, Candidates]:
    """Matched field with a joint refit, tile by tile; parameters and result as in `iter_matched_field`.

    The table holds the energy each point alone explains (s), its significance and its Cramér-Rao standard deviation.
    Points are fitted as long as their significance is at least `least_significance`. Without `pooling` every map is
    fitted by itself, as the method is usually described; it takes about ten times as long.
    """
    template = template or Template()
    pooled, groups = _pooled(maps, k, mask, template) if pooling else (maps, np.asarray(k, dtype=float))
    t = yield from share(iter_statistic(pooled, groups, mask, template=template), 0.0, 0.05)
    t = np.where(mask, t, np.nan)
    null = yield from share(iter_surrogate_null(pooled, groups, mask, template), 0.05, 0.2)
    rows, columns = mask.shape
    row_starts, column_starts = (starts(n, TILE, OVERLAP) for n in (rows, columns))
    corners = [(row, column) for row in row_starts for column in column_starts]
    parts = []
    for number, (row, column) in enumerate(corners):
        at = np.s_[row : row + TILE, column : column + TILE]
        if mask[at].sum() < 64:
            continue
        part = normalise(np.where(mask[at], pooled[(slice(None), *at)], np.nan))
        low, high = (0.2 + 0.8 * (number + i) / len(corners) for i in (0, 1))
        pursuit = iter_pursue(part, groups, mask[at], template=template, significance=least_significance)
        fit = yield from share(pursuit, low, low + 0.9 * (high - low))
        left = np.isfinite(fit.residual).all(axis=0)
        work = iter_surrogate_null(normalise(fit.residual), groups, left, template)
        of_residual = yield from share(work, low + 0.9 * (high - low), high)
        # Every point belongs to the tile whose centre is nearest along both axes.
        place = fit.positions + np.array([row, column])
        own = _owner(place[:, 0], row_starts, min(TILE, rows)) == row
        own &= _owner(place[:, 1], column_starts, min(TILE, columns)) == column
        # The pursuit goes on as long as there may be a scatterer; the null of what it leaves says how sure each is.
        sure = np.minimum(fit.probability, of_residual.significance(fit.t))
        parts.append(np.column_stack([place, fit.t, sure, fit.sigma])[own])
    points = np.concatenate(parts) if parts else np.zeros((0, 5))
    table = pd.DataFrame(points, columns=["row", "column", "s", "probability", "sigma_px"])
    table = table.sort_values(["probability", "s"], ascending=False, kind="stable", ignore_index=True)
    table = table.assign(significance=table["probability"])
    probability = null.significance(t)
    return Candidates(table, t, probability, THRESHOLD, False, method=_about(template, groups))


def _about(template: Template, groups: np.ndarray) -> dict[str, object]:
    return {"template": template.kind, "voltage_groups": len(groups)}


def _pooled(
    maps: np.ndarray, k: np.ndarray, mask: np.ndarray, template: Template
) -> tuple[np.ndarray, np.ndarray]:
    if template.kind == "ldos" and len(k) > 1:
        return pool(np.where(mask, maps, np.nan), k)
    return maps, np.asarray(k, dtype=float)


def _owner(positions: np.ndarray, corners: list[int], size: int) -> np.ndarray:
    """First index of the tile whose centre is nearest."""
    centres = np.array(corners) + (size - 1) / 2
    result: np.ndarray = np.array(corners)[np.abs(np.asarray(positions)[:, None] - centres).argmin(axis=1)]
    return result
