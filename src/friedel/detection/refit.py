"""Refit of all positions at once with waves that scatter many times.

A network looks at a field and says where its impurities are; how their waves add up it has only learnt. Here the
positions that it found are the start of a fit of the exact model to the maps (`friedel.detection.joint_fit`), with
strengths, phases, the scatterers beyond the field's border, herringbone, drift and tip changes as free parameters.
Candidates that the network doubts are fitted along: what the waves need has a strength, the rest fades.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from friedel._util.threads import one_thread_each
from friedel.candidates.tiling import corners, even
from friedel.detection.groups import average
from friedel.detection.herringbone import PERIOD_NM, iter_ripple
from friedel.detection.hidden import MARGIN, by_fit, by_residual, in_field
from friedel.detection.joint_fit import JointFit
from friedel.detection.schedule import FULL, LIGHT, Schedule
from friedel.progress import Progress, share

#: The prior of a position is at least so wide [px]: a network's σ knows the same data, and its outliers are many.
LEAST_SPREAD = 0.3
#: A point that would move by more than `FARTHEST` [px], or by more than so many prior widths unless the fit knows its
#: place to `SURE` [px], stays where it was: networks are now and then a pixel off, and the waves tell.
MOST_SPREADS, FARTHEST, SURE = 2.0, 2.0, 0.2
#: Of two points that come nearer than this [px] the less evident one is dropped.
CLOSEST = 1.0
#: What a doubtful point's evidence counts beside a sure one's; what counts as evident, beside a typical sure point.
DOUBTFUL, EVIDENT = 0.3, 0.1
#: A point is believed less if fewer than this share of the pixels around its core (out to `AROUND` px) fit the model;
#: the smallest share that its σ is told of.
LEAST_FITTING, AROUND, SMALLEST_SHARE = 0.4, 2.5, 0.05
#: Pixels outside all cores that a fit needs to say anything.
LEAST_PIXELS = 64
#: Move [px] below which a fit has come to rest.
REST = 0.004
#: Strength below which a doubtful scatterer is superfluous; evidence below which it is in the middle of a fit, for each
#: course of a strength: beside an impurity it takes a part of the wave, and drags both.
FAINT, DOUBTED = 0.15, 7.5
#: Evidence below which a scatterer beyond the border has no say in the finish.
FAR_DOUBTED = 30.0
#: Turn from which wavevector, drift and gains are known well enough to be fitted.
SHARED_FROM = 2


@dataclass(frozen=True)
class Refitted:
    """What `iter_refit` returns.

    Parameters
    ----------
    positions : array, shape (n, 2)
        Row and column [px].
    sigma : array, shape (n,)
        Standard deviation per axis [px]; as given where a point was kept.
    kept : array of bool, shape (n,)
        Points that the fit does not explain: they stay where they were.
    evidence : array, shape (n,)
        By how much χ² would rise without the point, to second order; 0 for a point that the fit dropped (it stays
        where it was, too), NaN for one that was kept.
    new : array, shape (m, 2)
        Scatterers inside the field that were not among the points, and that the waves seem to need [px].
    new_sigma, new_evidence : array, shape (m,)
        Theirs.
    about : dict
        For the provenance: what else was fitted.
    """

    positions: np.ndarray
    sigma: np.ndarray
    kept: np.ndarray
    evidence: np.ndarray
    new: np.ndarray
    new_sigma: np.ndarray
    new_evidence: np.ndarray
    about: dict[str, Any]


def iter_refit(
    maps: np.ndarray,
    k: np.ndarray,
    mask: np.ndarray,
    points: np.ndarray,
    sigma: np.ndarray | None = None,
    *,
    doubtful: np.ndarray | None = None,
    pixel_nm: float | None = None,
    schedule: Schedule = FULL,
) -> Generator[Progress, None, Refitted]:
    """Fit all positions at once by multiple scattering.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        Mean 0, root mean square 1, in the order in which they were taken or its reverse; square pixels.
    k : array of complex, shape (bias,)
        Wavevectors [rad/px]; the imaginary part is the damping of the amplitude.
    mask : array of bool, shape (rows, columns)
        Pixels to use.
    points : array, shape (n, 2)
        Where impurities were found [px].
    sigma : array, shape (n,), optional
        Standard deviation of these positions per axis [px]; NaN or None where unknown.
    doubtful : array of bool, shape (n,), optional
        Points that may be none; all are sure if None.
    pixel_nm : float, optional
        Pitch; a herringbone is looked for only where it is known.
    schedule : Schedule
        `FULL` places the points, `QUICK` tells who is one.

    Yields
    ------
    Progress
        Several times a turn.

    Returns
    -------
    Refitted
    """
    points = np.asarray(points, float).reshape(-1, 2)
    given = np.full(len(points), np.nan) if sigma is None else np.asarray(sigma, float)
    sure = np.ones(len(points), bool) if doubtful is None else ~np.asarray(doubtful, bool)
    maps, k, blur, time = average(maps, np.asarray(k, complex), schedule.groups)
    place, spread, kept = points.copy(), given.copy(), np.ones(len(points), bool)
    evidence = np.full(len(points), np.nan)
    new: list[np.ndarray] = [np.zeros((0, 4))]
    about: dict[str, Any] = {"voltage_groups": len(k), "hidden": 0, "tiles": []}
    largest, overlap = schedule.tile, schedule.overlap
    if max(mask.shape) <= schedule.whole:
        largest = schedule.whole
    tile = even(mask.shape[0], largest, overlap), even(mask.shape[1], largest, overlap)
    places, size = corners((mask.shape[0], mask.shape[1]), tile, overlap), np.array(tile)
    owner = _owners(points, places, size)
    for number, corner in enumerate(places):
        low, high = number / len(places), (number + 1) / len(places)
        at = np.s_[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]]
        end = np.array(corner) + mask[at].shape
        own = owner == number
        # Impurities beyond the tile's border are known here: they are fitted, and belong to another tile.
        inside = ((points > np.array(corner) - MARGIN) & (points < end + MARGIN)).all(axis=1)
        chosen = np.r_[np.flatnonzero(own), np.flatnonzero(inside & ~own)]
        if not own.any():
            continue
        width = np.maximum(LEAST_SPREAD, 2 * np.nan_to_num(given[chosen], nan=0.0))
        part = maps[(slice(None), *at)]
        fit = JointFit(part, k, mask[at], points[chosen] - corner, width, sure[chosen], blur, time)
        if len(fit.used) < LEAST_PIXELS:
            continue
        fit.sharing = schedule.thorough
        with one_thread_each():
            yield from share(_iterate(fit, schedule, pixel_nm), low, high)
        if not fit.reported:  # the waves need none of them
            evidence[chosen[: own.sum()]], kept[chosen[: own.sum()]] = 0.0, False
            continue
        evident, sigma_px, left = fit.evidence(), fit.sigma(), fit.number[: fit.reported]
        good, wider = _explained(fit, width[left], sigma_px[: fit.reported])
        needed = ~np.isin(np.arange(len(fit.number)), _superfluous(fit, evident))
        about["hidden"] += len(fit.position) - fit.reported
        nobodys, reported = fit.number < 0, fit.reported
        with one_thread_each():
            there, sigma_px = _finish(fit, schedule, needed, evident, schedule.sigma_scale * sigma_px)
        there += corner
        mine = (left < own.sum()) & needed[:reported]
        index, good = chosen[left[mine]], good[mine]
        gone = np.setdiff1d(np.flatnonzero(own), index)
        evidence[gone], kept[gone] = 0.0, False
        for target, value in (
            (place, there), (spread, sigma_px), (evidence, evident),
        ):  # fmt: skip
            target[index[good]] = value[:reported][mine][good]
        spread[index[good]] *= wider[mine][good]
        kept[index[good]] = False
        needed &= nobodys & in_field(there, mask)
        needed &= _owners(there, places, size) == number
        new.append(np.column_stack([there, sigma_px, evident])[needed])
        about["tiles"].append(_about(fit))
    about["kept"] = int(kept.sum())
    about["dropped"] = int((evidence == 0).sum())
    unseen = np.concatenate(new)
    about["new"] = len(unseen)
    return Refitted(place, spread, kept, evidence, unseen[:, :2], unseen[:, 2], unseen[:, 3], about)


def _iterate(fit: JointFit, schedule: Schedule, pixel_nm: float | None) -> Generator[Progress, None, None]:
    """Strengths first, then everything; scatterers outside and the herringbone come in between."""
    turns = len(schedule.turns)
    for number, turn in enumerate(schedule.turns):
        fit.choose(*turn.choose(number, len(fit.k), fit.pixels))
        if number == 0:
            fit.guess_strengths()
        fit.weigh()
        if number == SHARED_FROM:
            fit.active = ["k", "im_k"] + (["drift_row", "drift_column"] if len(fit.k) > 2 else [])
        if turn.learn:
            fit.learn_strengths()
        before = fit.position[: fit.reported].copy()
        everything = len(fit.chosen) == len(fit.k) and turn.sieve == 1
        fit.step(positions=turn.positions, shared=turn.shared, check=turn.check or everything)
        yield Progress((number + 0.7) / turns, f"refit: {len(fit.position)} scatterers")
        if number >= SHARED_FROM:
            fit.adjust_gain()
        if turn.shared:
            fit.drop_small_drift()
        if turn.cores:
            fit.fit_cores()
        if turn.prune:
            fit.remove(_superfluous(fit, fit.evidence(), early=True))
            if not fit.reported:
                return
            continue
        if turn.hidden:
            search = by_fit if schedule.thorough else by_residual
            fit.add_hidden(search(fit, schedule.most_hidden, turn.hidden))
        if turn.ripple and pixel_nm is not None:
            at = (number + 0.7) / turns, (number + 1) / turns
            ripple = yield from share(iter_ripple(fit, 2 * np.pi / PERIOD_NM * pixel_nm), *at)
            if ripple is not None:
                found = {"cosine": ripple.cosine, "sine": ripple.sine}
                around = {"q_row": ripple.q[0], "q_column": ripple.q[1]}
                fit.shared |= found | around
                fit.around |= around
                fit.active += [*found, *(around if schedule.thorough else ())]
        if everything and fit.settled and np.abs(fit.position[: fit.reported] - before).max() < REST:
            break
    if not fit.settled:
        fit.step()


def _finish(
    fit: JointFit, schedule: Schedule, needed: np.ndarray, evidence: np.ndarray, sigma: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and their σ after a last turn, (N, 2) and (N,), without what is not needed; as they are if it is dear.

    Who is an impurity has been judged: what is faint beyond the border has no say any more, which makes the turn light.
    """
    position, sigma, turn = fit.position.copy(), sigma.copy(), schedule.finish
    counts = needed & ((fit.number >= 0) | in_field(position, fit.mask) | (evidence > FAR_DOUBTED))
    if turn is None or not (fit.number[counts] >= 0).any():
        return position, sigma
    maps, sieve = turn.choose(0, len(fit.k), fit.pixels)
    if len(maps) * int(sieve.sum()) * int(counts.sum()) ** 2 > LIGHT:
        return position, sigma
    fit.remove(np.flatnonzero(~counts))
    fit.sharing = True
    if fit.ripple.amplitude:
        fit.active = [*dict.fromkeys([*fit.active, "q_row", "q_column"])]
    fit.choose(maps, sieve)
    fit.weigh()
    fit.step(shared=turn.shared, check=turn.check)
    position[counts], sigma[counts] = fit.position, schedule.finish_scale * fit.sigma()
    return position, sigma


