"""The stages between what is prepared and what is assembled: candidates, and their refit.

`find_candidates` takes `Prepared` and gives `Candidates`; `refit_candidates` gives `FittedCandidates`.
`friedel.pipeline` runs them in order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from friedel._util.work import HERE, Work
from friedel.classical import detect as classical
from friedel.prepare.stage import MIN_HALF_WAVELENGTHS, Sampling
from friedel.refit.fitted_candidates import FittedCandidates
from friedel.settings.checks import CHECK_LIMITS

if TYPE_CHECKING:
    from collections.abc import Generator

    from friedel._util.remarks import Remarks
    from friedel.candidates.result import Candidates
    from friedel.models.runtime import DetectionModel
    from friedel.prepare.prepared import Prepared
    from friedel.progress import Progress
    from friedel.settings.detection import Method, Refit, Tiles

#: A refit needs this share of the searched pixels: where interpolated values abound, as with saturation, it has no say.
LEAST_TO_FIT = 0.25


@dataclass(frozen=True, eq=False)
class Finder:
    """What finds candidates.

    Parameters
    ----------
    method : {"network", "matched-field", "omp"}
    model : Model or LightModel, optional
        For the network.
    tiles : {"blend", "paper"}
        For the network.
    """

    method: Method
    model: DetectionModel | None = None
    tiles: Tiles = "blend"

    @property
    def refit_device(self) -> str | None:
        """The GPU of the network, on which the refit's normal equations are made, too; None for the processor."""
        device = None if self.model is None else self.model.device
        return None if device is None or device.type != "cuda" else str(device)

    @property
    def sampling(self) -> Sampling:
        """The wavevectors that it takes."""
        if self.model is None:
            return Sampling(classical.K_RANGE)
        return Sampling(self.model.k_range, self.model.k_mean)


def find_candidates(
    prepared: Prepared, finder: Finder, work: Work = HERE
) -> Generator[Progress, None, Candidates]:
    """Find positions that may be impurities.

    Parameters
    ----------
    prepared : Prepared
    finder : Finder
    work : Work
        Where the network's tiles are computed.

    Yields
    ------
    Progress
    """
    arguments = prepared.maps, prepared.scaling.k, prepared.mask
    if finder.model is not None:
        from friedel.candidates.network import iter_network

        return (yield from iter_network(*arguments, finder.model, finder.tiles, work))
    if finder.method == "matched-field":
        return (yield from classical.iter_matched_field(*arguments, acquired=prepared.fit_mask))
    return (yield from classical.iter_omp(*arguments))


def _share_to_fit(prepared: Prepared) -> float:
    """Share of the pixels that a refit takes among those that are searched."""
    return float(prepared.fit_mask.sum()) / max(int(prepared.mask.sum()), 1)


def _revises(prepared: Prepared, found: Candidates) -> bool:
    """Whether the refit may revise probabilities: with fewer half wavelengths the fit is unconstrained."""
    return found.calibrated and prepared.half_waves >= MIN_HALF_WAVELENGTHS


def default_refit(prepared: Prepared, found: Candidates) -> Refit:
    """The quick refit where the method knows its uncertainty and the field shows enough waves of a known band."""
    knows = _revises(prepared, found) and prepared.band.dispersion is not None and found.knows_sigma
    return "quick" if knows and len(prepared.bias_mv) > 1 else "none"


def refit_candidates(
    prepared: Prepared,
    found: Candidates,
    kind: Refit,
    remarks: Remarks,
    work: Work = HERE,
    device: str | None = None,
) -> Generator[Progress, None, FittedCandidates]:
    """Fit the candidates by multiple scattering.

    Parameters
    ----------
    prepared : Prepared
    found : Candidates
    kind : {"none", "quick", "full"}
    remarks : Remarks
        Takes what the user should know.
    work : Work
        Where the tiles are fitted.
    device : str, optional
        A torch device that makes the normal equations; the processor, by numpy, if None.

    Yields
    ------
    Progress
    """
    band = prepared.band.dispersion
    if kind == "none":
        return FittedCandidates(found)
    if band is None:
        remarks.add("The positions were not refitted: without a surface band there are no waves to fit.")
        return FittedCandidates(found, refitted=True)
    if (known := _share_to_fit(prepared)) < LEAST_TO_FIT:
        part = f"only {100 * known:.0f} % of the pixels have a recorded value in most maps"
        remarks.add(f"The positions were not refitted: {part}.")
        return FittedCandidates(found, refitted=True)
    from friedel.refit.candidates import RefitOptions, iter_refit_candidates
    from friedel.refit.columns import energy_scale, fit_columns
    from friedel.refit.completeness import Acceptance
    from friedel.refit.fitted_waves import FittedMaps, FittedWaves
    from friedel.refit.refit_input import RefitMaps

    scaling = prepared.scaling
    k = band.complex_k(prepared.energy_mev) * scaling.pixel_nm
    result = yield from iter_refit_candidates(
        found,
        RefitMaps(prepared.maps, k, prepared.fit_mask, scaling.pixel_nm, device),
        RefitOptions(kind, _revises(prepared, found)),
        work,
    )
    for text in result.remarks:
        remarks.add(text)
    dropped = result.confident_dropped / max(result.confident, 1)
    about, waves, table = result.summary(), None, result.table
    if result.used:
        mask = prepared.fit_mask
        maps = FittedMaps(prepared.recorded, prepared.bias_mv, band, prepared.maps, mask, k, scaling)
        waves = FittedWaves(result.fitted, maps, Acceptance(kind, float(found.threshold)))
        energy_ev, per_ev = energy_scale(result.fitted, band, scaling.pixel_nm)
        extra = fit_columns(result.fitted, result.point, result.start, mask, per_ev)
        about |= {"phase_shift_bias_mv": band.onset_mev + 1e3 * energy_ev}
        table = pd.concat([table, extra], axis=1)
    explained = result.fitted.explained_share
    return FittedCandidates(replace(found, table=table), True, about, waves, dropped, explained)


def shows_no_waves(prepared: Prepared, fitted: FittedCandidates) -> bool:
    """Whether nothing tells of waves: no ring of the band, no fit that explains the maps, and no sure impurity.

    A topograph without waves has rings by chance and candidates of middling probability; without a refit, as by default
    with one voltage, no fit could tell. An impurity is sure if its probability was calibrated on empty fields, too. A
    significance takes all other structure for noise, while edges and islands are none, and a network that saw no empty
    field takes it for waves: they need a ring. In noise a ring of several voltages keeps its height, though hardly
    beyond chance; one map has such rings by chance. They count where the field is too small for a ring.
    """
    candidates, ring = fitted.candidates, prepared.flattened.ring
    seen = (ring.height >= CHECK_LIMITS.ring and ring.sigma >= CHECK_LIMITS.ring_sigma) or np.isfinite(
        ring.beside
    )
    # NaN, where there is no fit or it was too poor to be used, explains nothing.
    explained = fitted.explained_share >= CHECK_LIMITS.explained
    if candidates.knows_empty:
        sure = bool((candidates.table["probability"].to_numpy(float) > CHECK_LIMITS.certain).any())
    else:
        several = len(prepared.bias_mv) > 1
        sure = not np.isfinite(ring.height) or (several and ring.height >= CHECK_LIMITS.ring)
    return not (seen or explained or sure)


def without_probability(found: Candidates) -> Candidates:
    """The candidates by S alone: without a band and a ring it stands for no probability."""
    unknown = np.full_like(found.probability, np.nan)
    return replace(found, table=found.table.assign(probability=np.nan), probability=unknown)
