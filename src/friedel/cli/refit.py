"""``friedel refit``: fit the waves of given points."""

from __future__ import annotations

import argparse
from pathlib import Path

from friedel.cli.common import (
    add_dispersion,
    add_input,
    add_overwrite,
    check_output,
    dispersion_of,
    open_input,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = "Example: friedel refit grid.3ds by-hand.csv --material au111 -o fitted.csv."
    parser.add_argument("file", help="a grid of spectra, or a folder that holds one")
    parser.add_argument("points", help="a table with the columns row and column [px]")
    parser.add_argument("-o", "--out", required=True, help="OUT.csv, OUT.json or OUT.xyz")
    parser.add_argument("--refit", choices=("quick", "full"), default="quick", help="default: quick")
    parser.add_argument("--hold", action="store_true", help="hold the positions, fit the rest")
    parser.add_argument("--channel", help="the dI/dV channel (default: the lock-in channel)")
    add_overwrite(parser, "replace an existing table")
    add_dispersion(parser)
    add_input(parser)


def run(args: argparse.Namespace) -> int:
    """Fit and write."""
    from friedel.detection.refit_points import refit_points
    from friedel.errors import PhysicsError
    from friedel.io.points import read_points, write_points

    band = dispersion_of(args)
    if band is None:
        raise PhysicsError(
            "Without a surface band there are no waves to fit: name the material or give the band."
        )
    check_output(Path(args.out), overwrite=args.overwrite)
    found = refit_points(
        open_input([args.file], args),
        read_points(args.points),
        dispersion=band,
        channel=args.channel,
        refit=args.refit,
        hold=args.hold,
    )
    write_points(args.out, found.table, provenance=found.provenance)
    print(f"{len(found.table)} points fitted, {len(found)} of them impurities: {args.out}")
    return 0
