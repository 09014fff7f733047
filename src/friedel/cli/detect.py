"""``friedel detect``: find the impurities of one stack, or of many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from friedel.cli.common import check_output, open_input, run_with_bar
from friedel.cli.many import HERE, Workers, executor_of, run_many
from friedel.cli.options import FriedelCommand, from_settings, overwrite_option
from friedel.cli.output import say, tell
from friedel.errors import SettingsError, StackError
from friedel.io.written import POINTS, listed
from friedel.settings import DetectSettings, ImportSettings

if TYPE_CHECKING:
    import xarray as xr

    from friedel.detections import Detections

#: ``--refit`` alone asks for the full one.
REFIT_ALONE = {"refit": "full"}


@click.command(
    cls=FriedelCommand,
    epilog="Example: friedel detect grid.3ds --material au111 -o points.csv. The band decides where the waves' rings "
    "lie. Give the material or E0 and m*; else they are fitted to the ring in the data's Fourier transform. With "
    "several files, or a folder as OUT, every file gives a table and a report, and summary.csv lists all; files whose "
    "results exist, made with the same options, are left out. --refit alone means --refit full.",
)
@click.argument("file", nargs=-1, required=True)
@click.option("-o", "--out", required=True, help=f"{listed(POINTS, 'OUT')}; a folder for several files.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    metavar="N",
    help="So many processes of this machine, for several files or for the tiles of one.",
)
@click.option(
    "--scheduler", metavar="ADDRESS", help="The same by the workers of a dask scheduler, tcp://HOST:PORT."
)
@overwrite_option("Replace an existing table; with several files, compute all of them again.")
@from_settings("settings", DetectSettings, section="Method", alone=REFIT_ALONE)
@from_settings("axes", ImportSettings, section="Axes, for files that do not hold them")
def command(
    file: tuple[str, ...],
    out: str,
    jobs: int | None,
    scheduler: str | None,
    overwrite: bool,
    settings: DetectSettings,
    axes: ImportSettings,
) -> int:
    """Find the impurities in dI/dV stacks and write a table of them.

    FILE is a grid of spectra, a folder that holds one, or several grids.
    """
    from friedel.physics.dispersion import resolve

    resolve(settings.band)  # an unknown material is said before a file is opened
    if jobs is not None and scheduler is not None:
        raise SettingsError(
            "The work goes to processes of this machine or to a scheduler, not to both.",
            settings=("jobs", "scheduler"),
        )
    target = Path(out)
    if target.suffix.lower() in POINTS and not target.is_dir():
        check_output(target, overwrite=overwrite)
        _refuse_several(file, target)
        stack = open_input(file, axes)
        found = detect_with_bar(stack, settings, Workers(jobs, scheduler))
        from friedel.file_job import density_of
        from friedel.io.points import write_points

        named = file[0] if len(file) == 1 else str(Path(file[0]).parent)
        write_points(found, target, provenance={"file": {"name": named}, "density": density_of(found, stack)})
        say(summary_line(found, str(target)))
        for line in preparation_lines(found):
            tell(line)
        return 0
    if target.suffix and not target.is_dir() and not out.endswith(("/", "\\")):
        raise StackError(
            f"{target}: the table is written as {', '.join(POINTS)}; for several files name a folder."
        )
    return run_many(file, target, settings, axes, Workers(jobs, scheduler), overwrite=overwrite)


def _refuse_several(files: tuple[str, ...], target: Path) -> None:
    """One table is of one stack: several files that form none need a folder of tables."""
    from friedel.io import is_one_stack

    if len(files) > 1 and all(Path(name).exists() for name in files) and not is_one_stack(list(files)):
        raise StackError(
            f"{target} is one table, but these {len(files)} files do not form one stack: for several files -o names "
            "a folder."
        )


def detect_with_bar(stack: xr.Dataset, settings: DetectSettings, workers: Workers = HERE) -> Detections:
    """Detect with a progress bar; tiles go to the workers."""
    from friedel.pipeline import iter_detect_with

    with executor_of(workers) as executor:
        return run_with_bar(iter_detect_with(stack, settings, executor=executor), "detect")


def summary_line(found: Detections, where: str) -> str:
    """What was done, in a line."""
    made = found.provenance
    by = f"model {made['model']}" if made.get("model") else made["method"]
    how = f"probability ≥ {found.threshold:.2g}, {by}, channel {made['channel']!r}"
    return f"{len(found)} impurities ({how}) in {where}"


def preparation_lines(found: Detections) -> list[str]:
    """What was done to the maps, one line per step, and how many checks passed; a warning is not repeated."""
    from friedel.report.checks import counted

    steps = found.provenance.get("prepare") or []
    warned = set(found.provenance.get("warnings", ()))
    lines = [f"prepared: {step['text']}" for step in steps if step["text"] not in warned]
    return [*lines, f"checks: {counted(found.checks)}"]
