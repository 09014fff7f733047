"""What several commands share: options of a dispersion and an area, progress bars."""

from __future__ import annotations

import argparse
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress as Bar, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from friedel.errors import StackError
from friedel.physics.dispersion import MATERIALS, Dispersion, resolve
from friedel.progress import Progress, drain
from friedel.stack import Area

T = TypeVar("T")


def run_with_bar(work: Generator[Progress, None, T], title: str) -> T:
    """Drain `work` with a progress bar on stderr; figures in `Progress.values` are shown beside it."""
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[values]}"),
    ]
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=1.0, values="")

        def show(step: Progress) -> None:
            values = "  ".join(
                f"{name} {value:.3g}"
                for name, value in step.values.items()
                if isinstance(value, (int, float))
            )
            text = f"{title}: {step.message}" if step.message else title
            bar.update(task, completed=step.fraction, description=text, values=values)

        try:
            result = drain(work, show)
        except BaseException:
            bar.live.transient = True  # half a bar above an error says nothing
            raise
        bar.update(task, completed=1.0)
    return result


def add_overwrite(parser: argparse.ArgumentParser, text: str = "replace an existing file") -> None:
    """Add ``--overwrite``; `check_output` uses it. Models have no such option: they are never replaced."""
    parser.add_argument("--overwrite", action="store_true", help=text)


def check_output(*paths: Path, overwrite: bool, other: str = "name") -> None:
    """Refuse to replace a result, before anything is computed for it.

    Parameters
    ----------
    *paths : pathlib.Path
        Files that the command will write.
    overwrite : bool
        Whether the user asked for it.
    other : str
        What to choose instead: another name, another folder.

    Raises
    ------
    StackError
        If a file exists, or the folder of one does not.
    """
    there = [str(path) for path in paths if path.exists()]
    if there and not overwrite:
        verb = "exists" if len(there) == 1 else "exist"
        raise StackError(
            f"{' and '.join(there)} {verb} already; choose another {other}, or add --overwrite to replace "
            f"{'it' if len(there) == 1 else 'them'}."
        )
    for path in paths:
        if path.is_dir():
            raise StackError(f"{path} is a folder; name a file.")
        if not path.parent.is_dir():
            raise StackError(f"{path.parent}: there is no such folder.")


def add_input(parser: argparse.ArgumentParser) -> None:
    """Add the options for files that hold no axes; `open_input` uses them."""
    group = parser.add_argument_group("axes, for files that do not hold them (.npy, .tif, .mat ...)")
    group.add_argument(
        "--bias", metavar="START:STOP", help="bias axis [mV]: both ends, all values a,b,c, or one"
    )
    group.add_argument("--pixel-nm", type=pixel, metavar="NM", help="pixel size [nm], or Y,X")
    group.add_argument("--dataset", metavar="NAME", help="the array to take, where a file holds several")
    group.add_argument("--axes", metavar="ORDER", help="order of the axes of a bare array: byx, yxb ...")


def open_input(paths: Any, args: argparse.Namespace) -> Any:
    """Open the file, folder or list of files with the options of `add_input`; an `xarray.Dataset`."""
    from friedel.io import AxesMissing, open_stack

    if isinstance(paths, list) and len(paths) == 1:
        paths = paths[0]
    options = {name: getattr(args, name) for name in ("dataset", "axes") if getattr(args, name, None)}
    try:
        return open_stack(paths, bias=args.bias, pixel_nm=args.pixel_nm, **options)
    except AxesMissing as error:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in error.missing)
        raise AxesMissing(
            f"{str(error).rstrip('.')} (option {flags}).", error.missing, error.arrays
        ) from error


def pixel(text: str) -> float | tuple[float, float]:
    """Parse ``NM`` or ``Y,X``."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, 2) or not all(0 < value < float("inf") for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} is not a pixel size in nm")
    return values[0] if len(values) == 1 else (values[0], values[1])


def add_dispersion(parser: argparse.ArgumentParser) -> None:
    """Add ``--material`` or ``--onset-mev`` with ``--mass``."""
    group = parser.add_argument_group("surface band, k(E) = √(2m*(E−E₀))/ħ")
    group.add_argument(
        "--material",
        type=material,
        metavar="NAME",
        help=f"a known surface state: {', '.join(sorted(MATERIALS))}",
    )
    group.add_argument(
        "--onset-mev", type=float, metavar="E0", help="band onset relative to the Fermi level [meV]"
    )
    group.add_argument("--mass", type=float, help="effective mass in electron masses")


def material(text: str) -> str:
    """Check the name of a surface."""
    if text not in MATERIALS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a known surface (known: {', '.join(sorted(MATERIALS))}); "
            "give another by --onset-mev and --mass"
        )
    return text


def dispersion_of(args: argparse.Namespace, parser_error: Any = None) -> Dispersion | None:
    """Return the `Dispersion` that the options name, or None."""
    if args.material is not None:
        return resolve(args.material)
    if (args.onset_mev is None) != (args.mass is None):
        from friedel.errors import PhysicsError

        raise PhysicsError("A surface band needs both --onset-mev and --mass (or --material).")
    return None if args.mass is None else Dispersion(args.onset_mev, args.mass)


def area(text: str) -> Area:
    """Parse ``R0:R1,C0:C1``."""
    match = re.fullmatch(r"(\d+):(\d+),(\d+):(\d+)", text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form R0:R1,C0:C1 (rows, columns)")
    r0, r1, c0, c1 = map(int, match.groups())
    return (r0, r1), (c0, c1)
