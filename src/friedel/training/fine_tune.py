"""Fine-tuning on the opened sample: L = L₀ + α·L_reg (arXiv 2006.15898, Eq. 4), and points the user has corrected.

L₀ is the recipe's own loss on simulated patches with the sample's dispersion, pixel and noise; L_reg is the entropy
of the prediction on patches of the sample itself. A held-out set of both decides which state is the best: entropy
alone could be lowered by one sharp peak everywhere, and the simulated half of the set sees that.

`FineTuner` holds the state between steps, so that a run can be cancelled, resumed, previewed and saved at any step;
`iter_fine_tune` is the plain generator.
"""

from __future__ import annotations

import copy
import math
import os
import time
import warnings
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

import friedel
from friedel.atomic import write_beside
from friedel.errors import FriedelWarning, ModelError
from friedel.matching import match
from friedel.models.calibration import linear_logit
from friedel.models.registry import Model, load_model, resolve_device
from friedel.physics.dispersion import Dispersion
from friedel.progress import Progress, drain
from friedel.stack import Area
from friedel.training.calibrate import peaks
from friedel.training.losses import correction_loss, entropy, regulariser, sharpness, total_loss
from friedel.training.patches import symmetry
from friedel.training.sample import prepare_sample
from friedel.training.sample_recipes import sample_recipe

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class FineTuneConfig:
    """Settings of a fine-tuning.

    Parameters
    ----------
    alpha : float
        Weight α of L_reg; 0 gives plain L₀. The paper's value is 0.03.
    learning_rate : float
        Of Adam; constant after a short rise.
    epochs, steps_per_epoch : int
        Length of the run.
    batch : int
        Patches of 20×20 pixels a step, simulated and experimental each.
    voltages : int
        Voltages a step sees.
    noise : float or None
        η of the simulated patches; measured on the sample if None.
    seed : int
    device : str
    added, removed : tuple of (row, column)
        Points of the stack [px] that the user says are impurities, or are none.
    correction_weight : float
        Weight of the corrected points' loss.
    check_every : int
        Steps between two looks at the held-out set, the whole field and the reference.
    patience : int
        Looks without a better held-out loss after which the run stops.
    preview : bool
        Whether a look also yields S over the field (``values["s"]``).
    """

    alpha: float = 0.03
    learning_rate: float = 3e-4
    epochs: int = 10
    steps_per_epoch: int = 50
    batch: int = 16
    voltages: int = 16
    noise: float | None = None
    seed: int = 0
    device: str = "auto"
    added: Points = ()
    removed: Points = ()
    correction_weight: float = 1.0
    check_every: int = 25
    patience: int = 8
    preview: bool = False

    def __post_init__(self) -> None:
        positive = (
            "learning_rate",
            "epochs",
            "steps_per_epoch",
            "batch",
            "voltages",
            "check_every",
            "patience",
        )
        for name in positive:
            if not getattr(self, name) > 0:
                raise ModelError(f"Fine-tuning: {name} must be greater than 0, not {getattr(self, name)}.")
        for name in ("alpha", "correction_weight", *(["noise"] if self.noise is not None else [])):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ModelError(f"Fine-tuning: {name} must be 0 or greater, not {value}.")

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.steps_per_epoch


