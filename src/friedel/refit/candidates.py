"""Refit of the candidates with the multiple-scattering model: updated positions, σ and probabilities.

Quick and full differ in their schedule (`friedel.refit.schedules`). With a network the refit also selects: doubtful
candidates are included, and their probability follows their Δχ² (`friedel.refit.model_selection`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from friedel._util.work import HERE, Work
from friedel.refit.driver import iter_refit
from friedel.refit.model_selection import SELECTION, averaged, posterior_probability
from friedel.refit.p_waves import NO_S_WAVES, scatters_s_waves
from friedel.refit.refit_input import RefitInput, RefitMaps
from friedel.refit.schedules import SCHEDULES, Schedule
from friedel.refit.tuned import constants

if TYPE_CHECKING:
    from collections.abc import Generator

    from friedel.candidates.result import Candidates
    from friedel.progress import Progress
    from friedel.refit.fitted import Fitted


@dataclass(frozen=True)
class CandidateConstants:
    """Numbers of the candidates' refit.

    Parameters
    ----------
    edge_px, edge_sigma_px, edge_confident : float
        A network sees no further than the border, and puts there what lies beyond: a candidate within `edge_px` of it,
        less probable than `edge_confident`, may be off by `edge_sigma_px` per axis in a quick fit, whatever its σ.
    max_k_change : float
        A refit that changes the wavevector by more than this share says so.
    min_explained : float
        A refit that explains a smaller share of the impurities is not used.
    min_explained_structure : float
        No probability rises where the waves explain a smaller share of the structure of the field, or of that around
        the scatterer.
    max_per_half_wavelength : float
        Candidates that are fitted, per square of half a wavelength: waves cannot resolve more. The least probable
        doubtful ones are left out; if the confident ones are more, the refit is.
    """

    edge_px: float = 1.0
    edge_sigma_px: float = 0.75
    edge_confident: float = 0.95
    max_k_change: float = 0.015
    min_explained: float = 0.5
    min_explained_structure: float = 0.5
    max_per_half_wavelength: float = 0.5


CANDIDATES = CandidateConstants()


@dataclass(frozen=True)
class RefitOptions:
    """How candidates are refitted.

    Parameters
    ----------
    kind : {"quick", "full"}
    select : bool
        Whether probabilities change, too; then candidates below the threshold are included in the fit.
    """

    kind: str
    select: bool


@dataclass(frozen=True, eq=False)
class RefittedCandidates:
    """Candidates after the refit.

    Parameters
    ----------
    table : DataFrame
        Sorted anew. Unchanged if the fit was not used.
    fitted : Fitted
    point : array of int, shape (len(table),)
        Index of each row among the points of `fitted`, −1 where it was not fitted.
    start : array, shape (m, 2)
        Positions that the fit began with, as its given points.
    used : bool
        False if the fit explains too few of the impurities; then it revises nothing.
    kind : str
    confident : int
        Candidates above the threshold before the refit.
    confident_dropped : int
        Those of them that the fit pruned.
    """

    table: pd.DataFrame
    fitted: Fitted
    point: np.ndarray
    start: np.ndarray
    used: bool
    kind: str
    confident: int
    confident_dropped: int

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user should know."""
        return self.fitted.remarks

    def summary(self) -> dict[str, Any]:
        """For the provenance."""
        return {
            "kind": self.kind,
            **self.fitted.summary(),
            "used": self.used,
            "confident": self.confident,
            "confident_dropped": self.confident_dropped,
            "constants": constants() | {"CandidateConstants": asdict(CANDIDATES)},
        }


def iter_refit_candidates(
    detected: Candidates, field: RefitMaps, options: RefitOptions, work: Work = HERE
) -> Generator[Progress, None, RefittedCandidates]:
    """Fit candidates to the maps by multiple scattering.

    Parameters
    ----------
    detected : Candidates
        In pixels of the prepared maps; S and probability of every pixel serve the scatterers that the fit adds.
    field : RefitMaps
    options : RefitOptions
    work : Work
        Where the tiles are fitted.

    Yields
    ------
    Progress
    """
    table, kind = detected.table, options.kind
    chosen, confident = _chosen(detected, field, options.select)
    seen = table.iloc[chosen]
    schedule = SCHEDULES[kind]
    fitted = yield from iter_refit(_input(seen, confident, field, schedule), schedule, work)
    start = seen[["row", "column"]].to_numpy(float)
    counts = int(confident.sum()), _dropped(fitted, confident, len(chosen))
    doubt = _reason_not_to_use(fitted, confident, len(chosen), kind)
    if doubt:
        nothing = np.full(len(table), -1)
        return RefittedCandidates(table, fitted.with_remarks(doubt), nothing, start, False, kind, *counts)
    old = ~fitted.new
    if not scatters_s_waves(fitted.given.take(confident)):
        fitted = replace(fitted, s_waves=False, kept=old)
    seen = seen.assign(point=np.flatnonzero(old))
    if fitted.s_waves:
        sigma = np.where(fitted.kept[old], seen["sigma_px"], fitted.sigma[old])
        row, column = fitted.positions[old].T
        seen = seen.assign(row=row, column=column, sigma_px=sigma)
    if options.select and fitted.s_waves:
        seen = pd.concat([seen, new_candidates(fitted, detected)], ignore_index=True)
        network = seen["probability"].to_numpy(float)
        alone = posterior_probability(network, fitted.delta_chi2, kind)
        posterior = averaged(network, alone, fitted.explained_share)
        seen["probability"] = np.where(is_explained(fitted), posterior, np.fmin(posterior, network))
    rest = table.drop(table.index[chosen]).assign(point=-1)
    table = pd.concat([seen, rest], ignore_index=True)
    table = table.sort_values(["probability", "s"], ascending=False, kind="stable", ignore_index=True)
    point = table.pop("point").to_numpy(int)
    fitted = fitted.with_remarks(*_remarks(fitted))
    return RefittedCandidates(table, fitted, point, start, True, kind, *counts)


