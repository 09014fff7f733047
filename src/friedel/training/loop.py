"""The training loop: any recipe, any device, one process or many, by steps or by minutes, resumable.

`iter_train` yields `friedel.progress.Progress` after every step. Everything random comes from one generator, so a run
is determined by its seed, its steps and the number of its processes on one device (by minutes it also depends on the
machine's speed).
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friedel._util.torch_defaults import with_torch_defaults
from friedel.errors import ModelError
from friedel.models.model_file import model_path
from friedel.models.publish import reserved
from friedel.models.registry import load_model, resolve_device
from friedel.progress import Progress
from friedel.training.interrupts import Interrupts
from friedel.training.parallel import group
from friedel.training.recipe import Recipe
from friedel.training.train_config import TrainConfig
from friedel.training.trainer import Trainer, schedule

if TYPE_CHECKING:
    import os
    from collections.abc import Generator

__all__ = ["Recipe", "TrainConfig", "iter_train", "schedule"]


@with_torch_defaults
def iter_train(
    recipe: Recipe,
    config: TrainConfig | None = None,
    *,
    output: str | os.PathLike[str],
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    parent: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Generator[Progress, None, Path]:
    """Train a network and write the model, and its curve beside it (``NAME.curve.csv``).

    Started by ``torchrun``, the processes share the work, see `friedel.training.parallel`. Closing the generator,
    Ctrl-C and SIGTERM write the checkpoint.

    Parameters
    ----------
    recipe : Recipe
    config : TrainConfig, optional
        Or its entries as further keywords.
    output : path
        The model file to write; must not exist. The name is reserved, and the place tried, before the first step.
    checkpoint : path, optional
        Where the unfinished training is kept; ``<output>.checkpoint`` by default. Removed at the end.
    resume : bool
        Continue from `checkpoint`, with the same recipe, settings and seed. What else differs is listed in ``runs``
        of the model's header.
    parent : str or path, optional
        A model of the same architecture and sizes whose weights the training begins with, by name or file.

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
        If the output exists or cannot be written, the checkpoint does not fit, or the training diverges.
    """
    config = TrainConfig(**settings) if config is None else config
    target, kept = _files(output, checkpoint, resume)
    with ExitStack() as stack:
        ours = stack.enter_context(group(resolve_device(config.device)))
        if ours.writes:
            stack.enter_context(reserved(target))
        trainer = Trainer(recipe, config, ours, kept)
        if parent is not None:
            trainer.inherit(load_model(parent, "cpu"))
        if resume:
            trainer.load()
        with Interrupts() as interrupts:
            yield from trainer.run(interrupts)
        if hasattr(recipe, "calibrate"):
            yield Progress(1.0, "calibrating", {})
        if ours.writes:
            trainer.save(target)
            kept.unlink(missing_ok=True)
    return target


def checkpoint_path(output: str | os.PathLike[str], checkpoint: str | os.PathLike[str] | None = None) -> Path:
    """Where the unfinished training of a model lies."""
    return Path(checkpoint) if checkpoint is not None else model_path(output).with_suffix(".checkpoint")


def _files(
    output: str | os.PathLike[str], checkpoint: str | os.PathLike[str] | None, resume: bool
) -> tuple[Path, Path]:
    """Give the model file and the checkpoint, after a check that there is something to resume, or nothing."""
    target = model_path(output)
    kept = checkpoint_path(output, checkpoint)
    if not resume and kept.exists():
        raise ModelError(
            f"{kept} holds an unfinished training: resume it or delete that file.", settings="resume"
        )
    if resume and not kept.exists():
        raise ModelError(f"There is no unfinished training at {kept} to resume.")
    return target, kept
