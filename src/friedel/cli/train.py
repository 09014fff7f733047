"""`friedel train`: train a network on simulated stacks."""

from __future__ import annotations

import click

from friedel.cli.common import check_model_output, naming_unfinished, run_with_bar, set_threads
from friedel.cli.options import FriedelCommand, from_settings
from friedel.cli.output import say
from friedel.settings import ComputeSettings, RecipeSettings, TrainSettings, settings_of


@click.command(
    cls=FriedelCommand,
    epilog="Example: friedel train --recipe paper -o mine.safetensors --minutes 40. The bundled `paper` model was "
    "made by this command. An interrupted training goes on with --resume.",
)
@click.option("-o", "--output", required=True, metavar="FILE", help="Model to write (.safetensors).")
@from_settings("settings", TrainSettings)
@from_settings("compute", ComputeSettings)
@click.option(
    "--set", "changes", multiple=True, metavar="NAME=VALUE",
    help="Change a setting of the recipe, for example learning_rate=1e-3; there are "
    + ", ".join(one.name for one in settings_of(RecipeSettings)) + ".",
)  # fmt: skip
@click.option("--checkpoint", metavar="FILE", help="The unfinished training (default: OUTPUT.checkpoint).")
@click.option("--resume", is_flag=True, help="Go on with the unfinished training.")
def command(
    output: str,
    settings: TrainSettings,
    compute: ComputeSettings,
    changes: tuple[str, ...],
    checkpoint: str | None,
    resume: bool,
) -> int:
    """Train a network on simulated stacks and say where the model is."""
    changed = RecipeSettings.from_texts(changes).changed()
    check_model_output(output)
    from friedel.training.loop import checkpoint_path, iter_train
    from friedel.training.recipes import get_recipe

    set_threads(compute.threads)
    by_time = settings.minutes is None and settings.steps is None
    work = iter_train(
        get_recipe(settings.recipe, **changed),
        output=output,
        checkpoint=checkpoint,
        seed=settings.seed,
        device=settings.device,
        minutes=30.0 if by_time else settings.minutes,
        steps=settings.steps,
        resume=resume,
        parent=settings.parent,
        workers=settings.workers,
    )
    with naming_unfinished(checkpoint_path(output, checkpoint)):
        say(run_with_bar(work, f"training {settings.recipe}"))
    return 0
