"""The losses of arXiv 2006.15898: L₀ (Eq. 2), L_reg (Eq. 4) and L = L₀ + α·L_reg."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def log_y(s: Tensor, mask: Tensor | None = None) -> Tensor:
    """Ln Y_net, the logarithm of Softmax(S) over the acquired pixels of each patch.

    Parameters
    ----------
    s : Tensor, shape (B, H, W)
    mask : Tensor, shape (B, H, W), optional
        1 where acquired; elsewhere Y_net is 0 and its logarithm is given as 0, so that sums over pixels stay right.

    Returns
    -------
    Tensor, shape (B, H, W)
    """
    flat = s.float().flatten(1)
    if mask is None:
        return flat.log_softmax(dim=1).view_as(s)
    known = mask.flatten(1) > 0
    # A finite stand-in for −∞ keeps the gradients of a patch with nothing acquired finite.
    logs = flat.masked_fill(~known, -1e9).log_softmax(dim=1)
    return torch.where(known, logs, torch.zeros_like(logs)).view_as(s)


def prediction_loss(s: Tensor, label: Tensor, mask: Tensor | None = None) -> Tensor:
    """L₀ = −Σ_l Y_label ln Y_net (Eq. 2), averaged over the batch.

    Parameters
    ----------
    s, label : Tensor, shape (B, H, W)
        `label` is 1/N_i at each of the N_i impurities of a patch.
    mask : Tensor, shape (B, H, W), optional

    Returns
    -------
    Tensor, scalar
        Its least value is ln N_i, averaged over the batch.
    """
    return -(label * log_y(s, mask)).sum(dim=(1, 2)).mean()


def entropy(s: Tensor, mask: Tensor | None = None) -> Tensor:
    """Entropy of Y_net of each patch, −Σ Y_net ln Y_net [nat], shape (B,)."""
    logs = log_y(s, mask)
    y = logs.exp() if mask is None else logs.exp() * (mask > 0)
    return -(y * logs).sum(dim=(1, 2))


def regulariser(s: Tensor, mask: Tensor | None = None) -> Tensor:
    """L_reg = −Σ_m Y_net ln Y_net over experimental patches (Eq. 4).

    The published sum over patches m is a mean here, so that α does not depend on the size of the batch.
    """
    return entropy(s, mask).mean()


def total_loss(l0: Tensor, l_reg: Tensor, alpha: float) -> Tensor:
    """L = L₀ + α·L_reg."""
    return l0 + alpha * l_reg


def sharpness(s: Tensor, mask: Tensor | None = None) -> Tensor:
    """1 − entropy / ln(pixels) of each patch, shape (B,): 0 for a flat prediction, 1 for a single sure pixel."""
    if mask is None:
        pixels = torch.full((len(s),), float(s[0].numel()), device=s.device)
    else:
        pixels = mask.flatten(1).gt(0).sum(dim=1).float()
    return 1 - entropy(s, mask) / pixels.clamp(min=2).log()


def correction_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of the calibrated probability at points the user has added or removed.

    Around each corrected point the largest logit within one pixel counts, because a click is no more exact than that.

    Parameters
    ----------
    logits : Tensor, shape (B, H, W)
        Calibrated log-odds, `friedel.models.calibration.logit` of S.
    target : Tensor, shape (B, H, W)
        1 at points that are impurities, 0 at points that are none, NaN where nothing is known.

    Returns
    -------
    Tensor, scalar
        0 if nothing is known in the whole batch.
    """
    known = ~target.isnan()
    if not known.any():
        return logits.sum() * 0.0
    best = F.max_pool2d(logits[:, None], 3, stride=1, padding=1)[:, 0]
    return F.binary_cross_entropy_with_logits(best[known], target[known])


def least_prediction_loss(numbers: Tensor) -> float:
    """The least L₀ that labels with these numbers of impurities allow, the mean of ln N_i."""
    return sum(math.log(n) for n in numbers.tolist()) / len(numbers)
