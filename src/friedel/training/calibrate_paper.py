"""From S to a probability: Platt scaling on peaks of fresh scenes, and the threshold with the best F1."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from friedel._util.local_maxima import local_maxima
from friedel.models.calibration import scales
from friedel.physics.eq3 import FriedelConfig, scenes
from friedel.scoring.matching import growing_matches
from friedel.training.patches import VoltageChoice, normalise_maps

if TYPE_CHECKING:
    from collections.abc import Iterable


def peaks(s: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Local maxima of S over one field.

    Parameters
    ----------
    s : Tensor, shape (H, W)

    Returns
    -------
    positions : array, shape (n, 2)
        Row and column [px], the highest first.
    values : array, shape (n,)
    """
    field = s.detach().float().cpu().numpy()
    positions = local_maxima(field)
    return positions, field[tuple(positions.T)]


def hits(positions: np.ndarray, truth: np.ndarray, tolerance: float = 1.0) -> np.ndarray:
    """Whether each position finds an impurity: best first, each impurity once, within `tolerance` [px]."""
    right, _ = growing_matches(positions, truth, tolerance)
    return np.diff(right, prepend=0) > 0


def platt(features: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, float]:
    """Fit P(true) = sigmoid(slopes · features + intercept) by maximum likelihood (Newton's method).

    The targets are Platt's (1999): slightly less than 1 and more than 0, so that separable features do not give an
    infinite slope.

    Parameters
    ----------
    features : array, shape (n,) or (n, m)
    true : array of bool, shape (n,)

    Returns
    -------
    slopes : array, shape (m,)
    intercept : float
    """
    features = np.asarray(features, dtype=float).reshape(len(true), -1)
    positive, negative = int(true.sum()), int((~true).sum())
    target = np.where(true, (positive + 1) / (positive + 2), 1 / (negative + 2))
    centre, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    x = np.column_stack([(features - centre) / spread, np.ones(len(true))])
    weights = np.zeros(x.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -40, 40)))
        hessian = (x * (p * (1 - p) + 1e-9)[:, None]).T @ x + 1e-9 * np.eye(len(weights))
        step = np.linalg.solve(hessian, x.T @ (target - p))
        weights += np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-9:
            break
    slopes = weights[:-1] / spread
    return slopes, float(weights[-1] - slopes @ centre)


def best_threshold(probability: np.ndarray, true: np.ndarray, impurities: int) -> tuple[float, float]:
    """Threshold on the probability with the highest F1, and that F1; `impurities` counts the missed ones too."""
    order = np.argsort(-probability, kind="stable")
    found = true[order].cumsum()
    f1 = 2 * found / (np.arange(1, len(order) + 1) + impurities)
    best = int(f1.argmax())
    # Halfway to the next candidate, so that rounding does not decide.
    following = probability[order[best + 1]] if best + 1 < len(order) else 0.0
    return float((probability[order[best]] + following) / 2), float(f1[best])


def calibrate(fields: Iterable[tuple[Tensor, np.ndarray, bool]]) -> dict[str, Any]:
    """Relative calibration and threshold from fields with known impurities; see `friedel.models.calibration`.

    Parameters
    ----------
    fields : iterable of (S, truth, counts)
        S of shape (H, W), true positions of shape (n, 2), and whether the field counts for the threshold.

    Returns
    -------
    dict
        `calibration`, `threshold`, and `validation` with F1 and the numbers behind it.
    """
    features, true, counts, impurities, sizes = [], [], [], 0, []
    for s, truth, counted in fields:
        positions, values = peaks(s)
        spread, noise = (float(one) for one in scales(s))
        height = np.maximum(values, 1e-6)
        alone = np.full(len(height), (noise / spread) ** 4)
        features.append(np.stack([np.log(height / spread), np.log(height / noise), alone], axis=1))
        true.append(hits(positions, truth))
        counts.append(np.full(len(values), counted))
        impurities += len(truth) * counted
        sizes.append((spread, noise))
    feature, hit, usual = np.concatenate(features), np.concatenate(true), np.concatenate(counts)
    # What lies below the field's middle is no peak; it would only bend the fit.
    high = feature[:, 0] > np.log(0.3)
    slopes, intercept = platt(feature[high], hit[high])
    probability = 1 / (1 + np.exp(-np.clip(feature @ slopes + intercept, -60, 60)))
    threshold, f1 = best_threshold(probability[usual], hit[usual], impurities)
    typical = np.median(sizes, axis=0)
    return {
        "calibration": {
            "spread": float(slopes[0]),
            "noise": float(slopes[1]),
            "alone": float(slopes[2]),
            "intercept": intercept,
            "typical_spread": float(typical[0]),
            "typical_noise": float(typical[1]),
        },
        "threshold": threshold,
        "validation": {"f1": round(f1, 4), "peaks": len(hit), "impurities": impurities},
    }


def calibrate_on_scenes(
    network: nn.Module,
    scene: FriedelConfig,
    voltages: VoltageChoice,
    device: torch.device,
    rounds: int = 8,
    seed: int = 20_000,
) -> dict[str, Any]:
    """Calibrate a network on fresh Eq. 3 scenes.

    Each round has sixteen scenes of the recipe with all voltages, which count for the threshold; eight of other noise
    and fewer voltages; three of twice the size; and five without impurities, one of them of four times the size, so
    that noise alone is known, too.

    Parameters
    ----------
    network : torch.nn.Module
    scene, voltages : FriedelConfig, VoltageChoice
    device : torch.device
    rounds : int
    seed : int
        Not one of training.
    """
    generator = torch.Generator().manual_seed(seed)
    every = len(voltages.k)
    was_training = network.training
    network.eval()

    def draw(low: float, high: float) -> float:
        return float(low * (high / low) ** float(torch.rand(1, generator=generator)))

    def fields() -> Iterable[tuple[Tensor, np.ndarray, bool]]:
        for _ in range(rounds):
            few = max(1, round(draw(min(8, every), every)))
            large: dict[str, Any] = {"size": 2 * scene.size, "impurities": (1, 3 * scene.impurities[1])}
            for config, count, number, usual in (
                (scene, 8, every, True),
                (scene, 8, every, True),
                (replace(scene, noise=scene.noise * draw(0.05, 1.25)), 8, few, False),
                (replace(scene, **large, noise=scene.noise * draw(0.05, 1.25)), 3, every, False),
                (replace(scene, impurities=(0, 0)), 4, every, False),
                (replace(scene, size=4 * scene.size, impurities=(0, 0)), 1, every, False),
            ):
                k = VoltageChoice(voltages.k, (number, number)).draw(count, generator)
                made = scenes(config, k, generator)
                mask = torch.ones_like(made.label).to(device)
                with torch.no_grad():
                    s = network(normalise_maps(made.maps).to(device), made.k.to(device), mask).s
                for one, points, present in zip(s, made.positions, made.present, strict=True):
                    yield one, points[present].numpy(), usual

    result = calibrate(fields())
    network.train(was_training)
    return result
