"""``friedel summary``: what is in a folder of results."""

from __future__ import annotations

from pathlib import Path

import click

from friedel.cli.options import FriedelCommand, overwrite_option
from friedel.cli.output import say


@click.command(cls=FriedelCommand)
@click.argument("folder")
@overwrite_option("Replace a summary.csv of another program.")
def command(folder: str, overwrite: bool) -> int:
    """List the results in a folder of tables, as summary.csv and summary.html.

    The summary is derived from the tables (.csv) of `friedel detect` in FOLDER, of one file each or of many; write it
    again whenever they have changed.
    """
    from friedel.report.summary import write_summary

    rows = write_summary(folder, overwrite=overwrite)
    done = sum(row.status == "ok" for row in rows)
    say(f"{done} of {len(rows)} files done; {Path(folder) / 'summary.csv'} and summary.html list all.")
    return 0
