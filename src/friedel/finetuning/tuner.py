"""Fine-tuning on the opened sample: L = L₀ + α·L_reg (arXiv 2006.15898, Eq. 4), and points the user has corrected.

L₀ is the recipe's own loss on simulated patches with the sample's dispersion, pixel and noise; L_reg is the entropy
of the prediction on patches of the sample itself. A held-out set of both decides which state is the best: entropy
alone could be lowered by one sharp peak everywhere, and the simulated half of the set sees that.
"""

from __future__ import annotations

import copy
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from friedel._util.arguments import instance_of, path_of
from friedel._util.torch_defaults import with_torch_defaults
from friedel.errors import ModelError
from friedel.finetuning.config import FineTuneConfig
from friedel.finetuning.patches import Corrections, SamplePatches
from friedel.finetuning.sample import model_sample
from friedel.finetuning.sample_recipes import sample_recipe
from friedel.finetuning.state import check_state, saved_history, tuned_header
from friedel.finetuning.validation import History, Validation, Validator, weights
from friedel.models.calibration import linear_logit
from friedel.models.model import mixed_precision
from friedel.models.registry import Model, load_model, resolve_device
from friedel.progress import Progress, drain
from friedel.scoring.matching import as_points
from friedel.training.adam import Adam
from friedel.training.checkpoint import Keeper, MovingParts, reading_checkpoint, write_checkpoint
from friedel.training.interrupts import Interrupts
from friedel.training.losses import correction_loss, regulariser, sharpness, total_loss

if TYPE_CHECKING:
    import os
    from collections.abc import Generator

    import xarray as xr

    from friedel.physics.dispersion import Dispersion
    from friedel.stack import Area

__all__ = ["FineTuneConfig", "FineTuner", "fine_tune", "iter_fine_tune"]


