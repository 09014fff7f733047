"""What a core shows where it shows no wave: a texture, or the surroundings drawn into it."""

from __future__ import annotations

import torch

from friedel.physics.draws import chance, uniform


def texture(batch: int, height: int, width: int, rng: torch.Generator) -> torch.Tensor:
    """Factor (B, 1, H, W) about 1: none, grainy or, as after resampling from finer pixels, smooth."""
    grain = torch.randn(batch, 1, height, width, generator=rng)
    smooth = torch.nn.functional.avg_pool2d(grain, 3, stride=1, padding=1, count_include_pad=False) * 3
    pick = chance(0.5, batch, rng).view(batch, 1, 1, 1)
    strength = uniform((0.2, 0.8), (batch, 1, 1, 1), rng) * chance(0.6, batch, rng).view(batch, 1, 1, 1)
    return 1 + strength * (pick * grain + (1 - pick) * smooth)


def fill(maps: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
    """Replace the pixels in `hole` (B, 1, H, W) smoothly by what surrounds them."""
    filled, known = maps * ~hole, (~hole).float()
    kernel = torch.tensor([[1.0, 2.0, 1.0], [2.0, 0.0, 2.0], [1.0, 2.0, 1.0]]).view(1, 1, 3, 3)
    h, w = maps.shape[-2:]

    def smooth(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(x.reshape(-1, 1, h, w), kernel, padding=1).view(x.shape)

    for _ in range(4):
        weight = smooth(known)
        filled = torch.where(hole, smooth(filled * known) / weight.clamp_min(1e-6), filled)
        known = torch.where(hole, (weight > 0).float(), known)
    return filled