def _superfluous(fit: JointFit, evidence: np.ndarray, *, early: bool = False) -> np.ndarray:
    """What is too weak and was not sure to be there, and of two scatterers closer than atoms sit the less evident one.

    `early`, two that are both evident may still part, and what is hardly evident shall not drag the others.
    """
    inside = in_field(fit.position, fit.mask)
    sure, reported = fit.sure, fit.number >= 0
    weak = np.abs(fit.course[:, 0]) < FAINT
    if early:
        weak |= evidence < DOUBTED * fit.courses
    gone = ~sure & (inside | reported) & weak
    evident = float(EVIDENT * np.median(evidence[sure])) if sure.any() else np.inf
    weight = evidence * np.where(sure, 1, np.where(reported, DOUBTFUL, 0))
    for pair in KDTree(fit.position).query_pairs(CLOSEST):
        if gone[list(pair)].any():
            continue
        less = min(pair, key=lambda i: weight[i])
        apart = np.hypot(*(fit.position[pair[0]] - fit.position[pair[1]]))
        gone[less] = not early or apart < CLOSEST / 2 or weight[less] < evident
    return np.flatnonzero(gone)


def _explained(fit: JointFit, width: np.ndarray, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the reported points the fit speaks for, and by how much their σ is too small; all have the shape (n,).

    Where few of the pixels around a point fit the model, as beside a large core, its place is known less well than the
    curvature says, and a point that has moved by more than `width` [px] is not believed.
    """
    count = fit.reported
    move = np.hypot(*(fit.position[:count] - fit.start[:count]).T)
    good = (move <= FARTHEST) & ((move <= MOST_SPREADS * width) | (sigma <= SURE))
    share = np.zeros(count)
    fits = fit.weight[fit.used] > 0.3
    around = KDTree(fit.pixels[fit.used]).query_ball_point(fit.position[:count], fit.core[:count] + AROUND)
    for i, near in enumerate(around):
        if len(near) >= 4:
            share[i] = fits[near].mean()
    good &= (share >= LEAST_FITTING) | (move <= width)
    return good, 1 / np.sqrt(np.clip(share, SMALLEST_SHARE, 1))


def _about(fit: JointFit) -> dict[str, Any]:
    """What was fitted besides the positions."""
    return {
        "k_change": float(fit.shared["k"]),
        "drift_px": [float(x) for x in fit.drift],
        "herringbone": float(fit.ripple.amplitude),
        "herringbone_q_rad_per_px": [float(x) for x in fit.ripple.q],
        "common_share": float(fit.common_share),
        "unexplained_pixels": float((fit.weight[fit.used] < 0.3).mean()),
    }


def _owners(points: np.ndarray, corners: list[tuple[int, int]], size: np.ndarray) -> np.ndarray:
    """Index of the tile of this size whose centre is nearest to each point."""
    centres = np.array(corners) + (size - 1) / 2
    return np.abs(points[:, None] - centres).max(axis=2).argmin(axis=1)
