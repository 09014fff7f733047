"""Many stacks in one command: a table and a report each, one summary; a bad file does not stop the rest."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from friedel._util.atomic_write import write_beside
from friedel.cli.common import check_output, open_input
from friedel.cli.detect import detect_with_bar
from friedel.cli.report import write_report
from friedel.errors import FriedelError, FriedelWarning, StackError

SUMMARY = "summary.csv"
UNFINISHED = "unfinished"
_COLUMNS = [
    "file", "status", "impurities", "density_per_nm2", "area_nm2", "channel", "method", "model", "threshold",
    "warnings", "table", "report",
]  # fmt: skip


def run_batch(args: argparse.Namespace, folder: Path, options: dict[str, Any]) -> int:
    """Detect in every file.

    Parameters
    ----------
    args : argparse.Namespace
        `file`, `overwrite` and the options of `add_input`.
    folder : path
        For the results; made if missing.
    options : dict
        Keywords of `iter_detect`.

    Returns
    -------
    int
        0 if every file went well, else 2.
    """
    files = _files(args.file)
    if not files:
        raise StackError(f"There is no grid of spectra in {', '.join(args.file)}.")
    if folder.exists() and not folder.is_dir():
        raise StackError(f"{folder} is a file; with several files name a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    names = _names(files)
    rows: dict[str, dict[str, Any]] = _earlier(folder, args.overwrite)
    failed = 0
    for number, (path, name) in enumerate(zip(files, names, strict=True), start=1):
        key, table = str(path), folder / f"{name}.csv"
        title = f"[{number}/{len(files)}] {path.name}"
        row = rows.get(key)
        if not args.overwrite and _done(path, table, row, options):
            print(f"{title}: {table} is up to date")
            continue
        if row is None or row.get("status") != UNFINISHED:
            try:
                ours = [table] if row is not None else [table, table.with_suffix(".html")]
                check_output(*ours, overwrite=args.overwrite, other="folder")
            except StackError as error:
                # The line in the summary stands: it tells of the table that stays.
                failed += 1
                print(f"friedel: {title}: {_why(path, table, row)}{error}", file=sys.stderr)
                continue
        # Written before the table is: what an interruption leaves behind is ours to replace.
        rows[key] = {"file": key, "status": UNFINISHED}
        _write_summary(rows, folder)
        try:
            rows[key] = _one(path, table, args, options, title)
            print(f"{title}: {rows[key]['impurities']} impurities in {table}")
        except (FriedelError, OSError) as error:
            failed += 1
            text = " ".join(str(error).split())
            rows[key] = {"file": key, "status": f"failed: {text}"}
            print(f"friedel: {title}: {text}", file=sys.stderr)
        except Exception as error:  # a reader's or network's own fault must not cost the other files
            failed += 1
            rows[key] = {
                "file": key,
                "status": f"failed: {type(error).__name__}: {' '.join(str(error).split())}",
            }
            print(f"friedel: {title}: {rows[key]['status']}", file=sys.stderr)
        _write_summary(rows, folder)  # after every file: an interruption loses nothing
    _write_summary(rows, folder)
    print(f"{len(files) - failed} of {len(files)} files done; {folder / SUMMARY} lists all.")
    return 2 if failed else 0


def _one(
    path: Path, table: Path, args: argparse.Namespace, options: dict[str, Any], title: str
) -> dict[str, Any]:
    """Detect in one file and write its table and report; its line of the summary."""
    from friedel.io.points import write_points
    from friedel.scoring.areal_density import covered_area, density

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FriedelWarning)  # they stand in the table, the report and the summary
        stack = open_input([str(path)], args)
        found = detect_with_bar(stack, title, **options)
    number = density(len(found), covered_area(stack, found.area, found.provenance["channel"]))
    report = table.with_suffix(".html")
    write_report(stack, found, report, name=path.name)
    # The table last: it is what says that this file is done.
    write_points(found, table)
    made = found.provenance
    return {
        "file": str(path), "status": "ok", "impurities": len(found), "density_per_nm2": number.value,
        "area_nm2": number.area_nm2, "channel": made["channel"], "method": made["method"],
        "model": made.get("model", ""), "threshold": found.threshold, "warnings": " | ".join(made["warnings"]),
        "table": table.name, "report": report.name, "options": _key(options),
    }  # fmt: skip


def _key(options: dict[str, Any]) -> str:
    """The options as text: results made with others are not up to date."""
    return json.dumps({name: str(value) for name, value in sorted(options.items())}, sort_keys=True)


def _done(path: Path, table: Path, row: dict[str, Any] | None, options: dict[str, Any]) -> bool:
    if row is None or row.get("status") != "ok" or row.get("options") != _key(options):
        return False
    try:
        return table.stat().st_mtime >= path.stat().st_mtime
    except OSError:
        return False


def _why(path: Path, table: Path, row: dict[str, Any] | None) -> str:
    """Why a table that is there does not do."""
    if row is None or row.get("status") != "ok":
        return ""
    if table.stat().st_mtime < path.stat().st_mtime:
        return "the file is newer than its table; "
    return "the table was made with other options; "


def _earlier(folder: Path, overwrite: bool) -> dict[str, dict[str, Any]]:
    """Lines of an earlier summary; another program's file of that name is not replaced unasked."""
    path = folder / SUMMARY
    if not path.exists():
        return {}
    try:
        table = pd.read_csv(path, keep_default_na=False)
        if "status" not in table:
            raise KeyError("status")
        return {
            str(row["file"]): {str(name): value for name, value in row.items()}
            for row in table.to_dict("records")
        }
    except (OSError, ValueError, KeyError):
        check_output(path, overwrite=overwrite, other="folder")
        return {}


def _write_summary(rows: dict[str, dict[str, Any]], folder: Path) -> None:
    table = pd.DataFrame(list(rows.values())).reindex(columns=[*_COLUMNS, "options"])
    with write_beside(folder / SUMMARY) as beside:
        table.to_csv(beside, index=False)


def _files(given: list[str]) -> list[Path]:
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


def _names(files: list[Path]) -> list[str]:
    """A name for each file's results: its stem, with suffix or number where stems meet."""
    stems = [path.stem for path in files]
    names: list[str] = []
    for path, stem in zip(files, stems, strict=True):
        name = stem if stems.count(stem) == 1 else path.name.replace(".", "-")
        wanted, number = name, 1
        while name in names or name == Path(SUMMARY).stem:
            number += 1
            name = f"{wanted}-{number}"
        names.append(name)
    return names
