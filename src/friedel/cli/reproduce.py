"""`friedel reproduce fig3|fig4`: the figures of arXiv 2006.15898, remade on simulated samples."""

from __future__ import annotations

from dataclasses import replace

import click

from friedel.cli.common import check_output, set_threads
from friedel.cli.options import FriedelCommand, from_settings, overwrite_option
from friedel.cli.output import say
from friedel.settings import ComputeSettings, Figure3Settings, Figure4Settings


@click.command(
    cls=FriedelCommand,
    epilog="fig3: peaks of S on the bound-state map. fig4: four curves against the epoch, with or without noise and "
    "the regulariser; the published settings take a night on two cores, --quick some ten minutes. A stopped fig4 goes "
    "on where it was.",
)
@click.argument("figure", type=click.Choice(["fig3", "fig4"]))
@click.option("-o", "--output", default="reproduce", metavar="FOLDER", show_default=True, help="Results.")
@overwrite_option("Replace the files of an earlier fig3 (fig4 goes on instead).")
@click.option(
    "--sample", type=click.IntRange(0, 2**31), default=0, metavar="N", show_default=True,
    help="Number of the simulated sample.",
)  # fmt: skip
@from_settings("three", Figure3Settings, section="fig3")
@from_settings("four", Figure4Settings, section="fig4")
@click.option("--quick", is_flag=True, help="fig4: two short trainings per curve, every fifth voltage.")
@from_settings("compute", ComputeSettings)
def command(
    figure: str,
    output: str,
    overwrite: bool,
    sample: int,
    three: Figure3Settings,
    four: Figure4Settings,
    quick: bool,
    compute: ComputeSettings,
) -> int:
    """Remake one figure of arXiv 2006.15898."""
    from friedel.cli.common import run_with_bar

    set_threads(compute.threads)
    if figure == "fig3":
        from friedel.paper.figure3 import figure3_files, iter_figure3

        files = figure3_files(output, three.model)
        if files[0].parent.is_dir():
            check_output(*files, overwrite=overwrite, other="folder")
        _, text = run_with_bar(iter_figure3(output, model=three.model, seed=sample), "figure 3")
        say(text)
        return 0
    from friedel.paper.figure4 import Plan, iter_figure4
    from friedel.paper.figure4_report import write_figure4

    given = {name: value for name, value in four.changed().items() if name != "device"}
    plan = replace(Plan().quick() if quick else Plan(), **given)
    table = run_with_bar(iter_figure4(output, plan, sample=sample, device=four.device), "figure 4")
    say("\n".join(write_figure4(output, table)))
    return 0
