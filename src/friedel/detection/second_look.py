"""The waves' word on what was found: a table of candidates, fitted together, moved and judged.

Quick and full differ in their `friedel.detection.schedule`. With a network the fit judges, too: candidates that the
network doubts are fitted along and rise or fall by what the waves need (`friedel.detection.verdict`).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pandas as pd

from friedel.detection.refit import Refitted, iter_refit
from friedel.detection.schedule import SCHEDULES, Schedule
from friedel.detection.verdict import DOUBT, verdict
from friedel.progress import Progress

#: A network sees no further than the border, and puts there what lies beyond: a candidate within `BORDER` [px] of it,
#: less probable than `SURELY`, may be so far off per axis (`BEYOND` [px]) in a quick fit, whatever its σ says.
BORDER, BEYOND, SURELY = 1.0, 0.75, 0.95
#: A refit that changes the wavevector by more than this share says so.
K_CHANGE = 0.015


def iter_second_look(
    table: pd.DataFrame,
    s: np.ndarray,
    probability: np.ndarray,
    maps: np.ndarray,
    k: np.ndarray,
    mask: np.ndarray,
    *,
    kind: str,
    threshold: float,
    pixel_nm: float,
    judge: bool,
) -> Generator[Progress, None, tuple[pd.DataFrame, dict[str, Any], list[str]]]:
    """Fit the candidates of `table` to the maps by multiple scattering.

    Parameters
    ----------
    table : DataFrame
        As `friedel.candidates.peaks.candidates` gives it; all positions in pixels of `maps`.
    s, probability : array, shape (rows, columns)
        Of every pixel, for what the fit finds itself.
    maps, k, mask
        As for `friedel.detection.refit.iter_refit`.
    kind : {"quick", "full"}
    threshold : float
        Probability of an impurity.
    pixel_nm : float
        Pitch of `maps`.
    judge : bool
        Whether probabilities change, too; then candidates below the threshold are fitted along.

    Yields
    ------
    Progress

    Returns
    -------
    table : DataFrame
        Sorted anew. Unchanged if the fit explains less than half of the impurities: what does not understand a field
        shall not judge it.
    about : dict
        For the provenance.
    remarks : list of str
        What the user should know.
    """
    said = table["probability"].to_numpy(float)
    chosen = np.flatnonzero(said >= (min(DOUBT, threshold) if judge else threshold))
    sure = said[chosen] >= threshold
    schedule = SCHEDULES[kind]
    fitted = yield from iter_refit(
        maps,
        k,
        mask,
        table[["row", "column"]].to_numpy(float)[chosen],
        believed(table.iloc[chosen], mask.shape, schedule),
        doubtful=~sure,
        pixel_nm=pixel_nm,
        schedule=schedule,
    )
    about = {"kind": kind, **fitted.about}
    about["reported"], about["dropped_sure"] = int(sure.sum()), int((fitted.evidence[sure] == 0).sum())
    explained = int((fitted.evidence[sure] > 0).sum())  # neither kept nor dropped
    if 2 * explained < sure.sum():
        about["used"] = False
        return table, about, [
            f"The {kind} refit explains only {explained} of {sure.sum()} impurities, and was left out: positions and "
            "probabilities are those found before. Check the surface band."
        ]  # fmt: skip
    about["used"] = True
    seen = table.iloc[chosen]
    sigma = np.where(fitted.kept, seen["sigma_px"], fitted.sigma)
    seen = seen.assign(row=fitted.positions[:, 0], column=fitted.positions[:, 1], sigma_px=sigma)
    if judge:
        seen = pd.concat([seen, unreported(fitted, s, probability)], ignore_index=True)
        evidence = np.concatenate([fitted.evidence, fitted.new_evidence])
        seen["probability"] = verdict(seen["probability"].to_numpy(float), evidence, kind)
    table = pd.concat([seen, table.drop(table.index[chosen])], ignore_index=True)
    table = table.sort_values(["probability", "s"], ascending=False, kind="stable", ignore_index=True)
    return table, about, _remarks(fitted)


def believed(table: pd.DataFrame, shape: tuple[int, ...], schedule: Schedule) -> np.ndarray:
    """Standard deviation of the positions per axis with which the fit begins, shape (n,) [px].

    A thorough fit takes the network's: it looks beyond the border for itself.

    Parameters
    ----------
    table : DataFrame
        Candidates: row, column, probability and sigma_px, NaN where unknown.
    shape : (int, int)
        Rows and columns of the maps.
    schedule : Schedule
    """
    sigma = table["sigma_px"].to_numpy(float)
    if schedule.thorough:
        return sigma
    place = table[["row", "column"]].to_numpy(float)
    inside = np.minimum(place + 0.5, np.array(shape) - 0.5 - place).min(axis=1, initial=np.inf)
    open_ended = (inside < BORDER) & (table["probability"].to_numpy(float) < SURELY)
    return np.where(open_ended, np.fmax(sigma, BEYOND), sigma)


def unreported(fitted: Refitted, s: np.ndarray, probability: np.ndarray) -> pd.DataFrame:
    """What the waves need and the network did not list: a table with the network's S and probability at these pixels.

    The network doubts them the more: mostly they are the weaker one of a close pair.
    """
    at = tuple(np.clip(fitted.new.round().astype(int), 0, np.array(s.shape) - 1).T)
    return pd.DataFrame(
        {
            "row": fitted.new[:, 0],
            "column": fitted.new[:, 1],
            "s": s[at].astype(float),
            "probability": np.nan_to_num(probability[at].astype(float)),
            "sigma_px": fitted.new_sigma,
        }
    )


def _remarks(fitted: Refitted) -> list[str]:
    changes = [tile["k_change"] for tile in fitted.about["tiles"]]
    change = float(np.median(changes)) if changes else 0.0
    if abs(change) <= K_CHANGE:
        return []
    return [
        f"The waves are {abs(100 * change):.1f} % {'longer' if change < 0 else 'shorter'} than the surface "
        "band says: the refit allows for it, the search before it did not. Check E₀ and m*."
    ]
