"""The checks of a result as a provenance holds them: read back, counted, and as rows of a page."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

from friedel.detections import Check

if TYPE_CHECKING:
    from collections.abc import Iterable


def read_checks(told: Any) -> tuple[Check, ...]:
    """The checks of a provenance; what is no check is left out, for a table may be written by anybody.

    Parameters
    ----------
    told : list of dict
        ``provenance["checks"]``, each with `name`, `value`, `limit`, `passed`, `sentence` and, from version 0.2 on,
        `noted`; a value that could not be measured is None.

    Returns
    -------
    tuple of Check
    """
    if not isinstance(told, list):
        return ()
    return tuple(
        Check(
            name=str(one["name"]),
            value=_number(one.get("value")),
            limit=_number(one.get("limit")),
            passed=bool(one.get("passed", True)),
            sentence=str(one.get("sentence", "")),
            noted=bool(one.get("noted", False)),
        )
        for one in told
        if isinstance(one, dict) and "name" in one
    )


def counted(checks: Iterable[Check]) -> str:
    """How many passed, and which failed or are noted: ``"8 of 9 passed; failed: ring; noted: line"``; empty without."""
    every = tuple(checks)
    if not every:
        return ""
    passed = sum(check.passed for check in every)
    told = {state: [check.name for check in every if check.state == state] for state in ("failed", "noted")}
    words = (f"; {word}: {', '.join(names)}" for word, names in told.items() if names)
    return f"{passed} of {len(every)} passed{''.join(words)}"


def as_table(checks: Iterable[Check]) -> str:
    """An HTML table of the checks, the failed ones first and marked, then the noted ones; empty without checks."""
    lines = [_line(check) for check in sorted(checks, key=lambda check: (check.passed, not check.noted))]
    if not lines:
        return ""
    head = "<tr><th>check</th><th></th><th>value</th><th>limit</th><th class='text'>what was found</th></tr>"
    return f"<table>{head}{''.join(lines)}</table>"


def _line(check: Check) -> str:
    cells = [escape(check.name), check.state]
    cells += ["" if math.isnan(value) else f"{value:.3g}" for value in (check.value, check.limit)]
    mark = "" if check.state == "passed" else f" class='{check.state}'"
    body = "".join(f"<td>{text}</td>" for text in cells)
    return f"<tr{mark}>{body}<td class='text'>{escape(check.sentence)}</td></tr>"


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan
