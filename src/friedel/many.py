"""Detection in many files, by one process or many: each table holds its own state, so any number may share a folder.

A table's provenance says with which settings it was made, from which bytes. What is missing, or was made otherwise, is
to be done. A claim beside the table (`friedel.claims`) keeps two processes from the same file. A file that failed
leaves its reason in ``NAME.failed.json``. There is no other state, so nothing can be lost.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from friedel.claims import claim, owner
from friedel.errors import FriedelError, FriedelWarning, SettingsError, StackError
from friedel.progress import Progress, drain
from friedel.settings import DetectSettings, ImportSettings

if TYPE_CHECKING:
    import xarray as xr

    from friedel.detections import Detections

#: Names that no table of a grid takes.
RESERVED = ("summary",)
#: How often a file is tried whose worker dies.
TRIES = 2

Status = Literal["done", "up to date", "elsewhere", "failed"]


@dataclass(frozen=True)
class FileJob:
    """One file to detect in.

    Parameters
    ----------
    file : path
        A file or folder of `open_stack`.
    table : path, optional
        The CSV to write; its report lies beside it. None: the result is only returned.
    settings : DetectSettings
    axes : ImportSettings
    overwrite : bool
        Whether a table made otherwise is replaced.
    """

    file: Path
    table: Path | None = None
    settings: DetectSettings = field(default_factory=DetectSettings)
    axes: ImportSettings = field(default_factory=ImportSettings)
    overwrite: bool = False

    @property
    def report(self) -> Path | None:
        """The HTML report beside the table."""
        return None if self.table is None else self.table.with_suffix(".html")

    def options(self) -> dict[str, Any]:
        """What decides the result beside the file's bytes, in plain JSON types."""
        return {"settings": self.settings.as_dict(), "axes": self.axes.as_dict()}


@dataclass(frozen=True)
class FileResult:
    """What came of one file.

    Parameters
    ----------
    file : path
    status : {"done", "up to date", "elsewhere", "failed"}
        Elsewhere: another process is at it.
    table : path or None
        The table that holds the result.
    impurities : int or None
        How many; None where the file was not computed here.
    message : str
        Why it failed, or who is at it.
    found : Detections or None
        The result itself, where no table was asked for.
    """

    file: Path
    status: Status
    table: Path | None = None
    impurities: int | None = None
    message: str = ""
    found: Detections | None = None


Run = Callable[[Generator[Progress, None, "Detections"], str], "Detections"]


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
    """One job per file, with a table's name of its own in `folder`, which is made if missing."""
    paths = [Path(file) for file in files]
    tables: list[Path | None] = [None] * len(paths)
    if folder is not None:
        where = Path(folder)
        if where.exists() and not where.is_dir():
            raise StackError(f"{where} is a file; with several files name a folder.")
        where.mkdir(parents=True, exist_ok=True)
        tables = [where / f"{name}.csv" for name in result_names(paths)]
    return [
        FileJob(path, table, settings or DetectSettings(), axes or ImportSettings(), overwrite)
        for path, table in zip(paths, tables, strict=True)
    ]


def result_names(files: Sequence[Path]) -> list[str]:
    """A name for each file's results: its stem, with suffix or number where stems meet."""
    stems = [path.stem for path in files]
    names: list[str] = []
    for path, stem in zip(files, stems, strict=True):
        name = stem if stems.count(stem) == 1 else path.name.replace(".", "-")
        wanted, number = name, 1
        while name in names or name in RESERVED:
            number += 1
            name = f"{wanted}-{number}"
        names.append(name)
    return names


