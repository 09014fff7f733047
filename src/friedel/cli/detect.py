"""``friedel detect``: find the impurities of one stack, or of many."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from friedel.cli.common import (
    add_dispersion,
    add_input,
    add_overwrite,
    area,
    check_output,
    dispersion_of,
    open_input,
    run_with_bar,
)
from friedel.errors import StackError

_TABLES = (".csv", ".json", ".xyz")
_METHODS = ("network", "matched-field", "omp")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = (
        "Example: friedel detect grid.3ds --material au111 -o points.csv. "
        "The band decides where the waves' rings lie. Give the material or E0 and m*; else they are fitted to the ring "
        "in the data's Fourier transform. With several files, or a folder as OUT, every file gives a table and a "
        "report, and summary.csv lists all; files whose results exist, made with the same options, are left out."
    )
    parser.add_argument(
        "file", nargs="+", help="a grid of spectra, a folder that holds one, or several grids"
    )
    parser.add_argument(
        "-o",
        "--out",
        required=True,
        help="OUT.csv, OUT.json or OUT.xyz; a folder for several files",
    )
    add_detection(parser)
    parser.add_argument("--area", type=area, metavar="R0:R1,C0:C1", help="rows and columns to look at")
    parser.add_argument("--channel", help="the dI/dV channel (default: the lock-in channel)")
    add_overwrite(parser, "replace an existing table; with several files, compute all of them again")
    add_dispersion(parser)
    add_input(parser)


def add_detection(parser: argparse.ArgumentParser) -> None:
    """Options of the method, shared with `friedel demo`."""
    group = parser.add_argument_group("method")
    group.add_argument(
        "--method", choices=_METHODS, default="network",
        help="the network (default), the matched field, or the matched field with a joint refit (slow, classical)",
    )  # fmt: skip
    group.add_argument(
        "--model", default="friedel", help="a model's name or file (default: friedel; also: paper)"
    )
    group.add_argument(
        "--tiles", choices=("blend", "paper"), default="blend",
        help="overlapping tiles without seams, or disjoint patches as published",
    )  # fmt: skip
    group.add_argument(
        "--threshold", type=_probability, metavar="P", help="least probability (default: the model's own)"
    )
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:0 or mps")
    group.add_argument(
        "--refit", choices=("none", "quick", "full"), nargs="?", const="full",
        help="fit all candidates together by multiple scattering: quick decides the doubtful ones (default where the "
        "model and the band allow it), full, also meant by --refit alone, places them precisely, too (slow)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Detect and write."""
    out = Path(args.out)
    options = detection_options(args)
    options |= {"channel": args.channel, "area": args.area, "dispersion": dispersion_of(args)}
    if out.suffix.lower() in _TABLES and not out.is_dir():
        check_output(out, overwrite=args.overwrite)
        stack = open_input(args.file, args)
        found = detect_with_bar(stack, **options)
        from friedel.io.points import write_points

        write_points(found, out)
        print(summary_line(found, str(out)))
        print("\n".join(preparation_lines(found)), file=sys.stderr)
        return 0
    if out.suffix and not out.is_dir() and not args.out.endswith(("/", "\\")):
        raise StackError(
            f"{out}: the table is written as {', '.join(_TABLES)}; for several files name a folder."
        )
    from friedel.cli.batch import run_batch

    return run_batch(args, out, options)


def detection_options(args: argparse.Namespace) -> dict[str, Any]:
    """Keywords of `iter_detect` from the options of `add_detection`."""
    names = ("method", "model", "tiles", "threshold", "device", "refit")
    return {name: getattr(args, name) for name in names}


def detect_with_bar(stack: Any, title: str = "detect", **options: Any) -> Any:
    """Run `iter_detect` with a progress bar."""
    from friedel.pipeline import iter_detect

    return run_with_bar(iter_detect(stack, **options), title)


def summary_line(found: Any, where: str) -> str:
    """What was done, in a line."""
    made = found.provenance
    by = f"model {made['model']}" if made.get("model") else made["method"]
    how = f"probability ≥ {found.threshold:.2g}, {by}, channel {made['channel']!r}"
    return f"{len(found)} impurities ({how}) in {where}"


def preparation_lines(found: Any) -> list[str]:
    """What was done to the maps, a line each, and how many checks passed; warnings are not said twice."""
    steps = found.provenance.get("prepare") or []
    said = set(found.provenance.get("warnings", ()))
    lines = [f"prepared: {step['text']}" for step in steps if step["text"] not in said]
    failed = ", ".join(check.name for check in found.failed)
    passed = len(found.checks) - len(found.failed)
    return [
        *lines,
        f"{passed} of {len(found.checks)} checks passed" + (f"; failed: {failed}" if failed else ""),
    ]


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a probability from 0 to 1")
    return value
