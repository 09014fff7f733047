"""``friedel demo``: simulate an Au(111) field, find its impurities, show and draw them."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from friedel.cli.common import add_overwrite, check_output
from friedel.cli.detect import add_detection, detect_with_bar, detection_options
from friedel.errors import StackError

FILES = ("stack.nc", "points.csv", "picture.png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.add_argument(
        "-o",
        "--out",
        metavar="FOLDER",
        help="where the files go (default: friedel-demo, or the next free name)",
    )
    parser.add_argument("--impurities", type=int, default=40, help="how many to simulate (default: 40)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, another field")
    add_overwrite(parser, "replace the files of an earlier demo in FOLDER")
    add_detection(parser)


def run(args: argparse.Namespace) -> int:
    """Run the demo."""
    if not 0 <= args.impurities <= 200:
        raise StackError(f"The demo simulates 0 to 200 impurities, not {args.impurities}.")
    folder = _folder(args.out, args.overwrite)
    from friedel.cli.figures import overview
    from friedel.io.export import write_stack
    from friedel.io.points import write_points
    from friedel.physics.simulate import simulate
    from friedel.scoring.matching import match

    print("Simulating an Au(111) surface: 80×80 spectra, 126 voltages, waves scattered many times, noise ...")
    stack = simulate("au111", impurities=args.impurities, seed=args.seed)
    truth = np.column_stack([stack.attrs["truth_row"], stack.attrs["truth_column"]])
    found = detect_with_bar(stack, dispersion="au111", **detection_options(args))
    matching = match(found.positions, truth, 1.0)
    folder.mkdir(parents=True, exist_ok=True)
    write_stack(stack, folder / FILES[0])
    write_points(found, folder / FILES[1])
    save_figure(overview(stack, found, truth), folder / FILES[2])
    _print_table(found, matching)
    print(
        f"{len(matching)} of {len(truth)} impurities found within 1 pixel (0.47 nm), {len(found) - len(matching)} of "
        f"{len(found)} points are false."
    )
    print(
        f"Written to {folder}: {', '.join(FILES)}. Next: friedel view {folder / FILES[0]} {folder / FILES[1]}"
    )
    return 0


def save_figure(figure, path: Path) -> None:  # type: ignore[no-untyped-def]
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


def _print_table(found, matching) -> None:  # type: ignore[no-untyped-def]
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"Impurities found ({found.provenance.get('model') or found.provenance['method']})")
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
