"""The summary of a folder of results: derived from the tables in it, as CSV and as HTML with thumbnails."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass, fields
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friedel._util.arguments import path_of, truth_of
from friedel._util.atomic_write import write_beside
from friedel._util.paths_apart import told_apart
from friedel.errors import FriedelError, StackError
from friedel.report.checks import counted, read_checks
from friedel.report.style import STYLE
from friedel.result_names import FAILED

if TYPE_CHECKING:
    import os

NAME = "summary"
#: A spreadsheet takes a cell that begins so for a formula.
_FORMULA = re.compile(r"^[=+\-@\t\r]")
_THUMBNAIL = re.compile(r'<meta name="thumbnail" content="(data:image/png;base64,[A-Za-z0-9+/=]+)">')


@dataclass(frozen=True)
class SummaryRow:
    """What one table says of its file.

    Parameters
    ----------
    file : str
        The file that was searched.
    status : str
        ``ok``, or ``failed:`` with the reason.
    impurities : int or None
    density_per_nm2, density_low, density_high : float or None
        With its 95 % interval [nm⁻²].
    area_nm2 : float or None
        Acquired area [nm²].
    channel, method, model : str
    threshold : float or None
    checks : str
        How many checks of the result passed, and the names of those that failed.
    warnings : str
        Sentences, those of the failed checks among them.
    table, report : str
        Names of the files beside the summary.
    """

    file: str
    status: str
    impurities: int | None = None
    density_per_nm2: float | None = None
    density_low: float | None = None
    density_high: float | None = None
    area_nm2: float | None = None
    channel: str = ""
    method: str = ""
    model: str = ""
    threshold: float | None = None
    checks: str = ""
    warnings: str = ""
    table: str = ""
    report: str = ""


COLUMNS = tuple(field.name for field in fields(SummaryRow))


def read_folder(folder: str | os.PathLike[str]) -> list[SummaryRow]:
    """One row per table of `friedel detect`, of one file or of many, and per file that failed, by name of the file.

    Parameters
    ----------
    folder : path

    Raises
    ------
    StackError
        If there is no such folder.
    """
    where = Path(folder)
    if not where.is_dir():
        raise StackError(f"{where}: there is no such folder.")
    rows = [_row(path) for path in sorted(where.glob("*.csv")) if path.stem != NAME]
    known = [row for row in rows if row is not None]
    known += [_failure(path) for path in sorted(where.glob(f"*{FAILED}"))]
    return sorted(known, key=lambda row: (row.file, row.table))


def write_summary(folder: str | os.PathLike[str], *, overwrite: bool = False) -> list[SummaryRow]:
    """Write ``summary.csv`` and ``summary.html`` of a folder.

    Any number of processes may do so at once: each writes what it sees, and looks again afterwards.

    Parameters
    ----------
    folder : path
    overwrite : bool
        Whether another program's file of that name is replaced.

    Returns
    -------
    list of SummaryRow

    Raises
    ------
    StackError
        If there is no such folder, or the file there is another program's.
    """
    where = path_of(folder, "folder")
    check_summary(where, overwrite=truth_of(overwrite, "overwrite"))
    while True:
        before = _state(where)
        rows = read_folder(where)
        for suffix, text in ((".csv", as_csv(rows)), (".html", as_html(rows, where))):
            with write_beside(where / f"{NAME}{suffix}") as beside:
                beside.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        # A table that another process finished meanwhile, and whose row its own summary had, must not be lost by ours.
        if _state(where) == before:
            return rows


def check_summary(folder: Path, *, overwrite: bool = False) -> None:
    """Raise `StackError` if ``summary.csv`` of another program is in the way."""
    path = folder / f"{NAME}.csv"
    if overwrite or not path.exists():
        return
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            ours = file.readline().startswith("file,status,impurities")
    except OSError:
        ours = False
    if not ours:
        raise StackError(
            f"{path} exists already and is no summary of friedel; choose another folder, or overwrite it.",
            settings="overwrite",
        )


def as_csv(rows: list[SummaryRow]) -> str:
    """The rows as CSV; a cell that a spreadsheet would run as a formula begins with an apostrophe."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([cell(getattr(row, name)) for name in COLUMNS])
    return stream.getvalue()


