"""Validation during fine-tuning: held-out loss, peak count, agreement with a reference; the best state."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor, nn

from friedel.errors import FriedelWarning
from friedel.models.model import Model, full_precision
from friedel.scoring.matching import match
from friedel.training.calibrate_paper import peaks
from friedel.training.losses import entropy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from friedel.finetuning.config import FineTuneConfig
    from friedel.finetuning.patches import SamplePatches
    from friedel.finetuning.sample import Sample

#: Side [network px] of the field's middle that validation uses.
FIELD = 96


@dataclass(frozen=True)
class Validation:
    """What a network does after a step.

    Parameters
    ----------
    step : int
        0 for the parent.
    held_out : float
        L₀ + α·entropy of the held-out set: the lowest is the best.
    l0 : float
        Loss of held-out simulated scenes.
    entropy : float
        Mean entropy of the prediction on held-out patches of the sample.
    peaks : int
        Impurities found on the validated part of the sample.
    agreement, f1 : float, optional
        Share of the reference's points that are found, and F1; None without a reference.
    s : array, optional
        S at the stack's own pixels, where a preview is asked for.
    """

    step: int
    held_out: float
    l0: float
    entropy: float
    peaks: int
    agreement: float | None = None
    f1: float | None = None
    s: np.ndarray | None = field(default=None, compare=False, repr=False)

    def figures(self) -> dict[str, float]:
        """By the names that progress, model headers and saved states give them."""
        out = {
            "step": float(self.step), "held_out": self.held_out, "held_out_L0": self.l0,
            "entropy": self.entropy, "peaks": float(self.peaks),
        }  # fmt: skip
        if self.agreement is not None and self.f1 is not None:
            out |= {"agreement": self.agreement, "f1": self.f1}
        return out

    def shown(self) -> dict[str, Any]:
        """The figures, and S if there is one, as values of `Progress`."""
        return self.figures() if self.s is None else {**self.figures(), "s": self.s}

    @classmethod
    def of_figures(cls, figures: Mapping[str, float]) -> Validation:
        """Of a saved state."""
        return cls(
            int(figures["step"]), figures["held_out"], figures["held_out_L0"], figures["entropy"],
            int(figures["peaks"]), figures.get("agreement"), figures.get("f1"),
        )  # fmt: skip


class Validator:
    """Validates networks, all on the same held-out patches and the same field.

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
        #: Row and column at which the validated part of the field begins [network px].
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
        """Simulated batches and experimental patches, made at the first validation: the first step does not wait."""
        generator = torch.Generator().manual_seed(self.config.seed + 1_000_003)
        device = self.patches.device
        simulated = [self.recipe.held_out(generator, device) for _ in range(3)]
        number = max(2, 4 // self.recipe.patches)  # four patches at least
        return simulated, [self.patches.draw(generator) for _ in range(number)]

    @torch.no_grad()
    @full_precision()
    def validate(self, network: nn.Module, step: int) -> Validation:
        """Held-out losses, peaks and agreement of the network of a step; with `config.preview` S over the field."""
        training = network.training
        network.eval()
        simulated, experimental = self.held_out
        l0 = float(np.mean([self.recipe.loss(network, batch)[0].item() for batch in simulated]))
        uncertain = torch.cat([entropy(network(maps, k, mask).s, mask) for maps, k, mask in experimental])
        s = network(*self.field).s[0].float().cpu()
        network.train(training)
        mean = uncertain.mean().item()
        seen = Validation(step, l0 + self.config.alpha * mean, l0, mean, *self._count(s))
        return replace(seen, s=self._on_the_stack(s)) if self.config.preview else seen

    def _count(self, s: Tensor) -> tuple[int, float | None, float | None]:
        """Peaks above the threshold and, with a reference, the share of its points with one within 1 px, and F1."""
        positions, _ = peaks(s)
        probability = self.parent.probability(s.numpy())[positions[:, 0], positions[:, 1]]
        known = self.sample.mask[self._window].numpy() > 0
        sure = (probability >= self.parent.threshold) & known[positions[:, 0], positions[:, 1]]
        first = np.array(self.first)
        found = positions[sure] + first
        if self.reference is None:
            return len(found), None, None
        inside = (self.reference >= first - 0.5) & (self.reference < first + np.array(s.shape) - 0.5)
        truth = self.reference[inside.all(axis=1)]
        pairs = len(match(found, truth, float(np.mean(self.sample.zoom))))
        return len(found), pairs / max(len(truth), 1), 2 * pairs / max(len(found) + len(truth), 1)

    def _on_the_stack(self, s: Tensor) -> np.ndarray:
        """S at the stack's own pixels, shape `sample.shape`; NaN outside the validated part."""
        rows, columns = np.indices(self.sample.shape)
        pixels = np.stack([rows, columns], axis=-1).reshape(-1, 2) + self.sample.origin
        at = self.sample.to_network(pixels) - self.first
        values = map_coordinates(s.numpy(), at.T, order=1, mode="constant", cval=np.nan)
        field: np.ndarray = values.reshape(self.sample.shape).astype(np.float32)
        return field


@dataclass
class History:
    """All validations of a run, and the weights of the best one.

    Parameters
    ----------
    best : dict
        Weights to keep until the first validation.
    validations : list of Validation
    best_index : int
        Index of the validation with the lowest held-out loss; −1 before the first.
    """

    best: dict[str, Tensor]
    validations: list[Validation] = field(default_factory=list)
    best_index: int = -1
    warned: bool = False

    def add(self, seen: Validation, network: nn.Module) -> None:
        """Note a validation, keep the weights if it is the best so far, and warn if the peaks are vanishing."""
        least = self.validations[self.best_index].held_out if self.validations else math.inf
        if not self.validations or seen.held_out < least:
            self.best_index = len(self.validations)
            self.best = weights(network)
        self.validations.append(replace(seen, s=None))  # one is shown, and not kept
        self._warn_of_collapse()

    def exhausted(self, patience: int) -> bool:
        """Whether the last `patience` validations were no better than the best."""
        return len(self.validations) - 1 - self.best_index >= patience

    @property
    def best_step(self) -> int:
        """Step of the best validation; 0 before the first."""
        return self.validations[self.best_index].step if self.validations else 0

    def _warn_of_collapse(self) -> None:
        before, now = self.validations[0].peaks, self.validations[-1].peaks
        if before >= 4 and now < before / 2 and not self.warned:
            self.warned = True
            warnings.warn(
                f"The number of impurities found on the sample fell from {before} to {now} during fine-tuning: "
                "the entropy may be sinking by fewer peaks instead of surer ones. Lower α or the learning rate.",
                FriedelWarning,
                stacklevel=3,
            )


def weights(network: nn.Module) -> dict[str, Tensor]:
    """Copy a network's state."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
