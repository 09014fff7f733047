"""Detection in many files, by one process or many, on any executor of `concurrent.futures`.

Each table holds its own state (`friedel.file_job`), so any number of processes may share a folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from friedel._util.arguments import instance_of, path_of, truth_of
from friedel._util.paths_apart import told_apart
from friedel._util.work import Work, ended_early, process_pool
from friedel.claims import owner
from friedel.errors import FriedelError, SettingsError, StackError
from friedel.file_job import FileJob, FileResult, Run, claim_of, detect_file, failed_result, iter_detect_file
from friedel.progress import Progress, share
from friedel.result_names import place_of, result_names
from friedel.settings import DetectSettings, ImportSettings
from friedel.settings.detection import devices_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

#: Suffixes that only measurements bear; text files, pictures and archives of a folder may be anything.
_GRID_SUFFIXES = (".3ds", ".sxm", ".sm4", ".ibw", ".gwy", ".gsf", ".nid", ".nc", ".specgrid", ".vert", ".1fl")
#: How often a file is tried whose worker dies.
TRIES = 2


def detect_many(
    files: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str] | None = None,
    *,
    settings: DetectSettings | None = None,
    axes: ImportSettings | None = None,
    executor: Executor | None = None,
    overwrite: bool = False,
    on_result: Callable[[FileResult], object] | None = None,
) -> list[FileResult]:
    """Find the impurities of many files.

    Parameters
    ----------
    files : sequence of path
        Files, or folders that are one stack each.
    folder : path, optional
        Where tables and reports go, and the summary of all; made if missing. What is there, made from the same bytes
        with the same settings, is left. None: every result is returned in `FileResult.found`.
    settings : DetectSettings, optional
    axes : ImportSettings, optional
        For files that hold no axes.
    executor : concurrent.futures.Executor, optional
        Where the work is done: a process pool, or ``dask.distributed.Client(...).get_executor()``; in this process,
        file by file, if None. It is not shut down.
    overwrite : bool
        Whether tables made otherwise are replaced.
    on_result : callable, optional
        Called with every `FileResult` as it comes.

    Returns
    -------
    list of FileResult
        In the order of the files; an error in one does not stop the others.

    Raises
    ------
    StackError
        If `folder` is a file.

    Examples
    --------
    >>> from concurrent.futures import ProcessPoolExecutor                          # doctest: +SKIP
    >>> with ProcessPoolExecutor(4) as pool:                                        # doctest: +SKIP
    ...     friedel.detect_many(files, "results", executor=pool)
    """
    Work(executor)  # refuses what is no executor
    if on_result is not None and not callable(on_result):
        raise SettingsError(f"on_result must be a function, not {on_result!r:.60}.", settings="on_result")
    jobs = plan_jobs(files, folder, settings=settings, axes=axes, overwrite=overwrite)
    found: dict[int, FileResult] = {}
    for index, result in iter_jobs(jobs, executor):
        found[index] = result
        if on_result is not None:
            on_result(result)
    if folder is not None:
        from friedel.report.summary import write_summary

        write_summary(folder)
    return [found[index] for index in range(len(jobs))]


def plan_jobs(
    files: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str] | None,
    *,
    settings: DetectSettings | None = None,
    axes: ImportSettings | None = None,
    overwrite: bool = False,
) -> list[FileJob]:
    """One job per file, with a table's name of its own in `folder`, which is made if missing; devices in turn."""
    if isinstance(files, (str, os.PathLike)) or not isinstance(files, Iterable):
        raise StackError(f"Several files are a list of paths, not {files!r:.60}.")
    truth_of(overwrite, "overwrite")
    for name, given, kind in (("settings", settings, DetectSettings), ("axes", axes, ImportSettings)):
        if given is not None:
            instance_of(given, kind, name, kind.__name__)
    paths = [path_of(file, "a file") for file in files]
    tables: list[Path | None] = [None] * len(paths)
    if folder is not None:
        where = path_of(folder, "folder")
        if where.exists() and not where.is_dir():
            raise StackError(f"{where} is a file; with several files name a folder.")
        where.mkdir(parents=True, exist_ok=True)
        tables = [where / f"{name}.csv" for name in result_names(paths, where)]
    settings = settings or DetectSettings()
    devices = devices_of(settings.device)
    return [
        FileJob(
            path, table, settings, axes or ImportSettings(), overwrite, devices[number % len(devices)], title
        )
        for number, (path, table, title) in enumerate(zip(paths, tables, told_apart(paths), strict=True))
    ]


