"""The training loop: any recipe, any device, by steps or by minutes, resumable.

`iter_train` yields `friedel.progress.Progress` after every step. Everything random comes from one generator, so a run
is determined by its seed and number of steps on one device (by minutes it also depends on the machine's speed).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import friedel
from friedel._util.malloc import keep_freed_memory
from friedel.errors import ModelError
from friedel.models.model import mixed_precision
from friedel.models.registry import SUFFIX, Model, load_model, resolve_device, save_model
from friedel.progress import Progress
from friedel.training.batches import batches
from friedel.training.checkpoint import MovingParts, reading_checkpoint, write_checkpoint
from friedel.training.curve import Curve


class Recipe(Protocol):
    """What is trained on what.

    A recipe may also have ``calibrate(network, device) -> dict``, run at the end, whose result is merged into the
    header (`calibration`, `threshold`), and the numbers ``learning_rate``, ``weight_decay`` and ``average`` (decay a
    step of an exponential moving average of the weights; the average is what is kept in the end).
    """

    name: str

    def make_network(self) -> nn.Module:
        """Make a fresh network; torch's global seed is set before."""
        ...

    def batch(self, generator: torch.Generator, device: torch.device) -> Any:
        """Make one batch, random by `generator` only (which lies on the CPU), on `device`."""
        ...

    def loss(self, network: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """Give the loss of one batch and figures to show."""
        ...

    def header(self) -> dict[str, Any]:
        """Give `architecture`, `config`, `k_range` and whatever else belongs into the model's header."""
        ...


@dataclass
class _State:
    """What a checkpoint holds."""

    step: int = 0
    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)
    ancestor: dict[str, str] = field(default_factory=dict)  # name and SHA-256 of the model begun with
    machine: dict[str, Any] = field(default_factory=dict)  # where the latest step was done


def schedule(done: float, warm_up: float = 0.02, end: float = 0.01) -> float:
    """Learning rate over its peak: a linear rise, then half a cosine down to `end`, for `done` from 0 to 1."""
    if done < warm_up:
        return (done + 1e-3) / (warm_up + 1e-3)
    return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, (done - warm_up) / (1 - warm_up))))


