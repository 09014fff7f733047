"""All numbers that the refit was tuned with, for the provenance."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from friedel.refit.amplitude_prior import AMPLITUDES
from friedel.refit.bias_binning import BINNING
from friedel.refit.common_scale import COMMON_SCALE
from friedel.refit.core_masks import CORES
from friedel.refit.herringbone import HERRINGBONE
from friedel.refit.joint_fit.unknowns import FIT, SHARED_PRIOR
from friedel.refit.model_selection import SELECTION
from friedel.refit.p_waves import P_WAVES
from friedel.refit.pruning import DECISIONS
from friedel.refit.robust import ROBUST
from friedel.refit.source_search import SEARCH


def constants() -> dict[str, dict[str, Any]]:
    """The numbers by the name of the class that documents them."""
    prior = {"SharedPrior": asdict(SHARED_PRIOR)}
    every = (AMPLITUDES, BINNING, COMMON_SCALE, CORES, DECISIONS, FIT, HERRINGBONE, P_WAVES, ROBUST, SEARCH)
    return {type(one).__name__: asdict(one) for one in (*every, SELECTION)} | prior
