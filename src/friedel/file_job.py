"""One file of many: its table holds its own state.

A table's provenance says with which settings it was made, from which bytes. What is missing, or was made otherwise, is
to be done. A claim beside the table (`friedel.claims`) keeps two processes from the same file. A file that failed
leaves its reason in ``NAME.failed.json``. There is no other state, so nothing can be lost.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from friedel.claims import claim, owner
from friedel.errors import FriedelError, FriedelWarning, SettingsError
from friedel.progress import Progress, drain
from friedel.result_names import FAILED, absolute, fingerprint, source_of
from friedel.settings import DetectSettings, ImportSettings
from friedel.settings.detection import devices_of

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from friedel.detections import Detections

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
    device : str, optional
        Which of the settings' devices this file has; the first if None. It does not decide the result.
    title : str
        What the file is called while it is being done; its name if empty.
    """

    file: Path
    table: Path | None = None
    settings: DetectSettings = field(default_factory=DetectSettings)
    axes: ImportSettings = field(default_factory=ImportSettings)
    overwrite: bool = False
    device: str | None = None
    title: str = ""

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


Steps = Generator[Progress, None, FileResult]
Run = Callable[[Steps, str], FileResult]


def detect_file(job: FileJob, run: Run | None = None) -> FileResult:
    """Do one job; errors come back in the result."""
    work = iter_detect_file(job)
    return drain(work) if run is None else run(work, job.title or job.file.name)


def iter_detect_file(job: FileJob) -> Steps:
    """Do one job step by step; it can be stopped between any two, and holds its claim until then."""
    if job.table is None:
        return (yield from _tried(job))
    with claim(claim_of(job.table)) as ours:
        if not ours:
            host, *_ = owner(claim_of(job.table)).split() or ["another process"]
            return FileResult(job.file, "elsewhere", job.table, message=f"another process ({host}) is at it")
        return (yield from _tried(job))


def _tried(job: FileJob) -> Steps:
    try:
        return (yield from _done(job))
    except (FriedelError, OSError) as error:
        return failed_result(job, " ".join(str(error).split()))
    except Exception as error:  # a reader's or network's own fault must not cost the other files
        return failed_result(job, f"{type(error).__name__}: {' '.join(str(error).split())}")


def _done(job: FileJob) -> Steps:
    from friedel.io import open_stack

    state = fingerprint(job.file)
    if job.table is not None:
        _refuse_another_files(job.table, job)
    if job.table is not None and not job.overwrite:
        if why := _out_of_date(job, state):
            raise SettingsError(f"{why}; choose another folder, or overwrite it.", settings="overwrite")
        if job.table.exists():
            _failure_of(job.table).unlink(missing_ok=True)
            return FileResult(job.file, "up to date", job.table)
    given = {name: value for name, value in job.axes.as_dict().items() if value is not None}
    with _unsaid():
        stack = open_stack(job.file, **given)
    found = yield from _detected(stack, job)
    if job.table is None:
        return FileResult(job.file, "done", None, len(found), found=found)
    _write(job, stack, found, state)
    return FileResult(job.file, "done", job.table, len(found))


def _detected(stack: xr.Dataset, job: FileJob) -> Generator[Progress, None, Detections]:
    from friedel.pipeline import iter_detect_with

    settings = replace(job.settings, device=job.device or devices_of(job.settings.device)[0])
    model = _model(settings.model, settings.device) if settings.method == "network" else None
    with closing(iter_detect_with(stack, settings, model=model)) as work:
        while True:
            try:
                with _unsaid():  # step by step: the filters are the whole process's
                    step = next(work)
            except StopIteration as end:
                found: Detections = end.value
                return found
            yield step


@contextmanager
def _unsaid() -> Iterator[None]:
    """Tell no warning: they stand in the table, the report and the summary."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FriedelWarning)
        yield


@lru_cache(maxsize=8)
def _model(name: str, device: str) -> Any:
    """Loaded once per process and device."""
    from friedel.models.runtime import load_for_detection

    return load_for_detection(name, device)


def _write(job: FileJob, stack: xr.Dataset, found: Detections, state: dict[str, Any]) -> None:
    from friedel.io.points import write_points
    from friedel.report.html import write_report

    if job.table is None or job.report is None:
        return
    made = {"job": job.options(), "file": state, "density": density_of(found, stack)}
    found = replace(found, provenance=found.provenance | made)
    write_report(stack, found, job.report, name=job.file.name)
    # The table last: it is what says that this file is done.
    write_points(found, job.table)
    _failure_of(job.table).unlink(missing_ok=True)


def density_of(found: Detections, stack: xr.Dataset) -> dict[str, float]:
    """How many impurities per area [nm⁻²], its 95 % interval and the area [nm²], as the provenance tells them.

    Where no probability is listed, the density is unknown, and the area stands alone.
    """
    from friedel.scoring.areal_density import covered_area, density

    area = covered_area(stack, found.area, found.provenance["channel"])
    number = density(len(found), area, withheld=found.withheld)
    told: dict[str, float] = {"area_nm2": number.area_nm2}
    if number.known:
        told |= {"value_per_nm2": number.value, "low": number.low, "high": number.high}
    return told


def _refuse_another_files(table: Path, job: FileJob) -> None:
    """A process that was given other files may have taken the name meanwhile: its result is not replaced."""
    from friedel.io.points import read_provenance

    made = source_of(read_provenance(table))
    if made is not None and not made.is_of(job.file):
        raise SettingsError(
            f"{table} was made meanwhile of another file, {made.name}; run the command again, and this file gets "
            "a table of its own."
        )


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


def claim_of(table: Path) -> Path:
    """The claim file beside a table."""
    return table.with_name(f".{table.name}.claim")


def _failure_of(table: Path) -> Path:
    return table.with_suffix(FAILED)


def failed_result(job: FileJob, message: str) -> FileResult:
    """Leave the reason beside the table that is missing."""
    if job.table is not None and not job.table.exists():
        from friedel._util.atomic_write import write_beside

        told = {"file": str(job.file), "path": absolute(job.file), "message": message, **job.options()}
        # On a full disk the message still reaches whoever asked.
        with suppress(OSError), write_beside(_failure_of(job.table)) as beside:
            beside.write_text(json.dumps(told, indent=1), encoding="utf-8")
    return FileResult(job.file, "failed", job.table, message=message)
