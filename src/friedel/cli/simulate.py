"""``friedel simulate``: a stack as from an instrument, whose impurities are known."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from friedel.cli.common import add_dispersion, add_overwrite, check_output, dispersion_of
from friedel.errors import StackError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = (
        "Example: friedel simulate --material au111 --impurities 30 -o grid.nc. Where no band is given, it is Au(111). "
        "The voltages must lie inside the band: for Ag(111) give --bias, for example 20:240:4."
    )
    parser.add_argument("-o", "--out", required=True, help="OUT.nc; the truth is kept as its attributes")
    parser.add_argument(
        "--shape", type=_shape, default=(80, 80), metavar="ROWS,COLUMNS", help="default: 80,80"
    )
    parser.add_argument(
        "--pixel-nm", type=float, default=0.469, metavar="NM", help="pixel size (default: 0.469 nm)"
    )
    parser.add_argument(
        "--bias", type=_bias, metavar="START:STOP:STEP", help="voltages [mV], or a,b,c (default: -230:20:2)"
    )
    parser.add_argument("--impurities", type=int, default=40, help="how many in the field (default: 40)")
    parser.add_argument(
        "--like", action="store_true", help="all scatterers alike (default: each with its own phase)"
    )
    parser.add_argument(
        "--noise", type=float, default=0.8, help="white noise [rms of the waves] (default: 0.8)"
    )
    parser.add_argument("--drift-px", type=float, default=0.0, metavar="PX", help="drift over the scan")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same stack")
    add_overwrite(parser)
    add_dispersion(parser)


def run(args: argparse.Namespace) -> int:
    """Simulate and write."""
    out = Path(args.out)
    if out.suffix.lower() not in (".nc", ".nc4"):
        raise StackError(
            f"{out}: a simulated stack is written as .nc; `friedel convert` makes other formats of it."
        )
    check_output(out, overwrite=args.overwrite)
    for name, value, least in (("--impurities", args.impurities, 0), ("--noise", args.noise, 0.0)):
        if value < least:
            raise StackError(f"{name} cannot be {value}.")
    if not args.pixel_nm > 0:
        raise StackError(f"--pixel-nm must be a positive length in nm, not {args.pixel_nm}.")
    from friedel.io.export import write_stack
    from friedel.physics.simulate import simulate

    stack = simulate(
        dispersion_of(args) or "au111",
        shape=args.shape,
        pixel_nm=args.pixel_nm,
        bias_mv=args.bias,
        impurities=args.impurities,
        unlike=not args.like,
        noise=args.noise,
        drift_px=args.drift_px,
        seed=args.seed,
    )
    write_stack(stack, out)
    print(f"{out}: {len(stack.attrs['truth_row'])} impurities, {stack.sizes['bias']} voltages")
    return 0


def _shape(text: str) -> tuple[int, int]:
    try:
        rows, columns = (int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        rows = columns = 0
    if min(rows, columns) < 8:
        raise argparse.ArgumentTypeError(f"{text!r} is not ROWS,COLUMNS with at least 8 of each")
    return rows, columns


def _bias(text: str) -> np.ndarray:
    try:
        if ":" in text:
            start, stop, step = (float(part) for part in text.split(":"))
            return np.arange(start, stop + step / 2, step)
        return np.array([float(part) for part in text.split(",")])
    except (ValueError, ZeroDivisionError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither START:STOP:STEP nor a,b,c [mV]") from error
