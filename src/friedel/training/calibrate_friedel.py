"""What S and σ of the `friedel` network are worth: probability, threshold and a scale for σ, from fresh scenes."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from friedel._util.work import HERE, Work
from friedel.candidates.decode import claims
from friedel.physics.scene import Scene, SceneConfig, clean_scene, measure
from friedel.training.calibrate_paper import best_threshold, hits, platt
from friedel.training.confounders import confound, spoil
from friedel.training.patches import normalise_maps

if TYPE_CHECKING:
    from friedel.training.confounder_config import ConfounderConfig

#: Seed of the scenes; training counts its seeds from 0.
SEED = 7_777_777
#: Claims with a smaller S say nothing about the calibration.
FLOOR = -4.0
#: Points that a field of `AREA` pixels without impurities may show on average.
FALSE_ALARMS = 0.05
AREA = 6400
#: Of the points with p between .9 and .99 in confounded fields at least so many are true.
LEAST_TRUE = 0.85
#: Fields that are drawn from one seed: pieces of this size are done in one process, whatever their number.
PIECE = 20
#: A Gaussian error stays within one σ in this share of cases.
ONE_SIGMA = 0.6827


@dataclass(frozen=True)
class Peaks:
    """Peaks of S in many fields: S, whether each is an impurity, and its error over σ on each axis (NaN if false)."""

    s: np.ndarray
    true: np.ndarray
    error: np.ndarray
    impurities: int


def collect(
    network: torch.nn.Module,
    config: SceneConfig,
    device: torch.device | str,
    fields: int,
    seed: int = SEED,
    confounders: ConfounderConfig | None = None,
    work: Work = HERE,
) -> Peaks:
    """Run the network on fresh scenes and compare its peaks with the truth.

    Parameters
    ----------
    network : torch.nn.Module
    config : SceneConfig
    device : torch.device
    fields : int
        Number of scenes.
    seed : int
    confounders : ConfounderConfig, optional
        What is added to them; nothing if None.
    work : Work
        Where; the answer does not depend on it.
    """
    sizes = [min(PIECE, fields - start) for start in range(0, fields, PIECE)]
    pieces = [(network, config, device, size, seed + 1000 * i, confounders) for i, size in enumerate(sizes)]
    parts = list(work.each(_collect, pieces))
    s, true, error = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("s", "true", "error")
    )
    return Peaks(s, true, error, sum(part.impurities for part in parts))


def _collect(
    network: torch.nn.Module,
    config: SceneConfig,
    device: torch.device | str,
    fields: int,
    seed: int,
    confounders: ConfounderConfig | None,
) -> Peaks:
    """One piece of `collect`."""
    rng = torch.Generator().manual_seed(seed)
    s, true, error, impurities = [], [], [], 0
    for _ in range(fields):
        scene = _fresh(config, confounders, rng)
        mask = torch.ones(1, config.size, config.size)
        maps = normalise_maps(scene.maps)
        with torch.inference_mode():
            out = network(maps.to(device), scene.k.to(device), mask.to(device))
        level = out.s[0].cpu().numpy()
        pixels, refined = claims(level, out.offset[0].cpu().numpy(), floor=FLOOR)
        values, sigma = level[tuple(pixels.T)], out.log_sigma[0].exp().cpu().numpy()[tuple(pixels.T)]
        everywhere = scene.points[0][scene.present[0]].numpy()
        inside = (everywhere >= 0).all(axis=1) & (everywhere <= config.size - 1).all(axis=1)
        # A scatterer on the very border counts for nothing, and neither does a peak there.
        counted = ((refined >= 0.5) & (refined <= config.size - 1.5)).all(axis=1)
        hit = hits(refined, everywhere)
        gap = np.full((len(refined), 2), np.nan)
        if hit.any():
            nearest = np.hypot(*(refined[hit][:, None] - everywhere[None]).transpose(2, 0, 1)).argmin(axis=1)
            gap[hit] = (refined[hit] - everywhere[nearest]) / sigma[hit][:, None]
        s.append(values[counted])
        true.append(hit[counted])
        error.append(gap[counted])
        impurities += int(inside.sum())
    return Peaks(np.concatenate(s).astype(float), np.concatenate(true), np.concatenate(error), impurities)


def _fresh(config: SceneConfig, confounders: ConfounderConfig | None, rng: torch.Generator) -> Scene:
    """One scene as recorded."""
    scene = clean_scene(1, config, rng)
    if confounders is None:
        return measure(scene, config, rng)
    confused = confound(scene, confounders, rng)
    return spoil(
        replace(confused, scene=measure(confused.scene, config, rng, confused.waves)), confounders, rng
    )


def _probability(s: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(slope * s + intercept, -60, 60))))


def honest_intercept(slope: float, intercept: float, peaks: Peaks) -> float:
    """Lower the intercept until enough of the points with p between .9 and .99 are true, by at most 3."""
    for lower in np.arange(0, 3.01, 0.1):
        p = _probability(peaks.s, slope, intercept - lower)
        within = (p >= 0.9) & (p < 0.99)
        if not within.any() or peaks.true[within].mean() >= LEAST_TRUE:
            return float(intercept - lower)
    return float(intercept - 3)


def calibrate_wave(
    network: torch.nn.Module,
    config: SceneConfig,
    device: torch.device | str,
    confounders: ConfounderConfig | None = None,
    fields: int = 300,
    empty_fields: int = 80,
    work: Work = HERE,
) -> dict[str, Any]:
    """Calibration for a model's header.

    With `confounders` as many fields again are confounded, every one of them, and the probability is that of both
    halves together; if fewer than `LEAST_TRUE` of the confounded half's points with p between .9 and .99 are true,
    the intercept is lowered until they are. F1 and σ are those of the fields without confounders.

    The threshold is 0.5, more likely than not, raised if need be until fields without any impurity show less than
    `FALSE_ALARMS` points a published area. In those fields no more noise is common to all maps (z-jitter) than is
    white: where jitter alone is left, every map shows the same noise, and the network takes it for sources.

    Returns
    -------
    dict
        ``calibration`` (slope, intercept), ``threshold``, ``sigma_scale``, ``validation``.
    """
    network.eval()
    if work.executor is not None:  # other processes compute on processors
        network, device = copy.deepcopy(network).cpu(), "cpu"
    config = replace(config, size=64)
    found = collect(network, config, device, fields, work=work)
    empty = replace(config, empty=1.0, noise=(0.3, max(0.3, config.noise[1])), jitter=(0.0, 0.3))
    nothing = collect(network, empty, device, empty_fields, seed=SEED + 1, work=work)
    parts = [found, nothing]
    if confounders is not None and confounders.share > 0:
        every = replace(confounders, share=1.0)
        parts.append(collect(network, config, device, fields, SEED + 2, every, work))
    s, true = (np.concatenate([getattr(part, name) for part in parts]) for name in ("s", "true"))
    slopes, intercept = platt(s, true)
    slope = float(slopes[0])
    intercept = honest_intercept(slope, intercept, parts[-1])

    def probability(s: np.ndarray) -> np.ndarray:
        return _probability(s, slope, intercept)

    best, f1 = best_threshold(probability(found.s), found.true, found.impurities)
    allowed = int(FALSE_ALARMS * empty_fields * config.size**2 / AREA)
    alarms = np.sort(probability(nothing.s))[::-1]
    quiet = float(alarms[allowed]) + 1e-3 if len(alarms) > allowed else 0.0
    threshold = min(max(0.5, quiet), 0.95)
    sure = found.error[found.true & (probability(found.s) >= threshold)]
    return {
        "calibration": {"slope": slope, "intercept": intercept},
        "threshold": threshold,
        "sigma_scale": float(np.quantile(np.abs(sure), ONE_SIGMA)) if len(sure) else 1.0,
        "validation": {
            "f1": round(f1, 4),
            "best_threshold": round(best, 4),
            "quiet_threshold": round(quiet, 4),
            "claims": len(found.s),
            "impurities": found.impurities,
            "fields": fields,
            "empty_fields": empty_fields,
            "seed": SEED,
        },
    }
