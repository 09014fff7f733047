"""Joint multiple-scattering refit of all candidates.

The network locates impurities but knows multiple scattering only implicitly. Here its positions are the start of a fit
of the exact model to the maps (`friedel.refit.joint_fit`), with amplitudes, phases, scatterers outside the field,
herringbone, drift and tip changes as free parameters. Low-probability candidates are included in the fit; those not
supported by the data converge to zero amplitude and are pruned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from friedel._util.big_maps import release
from friedel._util.threads import one_thread_each
from friedel._util.work import HERE, Work
from friedel.progress import Progress, drain, share
from friedel.refit.bias_binning import BinnedMaps, bin_bias
from friedel.refit.fitted import Estimates, Fitted, TileModel
from friedel.refit.goodness import goodness
from friedel.refit.iterations import iterate, run_final_iteration
from friedel.refit.joint_fit.data import FitData
from friedel.refit.joint_fit.step import begin
from friedel.refit.p_waves import p_waves
from friedel.refit.pruning import DECISIONS, consistent, to_prune
from friedel.refit.robust import ROBUST
from friedel.refit.schedules import FULL, Schedule
from friedel.refit.source_search import in_field
from friedel.refit.tiles import Owned, owners, tiling

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from friedel.refit.joint_fit.state import FitState
    from friedel.refit.refit_input import RefitInput


@dataclass(frozen=True, eq=False)
class _Tile:
    """A part of the field and the points that are fitted with it."""

    corner: np.ndarray
    binned: BinnedMaps
    mask: np.ndarray
    points: np.ndarray  # of the field [px]
    width: np.ndarray
    confident: np.ndarray
    own: int  # so many of the points, the first ones, belong to this tile
    device: str | None


@dataclass(frozen=True, eq=False)
class _TileResult:
    """Estimates of the points that are left, by index, and of new scatterers; positions in pixels of the field."""

    index: np.ndarray
    estimates: Estimates
    good: np.ndarray
    new: Estimates
    undetected: int
    model: TileModel | None


def iter_refit(
    given: RefitInput, schedule: Schedule = FULL, work: Work = HERE
) -> Generator[Progress, None, Fitted]:
    """Fit all positions at once by multiple scattering.

    Parameters
    ----------
    given : RefitInput
    schedule : Schedule
        `FULL` refines the positions, `QUICK` selects the candidates.
    work : Work
        Where the tiles are fitted.

    Yields
    ------
    Progress
        Several times per iteration; once per tile on an executor.

    Returns
    -------
    Fitted
    """
    points, sigma, _ = given.known()
    binned = bin_bias(given.maps, np.asarray(given.k, complex), schedule.bias_bins)
    every = Estimates.unknown(points, sigma, 2 if len(binned.k) > 2 else 1)
    kept = np.ones(len(points), bool)
    new, models, undetected = [every.take(np.zeros(0, int))], [], 0
    results: Iterator[_TileResult | None] | None = None
    places, size = tiling(given.mask.shape, schedule)
    schedule = schedule.in_tiles() if len(places) > 1 else schedule
    owned = Owned.of(points, places, size)
    numbers = [number for number in range(len(places)) if len(owned.own(number))]
    pieces = (_piece(given, binned, owned, number, schedule) for number in numbers)
    for done, number in enumerate(numbers):
        if work.executor is None:
            part = _iter_tile(*next(pieces))
            result = yield from share(part, done / len(numbers), (done + 1) / len(numbers))
        else:
            results = results or work.each(fit_tile, pieces)
            result = next(results)
            yield Progress((done + 1) / len(numbers), f"refit: tile {done + 1} of {len(numbers)}")
        release(binned.maps)
        chosen, own = owned.near(number), len(owned.own(number))
        if result is None:
            continue
        gone = np.setdiff1d(chosen[:own], chosen[result.index])
        every.delta_chi2[gone], kept[gone] = 0.0, False
        good = chosen[result.index[result.good]]
        every.put(good, result.estimates.take(result.good))
        kept[good] = False
        undetected += result.undetected
        new.append(result.new.take(owners(result.new.position, places, size) == number))
        if result.model is not None:
            models.append(result.model)
    whole = Estimates.joined([every, *new])
    added = len(whole) - len(points)
    k = binned.k.real
    if given.device is not None:
        from friedel.refit.device_sums import give_back

        give_back(given.device)
    return Fitted(
        estimates=whole,
        kept=np.append(kept, np.zeros(added, bool)),
        new=np.arange(len(whole)) >= len(points),
        k_middle=float(k.mean()),
        k_half=max(float(np.ptp(k)) / 2, 1e-9),
        bias_bins=len(k),
        undetected=undetected,
        tiles=tuple(models),
    )


def _piece(
    given: RefitInput, binned: BinnedMaps, owned: Owned, number: int, schedule: Schedule
) -> tuple[_Tile, Schedule, float | None]:
    """What `_iter_tile` and `fit_tile` take."""
    _, sigma, confident = given.known()
    corner, chosen = owned.corners[number], owned.near(number)
    at = np.s_[corner[0] : corner[0] + owned.size[0], corner[1] : corner[1] + owned.size[1]]
    width, own = given.prior_width(sigma[chosen]), len(owned.own(number))
    points = owned.points[chosen]
    tile = _Tile(corner, binned.crop(at), given.mask[at], points, width, confident[chosen], own, given.device)
    return tile, schedule, given.pixel_nm


def fit_tile(tile: _Tile, schedule: Schedule, pixel_nm: float | None) -> _TileResult | None:
    """Fit one tile, in a process of an executor."""
    return drain(_iter_tile(tile, schedule, pixel_nm))


def _iter_tile(
    tile: _Tile, schedule: Schedule, pixel_nm: float | None
) -> Generator[Progress, None, _TileResult | None]:
    """Fit one tile; None if it has too few pixels, or if the waves do not explain it."""
    data = FitData.from_maps(tile.binned, tile.mask)
    state = begin(data, tile.points - tile.corner, tile.width, tile.confident, tile.device)
    if len(state.used) < DECISIONS.min_pixels:
        return None
    state.use_common_errors = schedule.common_errors
    with one_thread_each():
        finished = yield from iterate(data, state, schedule, pixel_nm)
    if not finished:
        return None
    given = state.scatterers.given
    if not given:  # the data support none of them
        nothing = Estimates.unknown(np.zeros((0, 2)), np.zeros(0), data.n_coefficients)
        none = np.zeros(0, int)
        return _TileResult(none, nothing, none.astype(bool), nothing, 0, None)
    number, undetected = state.scatterers.number, len(state.scatterers) - given
    left = number[:given]
    delta_chi2, sigma = state.delta_chi2(), state.sigma()
    good, wider = consistent(data, state, tile.width[left], sigma[:given])
    supported = ~np.isin(np.arange(len(number)), to_prune(data, state, delta_chi2))
    with one_thread_each():
        fit = goodness(data, state)
        estimates = run_final_iteration(data, state, schedule, supported, fit, p_waves(data, state))
    estimates.position[:] += tile.corner
    mine = (left < tile.own) & supported[:given]
    estimates.sigma[:given][good] *= wider[good]
    new = supported & (number < 0) & in_field(estimates.position, data.mask)
    return _TileResult(
        left[mine],
        estimates.take(np.flatnonzero(mine)),
        good[mine],
        estimates.take(new),
        undetected,
        _model(data, state, tile.corner, fit.explained),
    )


def _model(data: FitData, state: FitState, corner: np.ndarray, explained: float) -> TileModel:
    s = state.scatterers
    return TileModel(
        corner=(int(corner[0]), int(corner[1])),
        shape=(data.mask.shape[0], data.mask.shape[1]),
        position=s.position + corner,
        coefficients=s.coefficients,
        shared=state.shared,
        gain=state.errors.gain,
        core=s.core,
        common_share=state.errors.common_share,
        unexplained_pixels=float((state.errors.weight[state.used] < ROBUST.fitting).mean()),
        explained_share=explained,
    )
