"""`friedel reproduce fig3|fig4`: the figures of arXiv 2006.15898, remade on twins."""

from __future__ import annotations

import argparse

from friedel.cli.common import add_overwrite, check_output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = (
        "fig3: peaks of S on the bound-state map. fig4: four curves against the epoch, with or without noise and the "
        "regulariser; the published settings take a night on two cores, --quick some ten minutes. A stopped fig4 goes "
        "on where it was."
    )
    parser.add_argument("figure", choices=("fig3", "fig4"), help="which figure")
    parser.add_argument(
        "-o", "--output", default="reproduce", metavar="FOLDER", help="results (default: reproduce)"
    )
    add_overwrite(parser, "replace the files of an earlier fig3 (fig4 goes on instead)")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="number of the twin (default 0)")
    three = parser.add_argument_group("fig3")
    three.add_argument(
        "--model", default="paper", help="a model's name or file, or matched-field (default: paper)"
    )
    four = parser.add_argument_group("fig4")
    four.add_argument("--quick", action="store_true", help="two short trainings a curve, every fifth voltage")
    four.add_argument(
        "--trainings", type=int, metavar="N", help="trainings a curve (default 10, as published)"
    )
    four.add_argument("--epochs", type=int, metavar="N", help="epochs a training (default 10)")
    four.add_argument("--steps", type=int, metavar="N", help="steps an epoch (default 60)")
    four.add_argument(
        "--voltages", type=int, metavar="N", help="maps, evenly spaced (default 126, as published)"
    )
    four.add_argument(
        "--inner-product", choices=("global", "pixel"), help="how ⟨Q, K⟩ is read (default: global)"
    )
    four.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default auto)")
    four.add_argument("--threads", type=int, metavar="N", help="processor threads (default: all)")


def run(args: argparse.Namespace) -> int:
    """Remake one figure."""
    from friedel.cli.common import run_with_bar

    if args.figure == "fig3":
        from friedel.paper.figure3 import figure3_files, iter_figure3

        files = figure3_files(args.output, args.model)
        if files[0].parent.is_dir():
            check_output(*files, overwrite=args.overwrite, other="folder")
        _, text = run_with_bar(iter_figure3(args.output, model=args.model, seed=args.sample), "figure 3")
        print(text)
        return 0
    from dataclasses import replace

    import torch

    from friedel.errors import FriedelError
    from friedel.paper.figure4 import Plan, iter_figure4
    from friedel.paper.figure4_report import write_figure4

    if args.threads is not None:
        if args.threads < 1:
            raise FriedelError("--threads must be at least 1.")
        torch.set_num_threads(args.threads)
    plan = Plan().quick() if args.quick else Plan()
    names = ("trainings", "epochs", "steps", "voltages", "inner_product")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    for name, value in given.items():
        if isinstance(value, int) and value < 1:
            raise FriedelError(f"--{name} must be at least 1.")
    plan = replace(plan, **given)
    table = run_with_bar(iter_figure4(args.output, plan, sample=args.sample, device=args.device), "figure 4")
    print("\n".join(write_figure4(args.output, table)))
    return 0
