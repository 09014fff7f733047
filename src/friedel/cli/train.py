"""`friedel train`: train a network on simulated stacks."""

from __future__ import annotations

import argparse


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
    if args.threads:
        torch.set_num_threads(args.threads)
    minutes = 30.0 if args.minutes is None and args.steps is None else args.minutes
    work = iter_train(
        get_recipe(args.recipe),
        output=args.output,
        checkpoint=args.checkpoint,
        seed=args.seed,
        device=args.device,
        minutes=minutes,
        steps=args.steps,
        resume=args.resume,
        parent=args.parent,
    )
    path = run_with_bar(work, f"training {args.recipe}")
    print(path)
    return 0
