"""Input of a fine-tuning step from the sample itself: random patches of it, and patches around corrected points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from friedel.training.patches import symmetry

if TYPE_CHECKING:
    from friedel.finetuning.sample import Sample
    from friedel.finetuning.sample_recipes import SampleRecipe


@dataclass(frozen=True)
class SamplePatches:
    """Cuts experimental patches for a network.

    Parameters
    ----------
    recipe : SampleRecipe
        How many patches of which size, and of which voltages.
    device : torch.device
        Where the patches go; everything random comes from a generator on the CPU.
    """

    recipe: SampleRecipe
    device: torch.device

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Patches anywhere in the field: maps (B, V, h, w), k (B, V) and mask (B, h, w)."""
        recipe = self.recipe
        corners = recipe.sample.random_corners(recipe.patches, recipe.patch, generator)
        return self.cut(corners, self.symmetries(len(corners), generator), generator)

    def symmetries(self, number: int, generator: torch.Generator) -> Tensor:
        """Draw one of the eight symmetries of the square for each of `number` patches, shape (number,)."""
        rows, columns = self.recipe.sample.mask.shape
        symmetries = torch.randint(0, 8, (number,), generator=generator)
        if min(rows, columns) < self.recipe.patch and rows != columns:
            symmetries = symmetries % 2 * 2  # a patch that is not square may only be rotated by 180°
        return symmetries

    def cut(
        self, corners: Tensor, symmetries: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Patches at these corners (B, 2), of voltages drawn without replacement; as in `draw`."""
        recipe = self.recipe
        order = torch.randperm(len(recipe.sample.k), generator=generator)
        voltages = order[: recipe.voltages].sort().values
        parts = recipe.sample.patches(corners, recipe.patch, voltages, symmetries)
        maps, k, mask = (part.to(self.device) for part in parts)
        return maps, k, mask


@dataclass(frozen=True)
class Corrections:
    """Points that the user has added or removed.

    Parameters
    ----------
    points : Tensor of int, shape (n, 2)
        Row and column [network px].
    target : Tensor, shape (H, W)
        1 at added points, 0 at removed ones, NaN where nothing is known.
    """

    points: Tensor
    target: Tensor

    @classmethod
    def of(cls, sample: Sample, added: Any, removed: Any) -> Corrections | None:
        """Take the points [px of the stack] that lie inside the sample; None if there are none."""
        target = torch.full(tuple(sample.mask.shape), float("nan"))
        points = []
        for given, value in ((removed, 0.0), (added, 1.0)):
            for row, column in np.rint(sample.to_network(given)).astype(int):
                if 0 <= row < target.shape[0] and 0 <= column < target.shape[1]:
                    target[row, column] = value
                    points.append((int(row), int(column)))
        return cls(torch.tensor(points), target) if points else None

    def draw(
        self, patches: SamplePatches, generator: torch.Generator
    ) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
        """Patches around some of the points, as `SamplePatches.draw`, and their targets (B, h, w)."""
        size = patches.recipe.patch
        number = min(patches.recipe.patches, max(2, len(self.points)))
        chosen = self.points[torch.randint(0, len(self.points), (number,), generator=generator)]
        shift = (torch.rand(number, 2, generator=generator) * size).long()
        limits = torch.tensor([max(0, side - size) for side in self.target.shape])
        corners = (chosen - shift).clamp(min=torch.zeros(2, dtype=torch.long), max=limits)
        symmetries = patches.symmetries(number, generator)
        seen = patches.cut(corners, symmetries, generator)
        wanted = torch.stack([
            symmetry(self.target[r : r + size, c : c + size], which)
            for (r, c), which in zip(corners.tolist(), symmetries.tolist(), strict=True)
        ])  # fmt: skip
        return seen, wanted.to(patches.device)
