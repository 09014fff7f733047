"""The work of the folder dock, that of `friedel.many`: a window and a command may share a folder of results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_friedel.words import in_window_words

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from friedel.file_job import FileJob, FileResult
    from friedel.progress import Progress
    from friedel.report.summary import SummaryRow

#: Where results go, beside the files.
RESULTS = "results"
#: Ends of the names of tables beside their stacks, as earlier versions of this dock wrote them.
BESIDE = "-points.csv"


def stacks_in(folder: Path) -> list[Path]:
    """Grids of a folder as a batch takes them; damaged ones are listed, and fail with their reason."""
    from friedel.many import grids_of

    return [path for path in grids_of(folder) if path.suffix.lower() not in (".csv", ".json", ".xyz")]


def tables_of(paths: list[Path], results: Path) -> dict[Path, Path]:
    """The table of each file that has one: among the results, else beside the file."""
    from friedel.result_names import result_names

    found: dict[Path, Path] = {}
    for path, name in zip(paths, result_names(paths, results), strict=True):
        places = results / f"{name}.csv", path.with_name(path.stem + BESIDE)
        there = [place for place in places if place.exists()]
        if there:
            found[path] = there[0]
    return found


def process(
    jobs: list[FileJob], count: int, results: Path
) -> Generator[Progress, None, tuple[list[FileResult], list[SummaryRow]]]:
    """Do all jobs in `count` processes, and write the summary, after a stop, too."""
    from friedel.many import iter_many
    from friedel.report.summary import write_summary

    rows: list[SummaryRow] = []
    try:
        done = yield from iter_many(jobs, count)
    finally:
        rows = write_summary(results)
    return done, rows


def in_words(result: FileResult, row: SummaryRow | None) -> str:
    """What came of one file, in a line."""
    name = result.file.name
    if result.status in ("failed", "elsewhere") or row is None:
        return f"{name}: {in_window_words(result.message.removeprefix(f'{result.file}: '))}"
    number = "density unknown" if row.density_per_nm2 is None else f"{row.density_per_nm2:.3g} nm⁻²"
    again = ", as before" if result.status == "up to date" else ""
    return f"{name}: {row.impurities} impurities, {number}; checks: {row.checks}{again}"
