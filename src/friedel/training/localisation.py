"""The loss of a localiser: what is true of a batch, learned from the truth and from a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from friedel.models.base import Output

#: Weight of positions beside detection, in what is learned from the truth and from a teacher.
POSITION_WEIGHT = 0.2


@dataclass(frozen=True)
class Target:
    """What is true of a batch.

    present : (B, H, W), 1 in the pixel that holds an impurity's centre;
    leniency : (B, H, W), weight of a false alarm, small beside an impurity;
    offset : (B, 2, H, W), shift (row, column) from the pixel to the nearest impurity [px];
    near : (B, H, W), weight of the offset's loss.
    """

    present: torch.Tensor
    leniency: torch.Tensor
    offset: torch.Tensor
    near: torch.Tensor


def make_target(points: torch.Tensor, present: torch.Tensor, mask: torch.Tensor) -> Target:
    """Lay the true positions on the pixel grid.

    Parameters
    ----------
    points : Tensor, shape (B, N, 2)
        Row and column [px]; points outside the acquired field count for nothing.
    present : Tensor, shape (B, N), bool
    mask : Tensor, shape (B, H, W)
    """
    b, h, w = mask.shape
    cell = points.round().long()
    inside = present & (cell[..., 0] >= 0) & (cell[..., 0] < h) & (cell[..., 1] >= 0) & (cell[..., 1] < w)
    label = torch.zeros(b, h, w)
    which, where = inside.nonzero(as_tuple=True)
    label[which, cell[which, where, 0], cell[which, where, 1]] = 1.0
    grid = (
        torch.stack(torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij"), -1)
        .float()
        .view(1, -1, 2)
    )
    far = torch.where(inside[..., None], points, torch.full_like(points, 1e4))
    distance, nearest = torch.cdist(grid.expand(b, -1, -1), far).min(dim=2)
    offset = torch.gather(far, 1, nearest[..., None].expand(-1, -1, 2)) - grid
    offset = offset.clamp(-1.5, 1.5).transpose(1, 2).reshape(b, 2, h, w)
    distance = distance.view(b, h, w)
    leniency = (1 - torch.exp(-(distance**2) / (2 * 0.5**2))) ** 2
    near = torch.where(label > 0, 1.0, 0.25 * (distance < 1.0).float())
    return Target(label * mask, leniency * mask, offset, near * mask)


def localisation_loss(
    output: Output, target: Target, *, focus: float = 1.0, position_weight: float = POSITION_WEIGHT
) -> tuple[torch.Tensor, dict[str, float]]:
    """Focal cross-entropy of the probability plus the Gaussian likelihood of the position.

    Both are divided by the number of impurities in the batch; `position_weight` is the second one's. `focus` is γ
    of the focal loss (Lin et al., DOI 10.1109/ICCV.2017.324): 0 is the plain cross-entropy.

    Returns
    -------
    loss : Tensor
    values : dict
        ``detection`` and ``position``, for display.
    """
    s = output.s
    p = torch.sigmoid(s)
    count = target.present.sum().clamp_min(1)
    hit = target.present * (1 - p) ** focus * F.softplus(-s)
    alarm = (1 - target.present) * target.leniency * p**focus * F.softplus(s)
    detection = (hit + alarm).sum() / count
    offset, log_sigma = output.localisation()
    square = ((offset - target.offset) ** 2).sum(dim=1)
    likelihood = 0.5 * square * torch.exp(-2 * log_sigma) + 2 * log_sigma
    position = (target.near * likelihood).sum() / target.near.sum().clamp_min(1)
    return detection + position_weight * position, {
        "detection": detection.item(),
        "position": position.item(),
    }


def distillation_loss(output: Output, teacher: Output, mask: torch.Tensor) -> torch.Tensor:
    """Knowledge distillation: cross-entropy of p beyond the teacher's own, and the error of the position.

    Both are divided by the number of impurities that the teacher sees; positions count as much as the teacher is sure
    of an impurity there, in units of its σ.

    Parameters
    ----------
    output, teacher : Output
        The teacher's without gradients.
    mask : Tensor, shape (B, H, W)
    """
    p = torch.sigmoid(teacher.s.float())
    count = (p * mask).sum().clamp_min(1)
    s, known = output.s.float(), teacher.s.float()
    # KL(p ‖ q) of two coins, from their logits
    detection = p * (known - s) + F.softplus(s) - F.softplus(known)
    offset, log_sigma = output.localisation()
    expected, known_log_sigma = teacher.localisation()
    gap = ((offset - expected) ** 2).sum(dim=1) * torch.exp(-2 * known_log_sigma)
    position = 0.5 * gap + (log_sigma - known_log_sigma) ** 2
    position = position.clamp_max(10)  # a guess far from the teacher's must not outweigh all others
    return ((detection + POSITION_WEIGHT * p * position) * mask).sum() / count
