"""A training between its steps: where it begins, one step after another, what is kept and what comes out."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import friedel
from friedel._util.malloc import keep_freed_memory
from friedel._util.work import HERE, Work, process_pool
from friedel.errors import ModelError
from friedel.models.model import Model, mixed_precision
from friedel.progress import Progress
from friedel.training.batches import batches
from friedel.training.checkpoint import Keeper, MovingParts, different_settings, reading_checkpoint
from friedel.training.curve import Curve
from friedel.training.parallel import Group, describe
from friedel.training.trained import save_trained

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from friedel.training.interrupts import Interrupts
    from friedel.training.recipe import Recipe
    from friedel.training.train_config import TrainConfig


@dataclass
class State:
    """What a checkpoint holds beside the moving parts.

    Parameters
    ----------
    step : int
    seconds : float
        Time trained.
    curve : list of dict
    ancestor : dict
        Name and SHA-256 of the model whose weights the training began with.
    runs : list of dict
        One per start of the program that did a step: the first step, the length asked for, and where it ran.
    """

    step: int = 0
    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)
    ancestor: dict[str, str] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)


def schedule(done: float, warm_up: float = 0.02, end: float = 0.01) -> float:
    """Learning rate over its peak: a linear rise, then half a cosine down to `end`, for `done` from 0 to 1."""
    if done < warm_up:
        return (done + 1e-3) / (warm_up + 1e-3)
    return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, (done - warm_up) / (1 - warm_up))))


@contextmanager
def _work(workers: int) -> Iterator[Work]:
    """The processes that made scenes are gone; as many others work out the calibration."""
    if not workers:
        yield HERE
        return
    with process_pool(workers) as pool:
        yield Work(pool, ahead=2 * workers)


class Trainer:
    """A training between its steps."""

    def __init__(self, recipe: Recipe, config: TrainConfig, ours: Group, kept: Path) -> None:
        self.recipe, self.config, self.group, self.kept = recipe, config, ours, kept
        keep_freed_memory()
        torch.manual_seed(config.seed)
        network = recipe.make_network().to(ours.device).train()
        optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=getattr(recipe, "learning_rate", 2e-3),
            weight_decay=getattr(recipe, "weight_decay", 1e-4),
        )
        self.optimizer = optimizer
        self.peak_rate = optimizer.param_groups[0]["lr"]
        decay = getattr(recipe, "average", 0.0)
        average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay)) if decay else None
        self.parts = MovingParts(network, optimizer, torch.Generator().manual_seed(config.seed), average)
        self.state = State()
        self.keeper = Keeper(kept if ours.writes else None, config.save_every, self._content)

    # -- where it begins ---------------------------------------------------------------------------------------

    def inherit(self, model: Model) -> None:
        """Begin with the weights of a model."""
        wanted = self.recipe.header()["architecture"]
        try:
            if wanted != model.header["architecture"]:
                raise RuntimeError
            self.parts.network.load_state_dict(model.network.state_dict())
        except RuntimeError:
            raise ModelError(
                f"The training cannot begin with {model.name!r}: its network ({model.header['architecture']}) is not "
                f"the one that the recipe {self.recipe.name!r} trains. Choose another model or recipe."
            ) from None
        if self.parts.average is not None:
            self.parts.average.module.load_state_dict(self.parts.network.state_dict())
        self.state.ancestor = {"name": model.name, "sha256": model.sha256}

    def load(self) -> None:
        """Go on from the checkpoint, if it is of this recipe, these settings, this seed and this parent."""
        with reading_checkpoint(self.kept, self.group.device, "checkpoint") as content:
            self._compare(content)
            self.parts.load(content)
            self.state.step, self.state.seconds = int(content["step"]), float(content["seconds"])
            self.state.curve = list(content.get("curve", []))
            self.state.ancestor = dict(content.get("ancestor") or self.state.ancestor)
            # Files of version 0.1 know the latest machine only.
            machine = content.get("machine")
            self.state.runs = list(content.get("runs") or ([{"step": 0, **machine}] if machine else []))

    def _compare(self, content: dict[str, Any]) -> None:
        name, seed = self.recipe.name, self.config.seed
        if (content["recipe"], content["seed"]) != (name, seed):
            raise ModelError(
                f"{self.kept} belongs to the recipe {content['recipe']!r} with seed {content['seed']}, "
                f"not to {name!r} with seed {seed}."
            )
        given, kept = self.state.ancestor, content.get("ancestor") or {}
        if given and given["sha256"] != kept.get("sha256"):
            raise ModelError(f"{self.kept} did not begin with this model; resume it without naming one.")
        if other := different_settings(content.get("settings") or {}, self.recipe.header()):
            raise ModelError(
                f"{self.kept} was trained with other settings ({'; '.join(other)}). Resume it with the same ones, "
                "or begin a new training."
            )

    def _content(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe.name,
            "seed": self.config.seed,
            "settings": self.recipe.header(),
            **asdict(self.state),
            **self.parts.state(),
        }

    # -- steps -------------------------------------------------------------------------------------------------

    def run(self, interrupts: Interrupts) -> Generator[Progress, None, None]:
        """Train to the end; the state is kept however this ends, unless by an error."""
        self.group.same_weights(self.parts.network)
        run = {
            "step": self.state.step,
            **self.config.length,
            **describe(self.group, self.config.workers),
        }
        # Several processes draw from seeds of their own, which any number of them can make anew.
        if self.group.size > 1:
            self.parts.generator.manual_seed(self.group.seed(self.config.seed, self.state.step))
        stream = batches(self.recipe, self.parts.generator, self.group.device, self.config.workers)
        curve = Curve(self.state.curve)
        clock = time.monotonic()
        try:
            while (done := self._done()) < 1:
                with interrupts.step():
                    rate = self.peak_rate * schedule(done)
                    figures = self._step(stream, rate)
                    now = time.monotonic()
                    self.state.seconds, clock = self.state.seconds + now - clock, now
                    self.state.step += 1
                    if not self.state.runs or self.state.runs[-1] is not run:
                        self.state.runs.append(run)
                    curve.add(self.state.step, self.state.seconds, {**figures, "lr": rate})
                    stop = self.group.any(interrupts.pending)
                    self.keeper.keep()
                if stop:
                    raise KeyboardInterrupt
                values = {**figures, "step": self.state.step, "lr": rate}
                yield Progress(min(1.0, self._done()), f"step {self.state.step}", values)
                clock = time.monotonic()  # what the caller does in between is not training
        except (GeneratorExit, KeyboardInterrupt):
            if self.state.step:
                self.keeper.keep(now=True)
            raise
        finally:
            stream.close()  # the workers' processors are needed for what follows
        self.keeper.keep(now=True)

    def _done(self) -> float:
        return self.config.done(self.state.step, self.group.first(self.state.seconds))

    def _step(self, stream: Iterator[Any], rate: float) -> dict[str, float]:
        """One step of the optimiser; the recipe's figures."""
        network, optimizer = self.parts.network, self.optimizer
        for entry in optimizer.param_groups:
            entry["lr"] = rate
        if self.group.size > 1 and not self.config.workers:
            self.parts.generator.manual_seed(self.group.seed(self.config.seed, self.state.step))
        batch = next(stream)
        with mixed_precision(self.group.device):
            loss, values = self.recipe.loss(network, batch)
        figures = {"loss": loss.item(), **values}
        figures = dict(zip(figures, self.group.mean(list(figures.values())), strict=True))
        if not math.isfinite(figures["loss"]):
            raise ModelError(
                f"The training diverged at step {self.state.step} (the loss is not a number); "
                "lower the learning rate."
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.group.average_gradients(network.parameters())
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if self.parts.average is not None:
            self.parts.average.update_parameters(network)
        return figures

    # -- the end -----------------------------------------------------------------------------------------------

    def save(self, target: Path) -> None:
        """Calibrate, and write the model and its curve."""
        average = self.parts.average
        network = self.parts.network if average is None else average.module
        network.eval()
        calibrate = getattr(self.recipe, "calibrate", None)
        extra: dict[str, Any] = {}
        if calibrate is not None:
            with _work(self.config.workers) as work:
                extra = calibrate(network, self.group.device, work)
        save_trained(target, network, self._header() | extra)
        Curve(self.state.curve).write(target.with_suffix(".curve.csv"))

    def _header(self) -> dict[str, Any]:
        runs = self.state.runs
        latest = runs[-1] if runs else describe(self.group, self.config.workers)
        header: dict[str, Any] = {
            "recipe": self.recipe.name,
            "seed": self.config.seed,
            "steps": self.state.step,
            "minutes": round(self.state.seconds / 60, 2),
            **{
                name: latest[name] for name in ("device", "threads", "workers", "processes") if name in latest
            },
            "runs": runs,
            "version": friedel.__version__,
            "torch": str(torch.__version__),
            **self.recipe.header(),
        }
        if self.state.ancestor:
            header["initialised_from"] = self.state.ancestor
        return header