def grids_in(given: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Files to read; a folder that is not itself one stack of several files stands for the grids in it."""
    from friedel.io import is_one_stack

    found: list[Path] = []
    for name in given:
        path = Path(name)
        if path.is_dir() and not is_one_stack(path):
            found += grids_of(path) or [path]  # a folder that holds nothing is named as failed, not left out
        else:
            found.append(path)
    once: dict[str, Path] = {}
    for path in found:
        once.setdefault(place_of(path), path)
    return list(once.values())


def grids_of(folder: Path) -> list[Path]:
    """Grids that lie in a folder, by name; damaged ones too, which fail with their reason."""
    from friedel.io import sniff
    from friedel.io.signatures import is_zarr

    inside = [item for item in sorted(folder.iterdir()) if item.is_file() or is_zarr(item)]
    return [item for item in inside if _is_named_as_grid(item) or sniff(item) is not None]


def _is_named_as_grid(path: Path) -> bool:
    """Whether a file that no format knows by its content bears the suffix of one: it is damaged, and named as such."""
    return path.suffix.lower() in _GRID_SUFFIXES


def iter_jobs(
    jobs: Sequence[FileJob], executor: Executor | None = None, *, run: Run | None = None
) -> Iterator[tuple[int, FileResult]]:
    """Do all jobs; every result with its number, as it comes.

    Parameters
    ----------
    jobs : sequence of FileJob
    executor : Executor, optional
        In this process if None.
    run : callable, optional
        Drains a detection, given its title; for progress bars in this process.
    """
    if executor is None:
        for index, job in enumerate(jobs):
            yield index, detect_file(job, run)
        return
    with closing(_submitted(jobs, executor)) as results:
        yield from filter(None, results)


def _submitted(
    jobs: Sequence[FileJob], executor: Executor, pause_s: float | None = None
) -> Generator[tuple[int, FileResult] | None, None, None]:
    """Results as they come from an executor; None wherever none came for `pause_s` seconds."""
    waiting: dict[Future[FileResult], int] = {}
    try:
        for index, job in enumerate(jobs):
            waiting[executor.submit(detect_file, job)] = index
        left = set(waiting)
        while left:
            done, left = wait(left, pause_s, FIRST_COMPLETED)
            if not done:
                yield None
            for future in done:
                yield waiting[future], _result_of(future, jobs[waiting[future]])
    except BrokenProcessPool:  # while submitting
        raise FriedelError("The worker processes died before the work began.") from None
    finally:
        for future in waiting:
            future.cancel()


def iter_jobs_in_processes(jobs: Sequence[FileJob], count: int) -> Iterator[tuple[int, FileResult]]:
    """Do all jobs in `count` processes; when one dies, a new pool goes on, and the file it died of is tried again."""
    with closing(_in_processes(jobs, count)) as results:
        yield from filter(None, results)


def iter_many(jobs: Sequence[FileJob], count: int = 1) -> Generator[Progress, None, list[FileResult]]:
    """Do all jobs, in this process or in `count` of them; a generator that can be stopped between any two steps.

    Stopped, it ends the processes at once; what they were at is left to the next run.

    Yields
    ------
    Progress
        Of all files; at least twice a second from other processes.

    Returns
    -------
    list of FileResult
        In the order of the jobs.
    """
    total = max(len(jobs), 1)
    if count == 1:
        results = []
        for number, job in enumerate(jobs):
            title = f"{job.title} ({number + 1} of {total})"
            work = share(iter_detect_file(job), number / total, (number + 1) / total, title)
            results.append((yield from work))
        return results
    found: dict[int, FileResult] = {}
    with closing(_in_processes(jobs, count, pause_s=0.5)) as some:
        for one in some:
            if one is not None:
                found[one[0]] = one[1]
            yield Progress(len(found) / total, f"{len(found)} of {total} files done")
    return [found[number] for number in range(len(jobs))]


def _in_processes(
    jobs: Sequence[FileJob], count: int, pause_s: float | None = None
) -> Generator[tuple[int, FileResult] | None, None, None]:
    """As `iter_jobs_in_processes`; None wherever no result came for `pause_s` seconds."""
    left = dict.fromkeys(range(len(jobs)), TRIES)
    while left:
        numbers = list(left)
        suspects: list[int] = []
        with process_pool(min(count, len(numbers))) as pool, ended_early(pool):
            for one in _submitted([jobs[number] for number in numbers], pool, pause_s):
                if one is None:
                    yield None
                    continue
                number, result = numbers[one[0]], one[1]
                if result.message == _DIED:
                    suspects.append(number)
                    continue
                del left[number]
                yield number, result
        # Those that were being done when the pool broke still hold their claims.
        begun = [number for number in suspects if _was_begun(jobs[number])] or suspects
        for number in begun:
            left[number] -= 1
            if left[number] == 0:
                del left[number]
                yield number, failed_result(jobs[number], "its worker process died twice (out of memory?)")


_DIED = "its worker process died"


def _was_begun(job: FileJob) -> bool:
    return job.table is not None and bool(owner(claim_of(job.table)))


def _result_of(future: Future[FileResult], job: FileJob) -> FileResult:
    try:
        return future.result()
    except BrokenProcessPool:
        return FileResult(job.file, "failed", job.table, message=_DIED)
    except Exception as error:  # the executor's own: dask's KilledWorker, a lost connection
        return failed_result(job, f"{type(error).__name__}: {' '.join(str(error).split())}")