def cell(value: Any) -> str:
    """A value as a harmless cell."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = " ".join(str(value).split())
    return f"'{text}" if isinstance(value, str) and _FORMULA.match(text) else text


def as_html(rows: list[SummaryRow], folder: Path) -> str:
    """The rows as a page that needs no network; thumbnails and links lead to the reports beside it."""
    names = told_apart([row.file for row in rows])
    body = "\n".join(_line(row, name, folder) for row, name in zip(rows, names, strict=True))
    done = sum(row.status == "ok" for row in rows)
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='generator' content='friedel'>"
        f"<title>{escape(folder.resolve().name)}</title><style>{STYLE}</style><h1>{escape(folder.resolve().name)}</h1>"
        f"<p>{done} of {len(rows)} files done.</p><table><tr><th></th><th>file</th><th>impurities</th>"
        "<th>density [nm⁻²]</th><th>95 %</th><th>area [nm²]</th><th>method</th><th>checks</th><th>remarks</th></tr>\n"
        f"{body}\n</table></html>\n"
    )


def _line(row: SummaryRow, name: str, folder: Path) -> str:
    image = _thumbnail(folder / row.report) if row.report else ""
    name = escape(name)
    if row.report:
        name = f"<a href='{escape(row.report, quote=True)}'>{name}</a>"
    interval = ""
    if row.density_low is not None and row.density_high is not None:
        interval = f"{row.density_low:.4g} to {row.density_high:.4g}"
    remarks = " ".join(part for part in ("" if row.status == "ok" else row.status, row.warnings) if part)
    cells = [
        f"<img width='120' alt='' src='{image}'>" if image else "", name, _number(row.impurities),
        _number(row.density_per_nm2), interval, _number(row.area_nm2),
        escape(" ".join(part for part in (row.method, row.model) if part)),
        escape(row.checks), escape(remarks),
    ]  # fmt: skip
    return "<tr>" + "".join(f"<td>{text}</td>" for text in cells) + "</tr>"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _thumbnail(report: Path) -> str:
    try:
        with report.open(encoding="utf-8", errors="replace") as file:
            found = _THUMBNAIL.search(file.read(200_000))
    except OSError:
        return ""
    return found[1] if found else ""


def _row(path: Path) -> SummaryRow | None:
    from friedel.io.points import read_points

    try:
        table = read_points(path)
    except FriedelError:
        return None  # another program's table
    made = table.attrs["provenance"]
    if not {"method", "settings"} <= set(made):
        return None  # of points from another source
    number = made.get("density", {})
    report = path.with_suffix(".html")
    return SummaryRow(
        file=str(made.get("file", {}).get("name") or made.get("source", "")),
        status="ok",
        impurities=len(table),
        density_per_nm2=number.get("value_per_nm2"),
        density_low=number.get("low"),
        density_high=number.get("high"),
        area_nm2=number.get("area_nm2"),
        channel=str(made.get("channel", "")),
        method=str(made.get("method", "")),
        model=str(made.get("model", "")),
        threshold=made.get("threshold"),
        checks=counted(read_checks(made.get("checks"))),
        warnings=" | ".join(map(str, made.get("warnings", []))),
        table=path.name,
        report=report.name if report.exists() else "",
    )


def _failure(path: Path) -> SummaryRow:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return SummaryRow(file=str(told["file"]), status=f"failed: {told['message']}")
    except (OSError, ValueError, KeyError, TypeError):
        return SummaryRow(file=path.name.removesuffix(FAILED), status="failed")


def _state(folder: Path) -> set[tuple[str, int]]:
    """Tables and failures with the time of their last change."""
    found = set()
    for path in [*folder.glob("*.csv"), *folder.glob(f"*{FAILED}")]:
        if path.stem != NAME:
            try:
                found.add((path.name, path.stat().st_mtime_ns))
            except OSError:
                continue  # replaced meanwhile
    return found
