"""``friedel doctor``: what this machine has, and what a detection on it will use."""

from __future__ import annotations

from dataclasses import asdict

import click

from friedel.cli.options import FriedelCommand
from friedel.cli.output import one_line, say, say_json
from friedel.doctor import Finding, examine


@click.command(cls=FriedelCommand)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> int:
    """Say what this machine has: packages, cores, memory, GPU, window.

    Every line that begins with an arrow says what to do about the line above it. The exit code is 0 whatever is
    missing; --json gives every finding as topic, text and hint.
    """
    findings = examine()
    if as_json:
        say_json([asdict(finding) for finding in findings])
    else:
        say("\n".join(_lines(findings)))
    return 0


def _lines(findings: tuple[Finding, ...]) -> list[str]:
    width = max(len(finding.topic) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.topic:<{width}}  {one_line(finding.text)}".rstrip())
        if finding.hint:
            lines.append(f"{'':<{width}}  → {one_line(finding.hint)}")
    return lines
