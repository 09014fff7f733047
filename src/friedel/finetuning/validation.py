"""How good a network under fine-tuning is: a look at held-out patches, the field and the reference; which was best."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor, nn

from friedel.errors import FriedelWarning
from friedel.finetuning.config import FineTuneConfig
from friedel.finetuning.patches import SamplePatches
from friedel.finetuning.sample import Sample
from friedel.models.model import Model, full_precision
from friedel.scoring.matching import match
from friedel.training.calibrate_paper import peaks
from friedel.training.losses import entropy

#: Side [network px] of the field's middle that is looked at.
FIELD = 96


class Examiner:
    """Looks at networks, all at the same held-out patches and the same field.

    Parameters
    ----------
    parent : Model
        Whose calibration and threshold count.
    sample : Sample
    patches : SamplePatches
    config : FineTuneConfig
    reference : array, shape (n, 2), optional
        Row and column of known impurities [network px].
    """

    def __init__(
        self,
        parent: Model,
        sample: Sample,
        patches: SamplePatches,
        config: FineTuneConfig,
        reference: np.ndarray | None = None,
    ) -> None:
        self.parent, self.sample, self.reference = parent, sample, reference
        self.recipe, self.config = patches.recipe, config
        self.patches = patches
        shown = self.recipe.sample
        #: Row and column at which the part of the field that is looked at begins [network px].
        self.first = tuple(max(0, (side - FIELD) // 2) for side in shown.mask.shape)
        self._window = tuple(slice(start, start + FIELD) for start in self.first)
        #: That part, or the whole where it is small, as the network sees it: maps, k, mask.
        self.field = (
            shown.maps[:, *self._window][None].to(patches.device),
            shown.k[None].to(patches.device),
            shown.mask[self._window][None].to(patches.device),
        )

    @cached_property
    def held_out(self) -> tuple[list[Any], list[tuple[Tensor, Tensor, Tensor]]]:
        """Simulated batches and experimental patches, made at the first look: the first step need not wait for them."""
        generator = torch.Generator().manual_seed(self.config.seed + 1_000_003)
        device = self.patches.device
        simulated = [self.recipe.held_out(generator, device) for _ in range(3)]
        number = max(2, 4 // self.recipe.patches)  # four patches at least
        return simulated, [self.patches.draw(generator) for _ in range(number)]

    @torch.no_grad()
    @full_precision()
    def look(self, network: nn.Module) -> dict[str, Any]:
        """Held-out losses, peaks and agreement of a network; with `config.preview` S over the field, too."""
        training = network.training
        network.eval()
        simulated, experimental = self.held_out
        l0 = float(np.mean([self.recipe.loss(network, batch)[0].item() for batch in simulated]))
        uncertain = torch.cat([entropy(network(maps, k, mask).s, mask) for maps, k, mask in experimental])
        s = network(*self.field).s[0].float().cpu()
        network.train(training)
        values: dict[str, Any] = {
            "held_out": l0 + self.config.alpha * uncertain.mean().item(),
            "held_out_L0": l0,
            "entropy": uncertain.mean().item(),
            **self._count(s),
        }
        if self.config.preview:
            values["s"] = self._on_the_stack(s)
        return values

    def _count(self, s: Tensor) -> dict[str, float]:
        """Count peaks above the threshold and, with a reference, how many of its points have one within 1 px."""
        positions, _ = peaks(s)
        probability = self.parent.probability(s.numpy())[positions[:, 0], positions[:, 1]]
        known = self.sample.mask[self._window].numpy() > 0
        sure = (probability >= self.parent.threshold) & known[positions[:, 0], positions[:, 1]]
        first = np.array(self.first)
        found = positions[sure] + first
        counted = {"peaks": float(len(found))}
        if self.reference is not None:
            inside = (self.reference >= first - 0.5) & (self.reference < first + np.array(s.shape) - 0.5)
            truth = self.reference[inside.all(axis=1)]
            pairs = len(match(found, truth, float(np.mean(self.sample.zoom))))
            counted["agreement"] = pairs / max(len(truth), 1)
            counted["f1"] = 2 * pairs / max(len(found) + len(truth), 1)
        return counted

    def _on_the_stack(self, s: Tensor) -> np.ndarray:
        """S at the stack's own pixels, shape `sample.shape`; NaN outside the part that was looked at."""
        rows, columns = np.indices(self.sample.shape)
        pixels = np.stack([rows, columns], axis=-1).reshape(-1, 2) + self.sample.origin
        at = self.sample.to_network(pixels) - self.first
        values = map_coordinates(s.numpy(), at.T, order=1, mode="constant", cval=np.nan)
        return values.reshape(self.sample.shape).astype(np.float32)


@dataclass
class History:
    """All looks of a run, and the weights of the best one.

    Parameters
    ----------
    best : dict
        Weights to keep until the first look.
    looks : list of dict
        One a look: step, held-out figures, peaks, agreement.
    best_look : int
        Index of the look with the lowest held-out loss; −1 before the first.
    """

    best: dict[str, Tensor]
    looks: list[dict[str, float]] = field(default_factory=list)
    best_look: int = -1
    warned: bool = False

    def add(self, step: int, values: dict[str, Any], network: nn.Module) -> None:
        """Note a look, keep the weights if it is the best so far, and warn if the peaks are vanishing."""
        held_out = values["held_out"]
        least = self.looks[self.best_look]["held_out"] if self.looks else math.inf
        if not self.looks or held_out < least:
            self.best_look = len(self.looks)
            self.best = weights(network)
        self.looks.append({"step": float(step), **{name: v for name, v in values.items() if name != "s"}})
        self._warn_of_collapse()

    def exhausted(self, patience: int) -> bool:
        """Whether the last `patience` looks were no better than the best."""
        return len(self.looks) - 1 - self.best_look >= patience

    @property
    def best_step(self) -> int:
        """Step of the best look; 0 before the first."""
        return int(self.looks[self.best_look]["step"]) if self.looks else 0

    def _warn_of_collapse(self) -> None:
        before, now = self.looks[0]["peaks"], self.looks[-1]["peaks"]
        if before >= 4 and now < before / 2 and not self.warned:
            self.warned = True
            warnings.warn(
                f"The number of impurities found on the sample fell from {before:.0f} to {now:.0f} during fine-tuning: "
                "the entropy may be sinking by fewer peaks instead of surer ones. Lower α or the learning rate.",
                FriedelWarning,
                stacklevel=3,
            )


def weights(network: nn.Module) -> dict[str, Tensor]:
    """Copy a network's state."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