def grids_in(given: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Files to read; a folder that is not itself one stack stands for the grids in it."""
    from friedel.io import sniff

    found: list[Path] = []
    for name in given:
        path = Path(name)
        if path.is_dir() and sniff(path) is None:
            found += [item for item in sorted(path.iterdir()) if item.is_file() and sniff(item) is not None]
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def process_pool(jobs: int) -> ProcessPoolExecutor:
    """A pool of fresh processes that share this machine's cores.

    Parameters
    ----------
    jobs : int
        How many processes.
    """
    import multiprocessing

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, allowed // jobs)
    # spawn: torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin_worker, initargs=(threads,))


def _begin_worker(threads: int) -> None:
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import torch

    torch.set_num_threads(threads)


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
    waiting: dict[Future[FileResult], int] = {}
    try:
        for index, job in enumerate(jobs):
            waiting[executor.submit(detect_file, job)] = index
        for future in as_completed(waiting):
            yield waiting[future], _result_of(future, jobs[waiting[future]])
    except BrokenProcessPool:  # while submitting
        raise FriedelError("The worker processes died before the work began.") from None
    finally:
        for future in waiting:
            future.cancel()


def iter_jobs_in_processes(jobs: Sequence[FileJob], count: int) -> Iterator[tuple[int, FileResult]]:
    """Do all jobs in `count` processes; when one dies, a new pool goes on, and the file it died of is tried again."""
    left = dict.fromkeys(range(len(jobs)), TRIES)
    while left:
        numbers = list(left)
        suspects: list[int] = []
        with process_pool(min(count, len(numbers))) as pool:
            for where, result in iter_jobs([jobs[number] for number in numbers], pool):
                number = numbers[where]
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
                yield number, _failed(jobs[number], "its worker process died twice (out of memory?)")


_DIED = "its worker process died"


def _was_begun(job: FileJob) -> bool:
    return job.table is not None and bool(owner(_claim_of(job.table)))


def _result_of(future: Future[FileResult], job: FileJob) -> FileResult:
    try:
        return future.result()
    except BrokenProcessPool:
        return FileResult(job.file, "failed", job.table, message=_DIED)
    except Exception as error:  # the executor's own: dask's KilledWorker, a lost connection
        return _failed(job, f"{type(error).__name__}: {' '.join(str(error).split())}")


def detect_file(job: FileJob, run: Run | None = None) -> FileResult:
    """Do one job; errors come back in the result."""
    if job.table is None:
        return _tried(job, run)
    with claim(_claim_of(job.table)) as ours:
        if not ours:
            host, *_ = owner(_claim_of(job.table)).split() or ["another process"]
            return FileResult(job.file, "elsewhere", job.table, message=f"another process ({host}) is at it")
        return _tried(job, run)


def _tried(job: FileJob, run: Run | None) -> FileResult:
    try:
        return _done(job, run)
    except (FriedelError, OSError) as error:
        return _failed(job, " ".join(str(error).split()))
    except Exception as error:  # a reader's or network's own fault must not cost the other files
        return _failed(job, f"{type(error).__name__}: {' '.join(str(error).split())}")


def _done(job: FileJob, run: Run | None) -> FileResult:
    from friedel.io import open_stack

    state = fingerprint(job.file)
    if job.table is not None and not job.overwrite:
        if why := _out_of_date(job, state):
            raise SettingsError(f"{why}; choose another folder, or overwrite it.", settings="overwrite")
        if job.table.exists():
            _failure_of(job.table).unlink(missing_ok=True)
            return FileResult(job.file, "up to date", job.table)
    given = {name: value for name, value in job.axes.as_dict().items() if value is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FriedelWarning)  # they stand in the table, the report and the summary
        stack = open_stack(job.file, **given)
        found = _detected(stack, job.settings, run, job.file.name)
    if job.table is None:
        return FileResult(job.file, "done", None, len(found), found=found)
    _write(job, stack, found, state)
    return FileResult(job.file, "done", job.table, len(found))


def _detected(stack: xr.Dataset, settings: DetectSettings, run: Run | None, title: str) -> Detections:
    from friedel.pipeline import iter_detect_with

    model = _model(settings.model, settings.device) if settings.method == "network" else None
    work = iter_detect_with(stack, settings, model=model)
    return drain(work) if run is None else run(work, title)


@lru_cache(maxsize=2)
def _model(name: str, device: str) -> Any:
    """Loaded once per process."""
    from friedel.models.registry import load_model

    return load_model(name, device)


def _write(job: FileJob, stack: xr.Dataset, found: Detections, state: dict[str, Any]) -> None:
    from friedel.io.points import write_points
    from friedel.report.html import write_report
    from friedel.scoring.areal_density import covered_area, density

    if job.table is None or job.report is None:
        return
    number = density(len(found), covered_area(stack, found.area, found.provenance["channel"]))
    told = {
        "value_per_nm2": number.value,
        "low": number.low,
        "high": number.high,
        "area_nm2": number.area_nm2,
    }
    found = replace(
        found, provenance=found.provenance | {"job": job.options(), "file": state, "density": told}
    )
    write_report(stack, found, job.report, name=job.file.name)
    # The table last: it is what says that this file is done.
    write_points(found, job.table)
    _failure_of(job.table).unlink(missing_ok=True)


def _out_of_date(job: FileJob, state: dict[str, Any]) -> str:
    """Why the table that is there does not do; empty if it does, or if there is none."""
    from friedel.io.points import read_points
    from friedel.report.html import is_ours

    if job.table is None or job.report is None:
        return ""
    if not job.table.exists():
        return "" if is_ours(job.report) else f"{job.report} exists already and is no report of friedel"
    try:
        made = read_points(job.table).attrs["provenance"]
    except FriedelError:
        made = {}
    if "job" not in made:
        return f"{job.table} exists already and is no table of this command"
    if made["job"] != job.options():
        return f"the table was made with other options; {job.table} exists already"
    if made.get("file", {}).get("sha256") != state["sha256"]:
        return f"the file has changed since; {job.table} exists already"
    return ""


def fingerprint(path: Path) -> dict[str, Any]:
    """Name and SHA-256 of a file's bytes; of all names and bytes in it, for a folder."""
    total = hashlib.sha256()
    parts = [path] if not path.is_dir() else sorted(part for part in path.rglob("*") if part.is_file())
    for part in parts:
        if part is not path:
            total.update(str(part.relative_to(path)).encode("utf-8", "surrogateescape") + b"\0")
        if not part.is_file():
            raise StackError(
                f"{part}: there is no such file." if not part.exists() else f"{part}: not a file."
            )
        with part.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return {"name": str(path), "sha256": total.hexdigest()}


def _claim_of(table: Path) -> Path:
    return table.with_name(f".{table.name}.claim")


def _failure_of(table: Path) -> Path:
    return table.with_suffix(".failed.json")


def _failed(job: FileJob, message: str) -> FileResult:
    """Leave the reason beside the table that is missing."""
    if job.table is not None and not job.table.exists():
        from friedel._util.atomic_write import write_beside

        told = {"file": str(job.file), "message": message, **job.options()}
        try:
            with write_beside(_failure_of(job.table)) as beside:
                beside.write_text(json.dumps(told, indent=1), encoding="utf-8")
        except OSError:
            pass  # a full disk: the message still reaches whoever asked
    return FileResult(job.file, "failed", job.table, message=message)
