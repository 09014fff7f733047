"""From S to a probability: Platt scaling on peaks of fresh scenes, and the threshold with the best F1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from friedel.physics.friedel import FriedelConfig, scenes
from friedel.training.patches import VoltageChoice, normalise_maps


def peaks(s: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Local maxima (3×3) of S over one field.

    Parameters
    ----------
    s : Tensor, shape (H, W)

    Returns
    -------
    positions : array, shape (n, 2)
        Row and column [px], the highest first.
    values : array, shape (n,)
    """
    s = s.detach().float().cpu()
    highest = F.max_pool2d(s[None, None], 3, stride=1, padding=1)[0, 0]
    where = (s == highest).nonzero()
    values = s[where[:, 0], where[:, 1]]
    order = values.argsort(descending=True)
    return where[order].numpy(), values[order].numpy()


def hits(positions: np.ndarray, truth: np.ndarray, tolerance: float = 1.0) -> np.ndarray:
    """Whether each position finds an impurity: best first, each impurity is found once, within `tolerance` [px]."""
    free = np.ones(len(truth), dtype=bool)
    found = np.zeros(len(positions), dtype=bool)
    for i, position in enumerate(positions):
        distance = np.where(free, np.hypot(*(truth - position).T), np.inf)
        if len(distance) and distance.min() <= tolerance + 1e-6:
            free[distance.argmin()] = False
            found[i] = True
    return found


def platt(scores: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Fit P(true) = sigmoid(slope · score + intercept) by maximum likelihood (Newton's method).

    The targets are Platt's (1999): slightly less than 1 and more than 0, so that separable scores do not give an
    infinite slope.
    """
    positive, negative = int(true.sum()), int((~true).sum())
    target = np.where(true, (positive + 1) / (positive + 2), 1 / (negative + 2))
    spread = float(scores.std()) or 1.0
    x = np.stack([(scores - scores.mean()) / spread, np.ones(len(scores))], axis=1)
    weights = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -40, 40)))
        hessian = (x * (p * (1 - p) + 1e-9)[:, None]).T @ x + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, x.T @ (target - p))
        weights += np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-9:
            break
    slope = float(weights[0] / spread)
    return slope, float(weights[1] - slope * scores.mean())


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
    """Calibration and threshold from fields with known impurities.

    Parameters
    ----------
    fields : iterable of (S, truth, counts)
        S of shape (H, W), true positions of shape (n, 2), and whether the field counts for the threshold.

    Returns
    -------
    dict
        `calibration` with slope and intercept, `threshold`, `validation` with F1 and the numbers behind it.
    """
    scores, true, counts, impurities = [], [], [], 0
    for s, truth, counted in fields:
        positions, values = peaks(s)
        scores.append(values)
        true.append(hits(positions, truth))
        counts.append(np.full(len(values), counted))
        impurities += len(truth) * counted
    score, hit, counted_ = np.concatenate(scores).astype(float), np.concatenate(true), np.concatenate(counts)
    slope, intercept = platt(score, hit)
    probability = 1 / (1 + np.exp(-np.clip(slope * score + intercept, -60, 60)))
    threshold, f1 = best_threshold(probability[counted_], hit[counted_], impurities)
    return {
        "calibration": {"slope": slope, "intercept": intercept},
        "threshold": threshold,
        "validation": {"f1": round(f1, 4), "peaks": len(score), "impurities": impurities},
    }


def calibrate_on_scenes(
    network: nn.Module,
    scene: FriedelConfig,
    voltages: VoltageChoice,
    device: torch.device,
    number: int = 192,
    seed: int = 20_000,
) -> dict[str, Any]:
    """Calibrate a network on fresh Eq. 3 scenes with all voltages.

    Half of the scenes have the recipe's noise, and count for the threshold; the others have η between a quarter and
    one and a half times that. One scene in eight is empty, so that noise alone is known to the calibration.

    Parameters
    ----------
    network : torch.nn.Module
    scene, voltages : FriedelConfig, VoltageChoice
    device : torch.device
    number : int
        Scenes.
    seed : int
        Not one of training.
    """
    generator = torch.Generator().manual_seed(seed)
    every = VoltageChoice(voltages.k, (len(voltages.k),) * 2, (1.0, 1.0))
    was_training = network.training
    network.eval()

    def fields() -> Iterable[tuple[Tensor, np.ndarray, bool]]:
        for i in range(0, number, 8):
            usual = (i // 8) % 2 == 0
            eta = scene.noise * (1.0 if usual else 0.25 + 1.25 * float(torch.rand(1, generator=generator)))
            for config, count in ((scene, 7), (replace(scene, impurities=(0, 0)), 1)):
                made = scenes(replace(config, noise=eta), every.draw(count, generator), generator)
                mask = torch.ones_like(made.label).to(device)
                with torch.no_grad():
                    s = network(normalise_maps(made.maps).to(device), made.k.to(device), mask).s
                for one, points, present in zip(s, made.positions, made.present, strict=True):
                    yield one, points[present].numpy(), usual

    result = calibrate(fields())
    network.train(was_training)
    return result
