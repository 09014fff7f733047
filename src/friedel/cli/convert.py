"""``friedel convert``: write a stack as netCDF, for Gwyddion, or for NumPy."""

from __future__ import annotations

import argparse
from pathlib import Path

from friedel.cli.common import add_input, add_overwrite, area, check_output, open_input
from friedel.stack import crop


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.add_argument("file", nargs="+", help="a file, a folder, or several files that form one stack")
    parser.add_argument("out", help="OUT.nc (without loss), OUT.gwy, OUT.npz, or OUT.gsf (one image)")
    parser.add_argument("--channel", help="for .gsf: the channel (default: dI/dV)")
    parser.add_argument(
        "--at", type=float, metavar="MV", help="for .gsf: the plane nearest to this bias [mV]"
    )
    parser.add_argument("--area", type=area, metavar="R0:R1,C0:C1", help="write this part only")
    add_overwrite(parser)
    add_input(parser)


def run(args: argparse.Namespace) -> int:
    """Convert."""
    from friedel.io.export import write_stack

    out = Path(args.out)
    check_output(out, overwrite=args.overwrite)
    stack = crop(open_input(args.file, args), args.area)
    write_stack(stack, out, channel=args.channel, bias_mv=args.at)
    print(f"{out}: {out.stat().st_size / 1e6:.3g} MB")
    return 0
