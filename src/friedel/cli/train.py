"""`friedel train`: train a network on simulated stacks."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def _whole(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


def _number(text: str) -> float:
    if not (number := float(text)) >= 0:
        raise ValueError
    return number


#: What `--set` changes, in either recipe, and how its value is read.
SETTINGS: dict[str, Callable[[str], int | float | str]] = {
    **dict.fromkeys(("size", "batch_size", "fresh", "pool", "maps"), _whole),
    **dict.fromkeys(("learning_rate", "weight_decay", "average", "least_noise"), _number),
    **dict.fromkeys(("confounded", "strength", "sparse"), _number),
    "teacher": str,
}


def _setting(text: str) -> tuple[str, int | float | str]:
    """Read NAME=VALUE; a name that is none is told later, together with the recipe's."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    read = SETTINGS.get(name, str)
    try:
        return name, read(value)
    except ValueError:
        wanted = "a whole number from 1 up" if read is _whole else "a number from 0 up"
        raise argparse.ArgumentTypeError(f"{name} must be {wanted}, not {value!r}") from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = (
        "Example: friedel train --recipe paper -o mine.safetensors --minutes 40. The bundled `paper` model was made "
        "by this command. An interrupted training goes on with --resume."
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="model to write (.safetensors)")
    parser.add_argument(
        "--recipe",
        choices=("paper", "friedel"),
        default="friedel",
        help="paper: Eq. 3 scenes and the paper's attention network; friedel: multiple-scattering scenes and the "
        "default model's network (default)",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help="train for so long (default 30)")
    length.add_argument("--steps", type=int, help="train for so many steps; reproducible to the seed")
    parser.add_argument(
        "--from", dest="parent", metavar="MODEL", help="begin with the weights of this model, by name or file"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and scenes (default 0)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default auto)")
    parser.add_argument("--threads", type=int, help="processor threads (default: all)")
    parser.add_argument(
        "--set",
        dest="settings",
        type=_setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a setting of the recipe, for example learning_rate=1e-3; friedel: size (of its scenes, pixels), "
        "batch_size, fresh (new scenes a step), pool, average, confounded (share of scenes with edges, islands, bad "
        "lines and the like), strength (of these), sparse (share of scenes with one to three impurities), and teacher, "
        "a model whose answers are learned beside the truth",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="processes that simulate beside this one, for a GPU that would wait for scenes (default 0)",
    )
    parser.add_argument(
        "--checkpoint", metavar="FILE", help="the unfinished training (default OUTPUT.checkpoint)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the unfinished training")


def run(args: argparse.Namespace) -> int:
    """Train and say where the model is."""
    import torch

    from friedel.cli.common import run_with_bar
    from friedel.errors import ModelError
    from friedel.training.loop import iter_train
    from friedel.training.recipes import get_recipe

    for name in ("minutes", "steps", "threads"):
        value = getattr(args, name)
        if value is not None and not value > 0:
            raise ModelError(f"--{name} must be greater than 0, not {value}.")
    if args.workers < 0:
        raise ModelError(f"--workers must be 0 or more, not {args.workers}.")
    if unknown := [name for name, _ in args.settings if name not in SETTINGS]:
        raise ModelError(
            f"The recipe {args.recipe!r} does not take these settings: {', '.join(unknown)}; "
            f"--set knows {', '.join(SETTINGS)}."
        )
    if args.threads:
        torch.set_num_threads(args.threads)
    minutes = 30.0 if args.minutes is None and args.steps is None else args.minutes
    work = iter_train(
        get_recipe(args.recipe, **dict(args.settings)),
        output=args.output,
        checkpoint=args.checkpoint,
        seed=args.seed,
        device=args.device,
        minutes=minutes,
        steps=args.steps,
        resume=args.resume,
        parent=args.parent,
        workers=args.workers,
    )
    path = run_with_bar(work, f"training {args.recipe}")
    print(path)
    return 0