def _chosen(detected: Candidates, field: RefitMaps, select: bool) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the candidates to fit, and which of these are confident; none if the confident ones are too many."""
    probability, threshold = detected.table["probability"].to_numpy(float), detected.threshold
    floor = min(SELECTION.min_probability, threshold) if select else threshold
    confident, limit = probability >= threshold, max_candidates(field)
    if confident.sum() > limit:
        return np.zeros(0, int), confident
    chosen = np.flatnonzero(probability >= floor)
    if len(chosen) > limit:
        chosen = np.sort(chosen[np.argsort(-probability[chosen], kind="stable")][:limit])
    return chosen, confident[chosen]


def _input(seen: pd.DataFrame, confident: np.ndarray, field: RefitMaps, schedule: Schedule) -> RefitInput:
    return RefitInput(
        maps=field.maps,
        k=field.k,
        mask=field.mask,
        points=seen[["row", "column"]].to_numpy(float),
        sigma=prior_sigma(seen, field.mask.shape, schedule),
        doubtful=~confident if len(seen) else None,
        pixel_nm=field.pixel_nm,
        device=field.device,
    )


def _dropped(fitted: Fitted, confident: np.ndarray, chosen: int) -> int:
    """How many of the confident candidates the fit pruned; all of them where they were too many to be fitted."""
    return int((fitted.given.delta_chi2[confident] == 0).sum()) if chosen else int(confident.sum())


def _reason_not_to_use(fitted: Fitted, confident: np.ndarray, chosen: int, kind: str) -> str:
    """Why the fit is not used to revise positions and probabilities; empty if it is."""
    if (count := int(confident.sum())) and not chosen:
        return (
            f"The {kind} refit was left out: {count} impurities are more than waves of this length can resolve in the "
            "field. Check the surface band, and whether the maps show a lattice or correlated noise."
        )
    # Neither left at the start position nor pruned.
    explained = int((fitted.given.delta_chi2[confident] > 0).sum())
    if explained < CANDIDATES.min_explained * count:
        return (
            f"The {kind} refit explains only {explained} of {count} impurities, and was left out: positions and "
            "probabilities are those found before. Check the surface band."
        )
    return ""


def max_candidates(field: RefitMaps) -> int:
    """How many candidates the waves of a field can resolve."""
    half = np.pi / float(np.abs(field.k.real).mean())
    return int(np.ceil(CANDIDATES.max_per_half_wavelength * field.mask.sum() / half**2))


def is_explained(fitted: Fitted) -> np.ndarray:
    """Points whose probability may rise: the waves explain the field and the surroundings of the point, (n,)."""
    least = CANDIDATES.min_explained_structure
    return np.asarray((fitted.estimates.explained >= least) & (fitted.explained_share >= least))


def prior_sigma(table: pd.DataFrame, shape: tuple[int, ...], schedule: Schedule) -> np.ndarray:
    """Prior standard deviation of the positions per axis, shape (n,) [px].

    A full refit takes the network's: it searches outside the field by itself.

    Parameters
    ----------
    table : DataFrame
        Row, column, probability and sigma_px, NaN where unknown.
    shape : (rows, columns)
    schedule : Schedule
    """
    sigma, c = table["sigma_px"].to_numpy(float), CANDIDATES
    if not schedule.widen_border_sigma:
        return sigma
    place = table[["row", "column"]].to_numpy(float)
    inside = np.minimum(place + 0.5, np.array(shape) - 0.5 - place).min(axis=1, initial=np.inf)
    doubtful = (inside < c.edge_px) & (table["probability"].to_numpy(float) < c.edge_confident)
    return np.where(doubtful, np.fmax(sigma, c.edge_sigma_px), sigma)


def new_candidates(fitted: Fitted, detected: Candidates) -> pd.DataFrame:
    """Scatterers that the fit added, as candidates with the network's S and probability at these pixels.

    Mostly they are the weaker one of a close pair; the network's low probability counts in the model selection.
    """
    place = fitted.positions[fitted.new]
    at = tuple(np.clip(place.round().astype(int), 0, np.array(detected.s.shape) - 1).T)
    return pd.DataFrame(
        {
            "row": place[:, 0],
            "column": place[:, 1],
            "s": detected.s[at].astype(float),
            "probability": np.nan_to_num(detected.probability[at].astype(float)),
            "sigma_px": fitted.sigma[fitted.new],
            "point": np.flatnonzero(fitted.new),
        }
    )


def _remarks(fitted: Fitted) -> list[str]:
    if not fitted.s_waves:
        return [f"{NO_S_WAVES} Positions and probabilities are those found before the refit."]
    change = float(np.median([tile.shared.k for tile in fitted.tiles] or [0.0]))
    if abs(change) <= CANDIDATES.max_k_change:
        return []
    kind = f"{abs(100 * change):.1f} % {'longer' if change < 0 else 'shorter'}"
    return [
        f"The waves are {kind} than the surface band says: the refit allows for it, the search before it did not. "
        "Check E₀ and m*."
    ]
