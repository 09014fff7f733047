"""Many stacks in one command: a table and a report each, one summary; a bad file does not stop the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friedel.cli.common import run_with_bar
from friedel.cli.output import say, tell
from friedel.errors import FriedelError, StackError
from friedel.settings import DetectSettings, ImportSettings

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from friedel.file_job import FileJob, FileResult


@dataclass(frozen=True)
class Workers:
    """Who does the work: this process, so many processes of this machine, or a scheduler's workers."""

    jobs: int | None = None
    scheduler: str | None = None


#: This process alone.
HERE = Workers()


def run_many(
    given: Sequence[str],
    folder: Path,
    settings: DetectSettings,
    axes: ImportSettings,
    workers: Workers,
    *,
    overwrite: bool,
) -> int:
    """Detect in every file.

    Returns
    -------
    int
        0 if every file went well, else 2.
    """
    from friedel.many import grids_in, plan_jobs
    from friedel.report.summary import NAME, check_summary, write_summary

    files = grids_in(given)
    if not files:
        raise StackError(f"There is no grid of spectra in {', '.join(given)}.")
    jobs = plan_jobs(files, folder, settings=settings, axes=axes, overwrite=overwrite)
    check_summary(folder, overwrite=overwrite)
    failed = elsewhere = 0
    try:
        for number, (index, result) in enumerate(_results(jobs, workers), start=1):
            failed += result.status == "failed"
            elsewhere += result.status == "elsewhere"
            _report(result, f"[{number}/{len(jobs)}] {jobs[index].title}")
    finally:
        write_summary(folder, overwrite=overwrite)  # an interruption loses nothing
    done = len(files) - failed - elsewhere
    more = f" {elsewhere} left to other processes;" if elsewhere else ""
    say(f"{done} of {len(files)} files done;{more} {folder / NAME}.csv lists all.")
    return 2 if failed else 0


def _results(jobs: Sequence[FileJob], workers: Workers) -> Iterator[tuple[int, FileResult]]:
    from friedel.many import iter_jobs, iter_jobs_in_processes

    if workers.scheduler is not None:
        yield from _by_scheduler(jobs, workers.scheduler)
    elif workers.jobs is not None and workers.jobs > 1:
        yield from iter_jobs_in_processes(jobs, workers.jobs)
    else:
        yield from iter_jobs(jobs, run=run_with_bar)


@contextmanager
def executor_of(workers: Workers) -> Iterator[Executor | None]:
    """An executor for the tiles of one file; None for this process alone."""
    from friedel._util.work import process_pool

    if workers.scheduler is not None:
        with _client(workers.scheduler) as client:
            yield client.get_executor()
    elif workers.jobs is not None and workers.jobs > 1:
        with process_pool(workers.jobs) as pool:
            yield pool
    else:
        yield None


def _by_scheduler(jobs: Sequence[FileJob], address: str) -> Iterator[tuple[int, FileResult]]:
    from friedel.many import iter_jobs

    with _client(address) as client:
        yield from iter_jobs(jobs, client.get_executor())


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise FriedelError(
            "dask.distributed is not installed; install it with: python -m pip install 'napari-friedel[cluster]'.",
            settings="scheduler",
        ) from error
    try:
        # Not the default one: where none answers it would stay, and xarray would ask it for locks.
        return Client(address, timeout="20s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise FriedelError(f"No dask scheduler answers at {address!r}.", settings="scheduler") from error


def _report(result: FileResult, title: str) -> None:
    """One line per file: results to stdout, errors to stderr."""
    if result.status == "failed":
        tell(f"friedel: {title}: {result.message}")
    elif result.status == "elsewhere":
        say(f"{title}: {result.message}")
    elif result.status == "up to date":
        say(f"{title}: {result.table} is up to date")
    else:
        say(f"{title}: {result.impurities} impurities in {result.table}")