class FineTuner:
    """A fine-tuning that can be stopped, resumed, previewed and saved after every step.

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

    @with_torch_defaults
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
        given = FineTuneConfig() if config is None else config
        c = self.config = instance_of(given, FineTuneConfig, "config", "a FineTuneConfig")
        self.device = resolve_device(self.config.device)
        self.parent = load_model(model, self.device)  # a `Model` is moved there
        sample = model_sample(self.parent, stack, dispersion, channel=channel, area=area)
        self.recipe = sample_recipe(self.parent, sample, batch=c.batch, voltages=c.voltages, noise=c.noise)
        self.sample = sample
        self.autosave = None if autosave is None else path_of(autosave, "autosave")
        self.network = copy.deepcopy(self.parent.network).to(self.device).train().requires_grad_(True)
        self.optimizer = Adam(self.network.parameters())
        self.generator = torch.Generator().manual_seed(self.config.seed)
        self.step = 0
        self.history = History(weights(self.network))
        self.patches = SamplePatches(self.recipe, self.device)
        known = None if reference is None else sample.to_network(as_points(reference, "reference points"))
        self.validator = Validator(self.parent, sample, self.patches, self.config, known)
        self.corrections = Corrections.of(sample, self.config.added, self.config.removed)

    @property
    def validations(self) -> list[Validation]:
        """All so far; the first is the parent's."""
        return self.history.validations

    @property
    def looks(self) -> list[dict[str, float]]:
        """`validations` as version 0.1 gave them."""
        return [one.figures() for one in self.validations]

    # -- running -----------------------------------------------------------------------------------------------

    @with_torch_defaults
    def run(self) -> Generator[Progress, None, Model]:
        """Train; closing the generator keeps the state, and a new ``run()`` resumes it.

        Ctrl-C and SIGTERM wait for the end of a step and write the autosave.

        Yields
        ------
        Progress
            After every step; `values` has ``L0``, ``step``, where α > 0 ``L_reg`` (nat) and ``sharpness``, with
            corrected points ``L_points``, and after a validation ``held_out``, ``entropy`` (of held-out patches of the
            sample), ``peaks`` and, with a reference, ``agreement`` (share of its points with a peak within 1 px) and
            ``f1``.

        Returns
        -------
        Model
            The best state; see `best`.

        Raises
        ------
        ModelError
            If the loss is not a number any more; the best state is still there.
        """
        keeper = Keeper(self.autosave, self.autosave_seconds, self._content)
        with Interrupts() as interrupts:
            try:
                while self.step < self.config.steps and not self.history.exhausted(self.config.patience):
                    with interrupts.step():
                        values = self._train_step()
                        self.step += 1
                    if not self.validations and self._validation_due():
                        yield self._progress(values)  # at once; the validation takes a second
                    with interrupts.step():
                        values |= self._validate_if_due()
                        keeper.keep()
                    if interrupts.pending:
                        raise KeyboardInterrupt
                    yield self._progress(values)
            except (GeneratorExit, KeyboardInterrupt):
                # Who closes the generator has the state at hand; who interrupts the program has only the file.
                if interrupts.pending:
                    keeper.keep(now=True)
                raise
        keeper.keep(now=True)
        return self.best()

    def _validation_due(self) -> bool:
        return self.step in (1, self.config.steps) or self.step % self.config.check_every == 0

    def _validate_if_due(self) -> dict[str, Any]:
        """Validate the parent once, and the network every `check_every` steps; the figures to show."""
        if not self._validation_due():
            return {}
        values: dict[str, Any] = {}
        if not self.validations:
            seen = self._validate(self.parent.network, 0)
            # After one step at a tenth of the learning rate the parent's figures still hold.
            values = seen if self.step < self.config.steps else {}
        if self.step > 1 or self.step == self.config.steps:
            values = self._validate(self.network, self.step)
        return values

    def _progress(self, values: dict[str, Any]) -> Progress:
        epoch = min(self.config.epochs, 1 + (max(self.step, 1) - 1) // self.config.steps_per_epoch)
        text = f"epoch {epoch} of {self.config.epochs}"
        return Progress(self.step / self.config.steps, text, {**values, "step": self.step})

    def _train_step(self) -> dict[str, Any]:
        config, recipe = self.config, self.recipe
        rate = config.learning_rate * min(1.0, (self.step + 1) / 10)
        with mixed_precision(self.device):
            l0, _ = recipe.loss(self.network, recipe.batch(self.generator, self.device))
            # Drawn whatever α is, so that runs of one seed see the same simulated patches.
            maps, k, mask = self.patches.draw(self.generator)
            loss, values = l0, {"L0": l0.item()}
            if config.alpha > 0:
                s = self.network(maps, k, mask).s
                l_reg = regulariser(s, mask)
                loss = total_loss(l0, l_reg, config.alpha)
                values |= {"L_reg": l_reg.item(), "sharpness": sharpness(s.detach(), mask).mean().item()}
            if self.corrections is not None:
                l_points = self._correction_loss(self.corrections)
                loss = loss + config.correction_weight * l_points
                values["L_points"] = l_points.item()
        if not torch.isfinite(loss):
            self._diverged()
        self.optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        if not torch.isfinite(norm):
            self._diverged()
        self.optimizer.step(rate)
        return values

    def _correction_loss(self, corrections: Corrections) -> Tensor:
        (maps, k, mask), wanted = corrections.draw(self.patches, self.generator)
        logits = linear_logit(self.network(maps, k, mask).s, self.parent.header.get("calibration", {}))
        return correction_loss(logits, wanted)

    def _diverged(self) -> None:
        raise ModelError(
            f"The fine-tuning diverged at step {self.step} (the loss is not a number). The best state, of step "
            f"{self.history.best_step}, is kept; start again with a lower learning rate."
        )

    def _validate(self, network: nn.Module, step: int) -> dict[str, Any]:
        seen = self.validator.validate(network, step)
        self.history.add(seen, network)
        return seen.shown()

    # -- results -----------------------------------------------------------------------------------------------

    def best(self) -> Model:
        """Give the best state so far as a `Model` of its own; before the first validation that is the parent's."""
        network = copy.deepcopy(self.network)
        network.load_state_dict(self.history.best)
        network.eval().requires_grad_(False)
        seen = [one.figures() for one in self.validations] or [{}]
        done = {
            "noise_used": round(self.recipe.noise, 4),
            "steps_done": self.step,
            "before": seen[0],
            "after": seen[self.history.best_index],
        }
        header = tuned_header(self.parent, self.sample, self.config, done)
        return Model(network, header, f"{self.parent.name} fine-tuned")

    def save_state(self, path: str | os.PathLike[str]) -> None:
        """Write everything needed to go on, beside `path`, then rename.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        write_checkpoint(path, self._content())

    def _content(self) -> dict[str, Any]:
        return {
            **self._parts().state(),
            "parent": self.parent.sha256,
            "config": asdict(self.config),
            "sample": self.sample.provenance,
            "best": self.history.best,
            "best_index": self.history.best_index,
            "step": self.step,
            "validations": [one.figures() for one in self.validations],
        }

    def restore(self, path: str | os.PathLike[str]) -> FineTuner:
        """Go on from a file of `save_state`, of the same parent, sample and settings.

        The length (`epochs`, `patience`), the device and the preview may be others.

        Raises
        ------
        ModelError
            If the file is damaged or belongs to another parent, sample or settings.
        """
        with reading_checkpoint(path, self.device, "saved fine-tuning") as content:
            check_state(content, path, self.parent, self.sample, self.config)
            self._parts().load(content)
            self.history = saved_history(content)
            self.step = int(content["step"])
        return self

    def _parts(self) -> MovingParts:
        return MovingParts(self.network, self.optimizer, self.generator)


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