def iter_train(
    recipe: Recipe,
    *,
    output: str | os.PathLike[str],
    checkpoint: str | os.PathLike[str] | None = None,
    seed: int = 0,
    device: Any = "auto",
    minutes: float | None = None,
    steps: int | None = None,
    resume: bool = False,
    parent: str | os.PathLike[str] | None = None,
    workers: int = 0,
    save_every: float = 60.0,
) -> Generator[Progress, None, Path]:
    """Train a network and write the model, and its curve beside it (``NAME.curve.csv``).

    Parameters
    ----------
    recipe : Recipe
    output : path
        The model file to write; must not exist.
    checkpoint : path, optional
        Where the unfinished training is kept; ``<output>.checkpoint`` by default. Removed at the end.
    seed : int
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``. On CUDA the network runs in bfloat16 where that is safe.
    minutes, steps : float, int
        How long to train; exactly one of them.
    resume : bool
        Continue from `checkpoint`.
    parent : str or path, optional
        A model of the same architecture and sizes whose weights the training begins with, by name or file.
    workers : int
        Processes that simulate beside this one; 0: this one simulates, too. Resumed with workers, a training goes on
        with other scenes than it would have had.
    save_every : float
        Time between checkpoints [s].

    Yields
    ------
    Progress
        After every step; `values` has the recipe's figures, `loss`, `step` and `lr`.

    Returns
    -------
    pathlib.Path
        The model file.

    Raises
    ------
    ModelError
        If the output exists, the checkpoint does not fit, or the training diverges.
    """
    if (minutes is None) == (steps is None):
        raise ModelError("Say how long to train: either minutes or steps.")
    target = Path(output)
    target = target if target.suffix == SUFFIX else target.with_name(target.name + SUFFIX)
    if target.exists():
        raise ModelError(f"{target} exists already; a model is never overwritten, choose another name.")
    kept = Path(checkpoint) if checkpoint is not None else target.with_suffix(".checkpoint")
    if not resume and kept.exists():
        raise ModelError(
            f"{kept} holds an unfinished training: resume it, or delete that file.", settings="resume"
        )
    target.parent.mkdir(parents=True, exist_ok=True)

    place = resolve_device(device)
    keep_freed_memory()
    torch.manual_seed(seed)
    network = recipe.make_network().to(place)
    ancestor = None if parent is None else _inherit(network, parent, recipe)
    network.train()
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=getattr(recipe, "learning_rate", 2e-3),
        weight_decay=getattr(recipe, "weight_decay", 1e-4),
    )
    decay = getattr(recipe, "average", 0.0)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay)) if decay else None
    peak = optimizer.param_groups[0]["lr"]
    generator = torch.Generator().manual_seed(seed)
    parts = MovingParts(network, optimizer, generator, average)
    owner = {"recipe": recipe.name, "seed": seed}
    if ancestor is not None:
        owner["begun_with"] = ancestor.sha256
    state = _State()
    if ancestor is not None:
        state.ancestor = {"name": ancestor.name, "sha256": ancestor.sha256}
    if resume:
        _load(kept, owner, parts, state, place)
        if state.ancestor:  # also where it was not named again
            owner["begun_with"] = state.ancestor["sha256"]

    here = {"device": place.type, "threads": torch.get_num_threads(), "workers": workers}
    curve = Curve(state.curve)
    stream = batches(recipe, generator, place, workers)

    def done() -> float:
        return state.step / steps if steps is not None else state.seconds / (60 * (minutes or 1e-9))

    last_save, clock = time.monotonic(), time.monotonic()
    try:
        while done() < 1:
            rate = peak * schedule(done())
            for group in optimizer.param_groups:
                group["lr"] = rate
            batch = next(stream)
            with mixed_precision(place):
                loss, values = recipe.loss(network, batch)
            if not torch.isfinite(loss):
                raise ModelError(
                    f"The training diverged at step {state.step} (the loss is not a number); lower the learning rate."
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            if average is not None:
                average.update_parameters(network)
            now = time.monotonic()
            state.seconds, clock = state.seconds + now - clock, now
            state.step, state.machine = state.step + 1, here
            if now - last_save > save_every:
                _save(kept, owner, parts, state)
                last_save = now
            figures = {"loss": loss.item(), **values}
            curve.add(state.step, state.seconds, {**figures, "lr": rate})
            yield Progress(
                min(1.0, done()), f"step {state.step}", {**figures, "step": state.step, "lr": rate}
            )
            clock = time.monotonic()  # what the caller does in between is not training
    except GeneratorExit:
        _save(kept, owner, parts, state)
        raise

    stream.close()  # the workers' processors are needed for what follows
    _save(kept, owner, parts, state)
    if average is not None:
        network = average.module
    network.eval()
    extra = {}
    if hasattr(recipe, "calibrate"):
        yield Progress(1.0, "calibrating", {})
        extra = recipe.calibrate(network, place)
    header = {
        "recipe": recipe.name,
        "seed": seed,
        "steps": state.step,
        "minutes": round(state.seconds / 60, 2),
        **(state.machine or here),
        "version": friedel.__version__,
        "torch": torch.__version__,
        **recipe.header(),
        **extra,
    }
    if state.ancestor:
        header["begun_with"] = state.ancestor
    save_model(target, network, header)
    curve.write(target.with_suffix(".curve.csv"))
    kept.unlink(missing_ok=True)
    return target


def _inherit(network: nn.Module, parent: str | os.PathLike[str], recipe: Recipe) -> Model:
    """Copy the weights of `parent` into the network."""
    model = load_model(parent, "cpu")
    wanted, given = recipe.header(), model.header
    try:
        if wanted["architecture"] != given["architecture"]:
            raise RuntimeError
        network.load_state_dict(model.network.state_dict())
    except RuntimeError:
        raise ModelError(
            f"The training cannot begin with {model.name!r}: its network ({given['architecture']}) is not "
            f"the one that the recipe {recipe.name!r} trains. Choose another model or recipe."
        ) from None
    return model


def _save(path: Path, owner: dict[str, Any], parts: MovingParts, state: _State) -> None:
    write_checkpoint(path, {**owner, **asdict(state), **parts.state()})


def _load(path: Path, owner: dict[str, Any], parts: MovingParts, state: _State, device: torch.device) -> None:
    if not path.exists():
        raise ModelError(f"There is no unfinished training at {path} to resume.")
    with reading_checkpoint(path, device, "checkpoint") as content:
        if any(content.get(name) != owner[name] for name in ("recipe", "seed")):
            raise ModelError(
                f"{path} belongs to the recipe {content['recipe']!r} with seed {content['seed']}, "
                f"not to {owner['recipe']!r} with seed {owner['seed']}."
            )
        if "begun_with" in owner and content.get("begun_with") != owner["begun_with"]:
            raise ModelError(
                f"{path} did not begin with this model; resume it without a parent.", settings="parent"
            )
        parts.load(content)
        state.step, state.seconds = int(content["step"]), float(content["seconds"])
        state.curve = list(content.get("curve", []))
        state.ancestor = dict(content.get("ancestor") or state.ancestor)
        state.machine = dict(content.get("machine") or {})
