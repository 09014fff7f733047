"""``friedel demo``: simulate an Au(111) field, find its impurities, show and draw them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from friedel.cli.common import check_output
from friedel.cli.detect import REFIT_ALONE, detect_with_bar
from friedel.cli.options import FriedelCommand, from_settings, overwrite_option
from friedel.cli.output import clean, say
from friedel.errors import StackError
from friedel.settings import BandSettings, DetectSettings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from friedel.detections import Detections
    from friedel.scoring.matching import Matching

FILES = ("stack.nc", "points.csv", "picture.png")


@click.command(cls=FriedelCommand)
@click.option(
    "-o", "--out", metavar="FOLDER", help="Where the files go (default: friedel-demo, or the next free name)."
)
@click.option(
    "--impurities",
    type=click.IntRange(0, 200),
    default=40,
    metavar="N",
    show_default=True,
    help="How many to simulate.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=1, metavar="N", show_default=True,
    help="Another seed, another field.",
)  # fmt: skip
@overwrite_option("Replace the files of an earlier demo in FOLDER.")
@from_settings(
    "settings", DetectSettings, section="Method", leave_out=("area", "channel", "band"), alone=REFIT_ALONE
)
def command(out: str | None, impurities: int, seed: int, overwrite: bool, settings: DetectSettings) -> int:
    """Simulate an Au(111) field, find its impurities, draw them."""
    folder = _folder(out, overwrite)
    from friedel.io.export import write_stack
    from friedel.io.points import write_points
    from friedel.physics.simulate import simulate
    from friedel.report.figures import overview
    from friedel.scoring.matching import match
    from friedel.stack import true_positions

    say("Simulating an Au(111) surface: 80×80 spectra, 126 voltages, waves scattered many times, noise ...")
    stack = simulate("au111", impurities=impurities, seed=seed)
    truth = true_positions(stack)
    found = detect_with_bar(stack, replace(settings, band=BandSettings(material="au111")))
    matching = match(found.positions, truth, 1.0)
    folder.mkdir(parents=True, exist_ok=True)
    write_stack(stack, folder / FILES[0])
    write_points(found, folder / FILES[1])
    save_figure(overview(stack, found, truth), folder / FILES[2])
    _print_table(found, matching)
    say(
        f"{len(matching)} of {len(truth)} impurities found within 1 pixel (0.47 nm), {len(found) - len(matching)} of "
        f"{len(found)} points are false."
    )
    say(
        f"Written to {folder}: {', '.join(FILES)}. Next: friedel view {folder / FILES[0]} {folder / FILES[1]}"
    )
    return 0


def save_figure(figure: Figure, path: Path) -> None:
    """Write a matplotlib figure beside `path`, then rename."""
    from friedel._util.atomic_write import write_beside

    with write_beside(path) as beside:
        figure.savefig(beside, dpi=130)


def _folder(name: str | None, overwrite: bool) -> Path:
    if name is None:
        folder, number = Path("friedel-demo"), 1
        while folder.exists():
            number += 1
            folder = Path(f"friedel-demo-{number}")
        return folder
    folder = Path(name)
    if folder.exists() and not folder.is_dir():
        raise StackError(f"{folder} is a file; name a folder.")
    if folder.exists():
        check_output(*(folder / file for file in FILES), overwrite=overwrite, other="folder")
    return folder


def _print_table(found: Detections, matching: Matching) -> None:
    import numpy as np
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title=f"Impurities found ({escape(clean(found.provenance.get('model') or found.provenance['method']))})"
    )
    for name in ("x [nm]", "y [nm]", "row [px]", "column [px]", "probability", "± [nm]", "off by [px]"):
        table.add_column(escape(name), justify="right")  # rich would take [nm] for a style
    error = dict(zip(matching.found.tolist(), matching.distance.tolist(), strict=True))
    for index, row in found.impurities.iterrows():
        table.add_row(
            f"{row['x_nm']:.2f}", f"{row['y_nm']:.2f}", f"{row['row']:.1f}", f"{row['column']:.1f}",
            f"{row['probability']:.3f}", "" if np.isnan(row["sigma_nm"]) else f"{row['sigma_nm']:.3f}",
            f"{error[index]:.2f}" if index in error else "false",
        )  # fmt: skip
    Console().print(table)