class FineTuner:
    """A fine-tuning that can be stopped, resumed and looked at after every step.

    Parameters
    ----------
    model : Model, str or path
        The parent; it is not changed.
    stack : xarray.Dataset
    config : FineTuneConfig
    dispersion : Dispersion or str
        The sample's surface band.
    reference : array, shape (n, 2), optional
        Row and column of known impurities [px of the stack], for the curve of agreement only.
    channel, area : optional
        What of the stack to use.
    autosave : path, optional
        A file to which the state is written every few seconds; `restore` reads it.
    """

    autosave_seconds = 5.0

    def __init__(
        self,
        model: Model | str | os.PathLike[str],
        stack: xr.Dataset,
        config: FineTuneConfig | None = None,
        *,
        dispersion: Dispersion | str | None = None,
        reference: Any = None,
        channel: str | None = None,
        area: Area | None = None,
        autosave: str | os.PathLike[str] | None = None,
    ) -> None:
        self.config = config or FineTuneConfig()
        self.device = resolve_device(self.config.device)
        self.parent = model if isinstance(model, Model) else load_model(model, self.device)
        sample = prepare_sample(stack, self.parent.k_range, dispersion, channel=channel, area=area)
        self.recipe = sample_recipe(
            self.parent,
            sample,
            batch=self.config.batch,
            voltages=self.config.voltages,
            noise=self.config.noise,
        )
        self.sample = sample
        self.reference = None if reference is None else sample.to_network(reference)
        self.autosave = None if autosave is None else Path(autosave)
        self.network = copy.deepcopy(self.parent.network).to(self.device).train().requires_grad_(True)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate)
        self.generator = torch.Generator().manual_seed(self.config.seed)
        self.step = 0
        self.looks: list[dict[str, float]] = []  # one a look: step, held-out figures, peaks, agreement
        self._best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self._best_look = -1
        self._held_out = self._make_held_out()
        self._corrections = self._make_corrections()
        self._probe = self._make_probe()
        self._warned = False

    # -- running -----------------------------------------------------------------------------------------------

    def run(self) -> Generator[Progress, None, Model]:
        """Train; closing the generator keeps the state, and a new ``run()`` resumes it.

        Yields
        ------
        Progress
            After every step; `values` has ``L0``, ``L_reg`` (nat), ``sharpness``, ``step``, with corrected points
            ``L_points``, and after a look ``held_out``, ``entropy`` (of the held-out experimental patches),
            ``peaks`` and, with a reference, ``agreement`` (share of its points with a peak within 1 px) and ``f1``.

        Returns
        -------
        Model
            The best state; see `best`.

        Raises
        ------
        ModelError
            If the loss is not a number any more; the best state is still there.
        """
        config, saved = self.config, time.monotonic()
        while self.step < config.steps and not self._exhausted():
            values = self._train_step()
            self.step += 1
            if self.step == 1 or self.step % config.check_every == 0 or self.step == config.steps:
                if not self.looks:
                    yield self._progress(
                        values
                    )  # the first figures at once; the look behind them takes a second
                    self._look(self.parent.network, 0)
                values |= self._look(self.network, self.step)
            if self.autosave is not None and time.monotonic() - saved > self.autosave_seconds:
                self.save_state(self.autosave)
                saved = time.monotonic()
            yield self._progress(values)
        if self.autosave is not None:
            self.save_state(self.autosave)
        return self.best()

    def _progress(self, values: dict[str, Any]) -> Progress:
        epoch = min(self.config.epochs, 1 + (max(self.step, 1) - 1) // self.config.steps_per_epoch)
        return Progress(
            self.step / self.config.steps,
            f"epoch {epoch} of {self.config.epochs}",
            {**values, "step": self.step},
        )

    def _train_step(self) -> dict[str, Any]:
        config, recipe = self.config, self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * min(1.0, (self.step + 1) / 10)
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=self.device.type == "cuda"):
            l0, _ = recipe.loss(self.network, recipe.batch(self.generator, self.device))
            if config.alpha > 0:
                loss, l_reg, sharp = self._regularised(l0)
            else:
                with torch.no_grad():  # for the curve; it must not touch the training
                    _, l_reg, sharp = self._regularised(l0)
                loss = l0
            values = {"L0": l0.item(), "L_reg": l_reg.item(), "sharpness": sharp}
            if self._corrections is not None:
                l_points = self._correction_loss()
                loss = loss + config.correction_weight * l_points
                values["L_points"] = l_points.item()
        if not torch.isfinite(loss):
            self._diverged()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        if not torch.isfinite(norm):
            self._diverged()
        self.optimizer.step()
        return values

    def _regularised(self, l0: Tensor) -> tuple[Tensor, Tensor, float]:
        maps, k, mask = self._experimental_patches(self.generator)
        s = self.network(maps, k, mask).s
        l_reg = regulariser(s, mask)
        return total_loss(l0, l_reg, self.config.alpha), l_reg, sharpness(s.detach(), mask).mean().item()

    def _diverged(self) -> None:
        best = max(0, int(self.looks[self._best_look]["step"])) if self.looks else 0
        raise ModelError(
            f"The fine-tuning diverged at step {self.step} (the loss is not a number). The best state, of step {best}, "
            "is kept; start again with a lower learning rate."
        )

    def _exhausted(self) -> bool:
        return len(self.looks) - 1 - self._best_look >= self.config.patience

    # -- patches -----------------------------------------------------------------------------------------------

    def _voltages(self, generator: torch.Generator) -> Tensor:
        order = torch.randperm(len(self.recipe.sample.k), generator=generator)
        return order[: self.recipe.voltages].sort().values

    def _experimental_patches(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        recipe = self.recipe
        corners = recipe.sample.random_corners(recipe.patches, recipe.patch, generator)
        return self._cut(corners, self._turns(len(corners), generator), self._voltages(generator))

    def _turns(self, number: int, generator: torch.Generator) -> Tensor:
        rows, columns = self.sample.mask.shape
        turns = torch.randint(0, 8, (number,), generator=generator)
        if min(rows, columns) < self.recipe.patch and rows != columns:
            turns = turns // 4 * 0 + turns % 2 * 2  # a patch that is not square may only turn by half
        return turns

    def _cut(self, corners: Tensor, turns: Tensor, voltages: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = self.recipe.sample.patches(corners, self.recipe.patch, voltages, turns)
        maps, k, mask = (part.to(self.device) for part in parts)
        return maps, k, mask

    def _make_held_out(self) -> tuple[list[Any], list[tuple[Tensor, Tensor, Tensor]]]:
        generator = torch.Generator().manual_seed(self.config.seed + 1_000_003)
        simulated = [self.recipe.batch(generator, self.device) for _ in range(4)]
        return simulated, [self._experimental_patches(generator) for _ in range(2)]

    # -- corrected points --------------------------------------------------------------------------------------

    def _make_corrections(self) -> tuple[Tensor, Tensor] | None:
        """Corrected points [network px] inside the field, and a map of targets: 1, 0, NaN where nothing is known."""
        sample, config = self.sample, self.config
        target = torch.full(tuple(sample.mask.shape), float("nan"))
        points = []
        for given, value in ((config.removed, 0.0), (config.added, 1.0)):
            for row, column in np.rint(sample.to_network(given)).astype(int):
                if 0 <= row < target.shape[0] and 0 <= column < target.shape[1]:
                    target[row, column] = value
                    points.append((int(row), int(column)))
        return (torch.tensor(points), target) if points else None

    def _correction_loss(self) -> Tensor:
        assert self._corrections is not None
        points, target = self._corrections
        size, generator = self.recipe.patch, self.generator
        number = min(self.recipe.patches, max(2, len(points)))
        chosen = points[torch.randint(0, len(points), (number,), generator=generator)]
        shift = (torch.rand(number, 2, generator=generator) * size).long()
        limits = torch.tensor([max(0, side - size) for side in target.shape])
        corners = (chosen - shift).clamp(min=torch.zeros(2, dtype=torch.long), max=limits)
        turns = self._turns(number, generator)
        maps, k, mask = self._cut(corners, turns, self._voltages(generator))
        wanted = torch.stack([
            symmetry(target[r : r + size, c : c + size], turn)
            for (r, c), turn in zip(corners.tolist(), turns.tolist(), strict=True)
        ])  # fmt: skip
        logits = linear_logit(self.network(maps, k, mask).s, self.parent.header.get("calibration", {}))
        return correction_loss(logits, wanted.to(self.device))

    # -- looking -----------------------------------------------------------------------------------------------

    def _make_probe(self) -> tuple[Tensor, Tensor, Tensor, tuple[int, int]]:
        """The field, or its middle where it is large, for counting peaks; and where it begins."""
        sample = self.recipe.sample
        first = tuple(max(0, (side - 96) // 2) for side in sample.mask.shape)
        window = (..., slice(first[0], first[0] + 96), slice(first[1], first[1] + 96))
        return (
            sample.maps[window][None].to(self.device),
            sample.k[None].to(self.device),
            sample.mask[window][None].to(self.device),
            (first[0], first[1]),
        )

    @torch.no_grad()
    def _look(self, network: nn.Module, step: int) -> dict[str, Any]:
        """Held-out losses, peaks and agreement of a network; keeps it if it is the best so far."""
        training = network.training
        network.eval()
        simulated, experimental = self._held_out
        l0 = float(np.mean([self.recipe.loss(network, batch)[0].item() for batch in simulated]))
        uncertain = torch.cat([entropy(network(maps, k, mask).s, mask) for maps, k, mask in experimental])
        maps, k, mask, first = self._probe
        s = network(maps, k, mask).s[0].float().cpu()
        network.train(training)
        values: dict[str, Any] = {
            "held_out": l0 + self.config.alpha * uncertain.mean().item(),
            "held_out_L0": l0,
            "entropy": uncertain.mean().item(),
            **self._count(s, first),
        }
        if not self.looks or values["held_out"] < self.looks[self._best_look]["held_out"]:
            self._best_look = len(self.looks)
            self._best = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.looks.append({"step": float(step), **values})
        self._warn_of_collapse(values["peaks"])
        if self.config.preview:
            values["s"] = self._on_the_stack(s, first)
        return values

    def _count(self, s: Tensor, first: tuple[int, int]) -> dict[str, float]:
        positions, _ = peaks(s)
        probability = self.parent.probability(s.numpy())[positions[:, 0], positions[:, 1]]
        known = (
            self.sample.mask[first[0] : first[0] + s.shape[0], first[1] : first[1] + s.shape[1]].numpy() > 0
        )
        sure = (probability >= self.parent.threshold) & known[positions[:, 0], positions[:, 1]]
        found = positions[sure] + np.array(first)
        counted = {"peaks": float(len(found))}
        if self.reference is not None:
            inside = (
                (self.reference >= np.array(first) - 0.5) & (self.reference < np.array(first) + s.shape - 0.5)
            ).all(1)  # type: ignore[operator]
            truth = self.reference[inside]
            pairs = len(match(found, truth, float(np.mean(self.sample.zoom))))
            counted["agreement"] = pairs / max(len(truth), 1)
            counted["f1"] = 2 * pairs / max(len(found) + len(truth), 1)
        return counted

    def _warn_of_collapse(self, now: float) -> None:
        before = self.looks[0]["peaks"]
        if before >= 4 and now < before / 2 and not self._warned:
            self._warned = True
            warnings.warn(
                f"The number of impurities found on the sample fell from {before:.0f} to {now:.0f} during fine-tuning: "
                "the entropy may be sinking by fewer peaks instead of surer ones. Lower α or the learning rate.",
                FriedelWarning,
                stacklevel=3,
            )

    def _on_the_stack(self, s: Tensor, first: tuple[int, int]) -> np.ndarray:
        """S at the stack's own pixels, shape `sample.shape`; NaN outside the part that was looked at."""
        from scipy.ndimage import map_coordinates

        rows, columns = np.indices(self.sample.shape)
        at = (
            self.sample.to_network(np.stack([rows, columns], axis=-1).reshape(-1, 2) + self.sample.origin)
            - first
        )
        values = map_coordinates(s.numpy(), at.T, order=1, mode="constant", cval=np.nan)
        return values.reshape(self.sample.shape).astype(np.float32)

    # -- results -----------------------------------------------------------------------------------------------

    def best(self) -> Model:
        """Give the best state so far as a `Model` of its own; before the first look that is the parent's."""
        network = copy.deepcopy(self.network)
        network.load_state_dict(self._best)
        network.eval().requires_grad_(False)
        before, now = (self.looks[0], self.looks[self._best_look]) if self.looks else ({}, {})
        header = {
            **self.parent.header,
            "parent": self.parent.sha256,
            "parent_name": self.parent.name,
            "version": friedel.__version__,
            "sample": self.sample.provenance,
            "fine_tune": {
                **asdict(self.config),
                "noise_used": round(self.recipe.noise, 4),
                "steps_done": self.step,
                "before": before,
                "after": now,
            },
        }
        return Model(network, header, f"{self.parent.name} fine-tuned")

    def save_state(self, path: str | os.PathLike[str]) -> None:
        """Write everything needed to go on, beside `path`, then rename."""
        content = {
            "parent": self.parent.sha256,
            "config": asdict(self.config),
            "sample": self.sample.provenance,
            "network": self.network.state_dict(),
            "best": self._best,
            "best_look": self._best_look,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
            "looks": self.looks,
        }
        with write_beside(path) as beside:
            torch.save(content, beside)

    def restore(self, path: str | os.PathLike[str]) -> FineTuner:
        """Go on from a file of `save_state`, of the same parent and sample.

        Raises
        ------
        ModelError
            If the file is damaged or belongs to another parent or sample.
        """
        try:
            content = torch.load(path, map_location=self.device, weights_only=True)
            ours = (self.parent.sha256, self.sample.provenance)
            if (content["parent"], content["sample"]) != ours:
                raise ModelError(f"The fine-tuning saved in {path} belongs to another model or sample.")
            self.network.load_state_dict(content["network"])
            self.optimizer.load_state_dict(content["optimizer"])
            self.generator.set_state(content["generator"].cpu())
            self._best, self._best_look = content["best"], int(content["best_look"])
            self.step, self.looks = int(content["step"]), content["looks"]
        except (ModelError, FileNotFoundError):
            raise
        except Exception as error:
            raise ModelError(
                f"The saved fine-tuning {path} is damaged; delete it and start again."
            ) from error
        return self


def iter_fine_tune(
    model: Model | str | os.PathLike[str],
    stack: xr.Dataset,
    config: FineTuneConfig | None = None,
    **options: Any,
) -> Generator[Progress, None, Model]:
    """Fine-tune a model on a stack; see `FineTuner` for the parameters and `FineTuner.run` for what is yielded."""
    return (yield from FineTuner(model, stack, config, **options).run())


def fine_tune(
    model: Model | str | os.PathLike[str],
    stack: xr.Dataset,
    config: FineTuneConfig | None = None,
    **options: Any,
) -> Model:
    """Fine-tune a model on a stack and return the best state; see `FineTuner`."""
    return drain(iter_fine_tune(model, stack, config, **options))
