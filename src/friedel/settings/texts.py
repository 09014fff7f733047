"""Values that are several numbers, as text: one form for the command line, a line of a form and a provenance."""

from __future__ import annotations

import re
from typing import Any

#: Rows and columns: ``((row_start, row_stop), (column_start, column_stop))``.
Area = tuple[tuple[int, int], tuple[int, int]]


def read_area(text: str) -> Area:
    """Read ``R0:R1,C0:C1``."""
    match = re.fullmatch(r"\s*(\d+):(\d+),(\d+):(\d+)\s*", text)
    if not match:
        raise ValueError(text)
    r0, r1, c0, c1 = map(int, match.groups())
    return (r0, r1), (c0, c1)


def show_area(area: Area) -> str:
    """Write ``R0:R1,C0:C1``."""
    return ",".join(f"{start}:{stop}" for start, stop in area)


def read_shape(text: str) -> tuple[int, int]:
    """Read ``ROWS,COLUMNS`` or ``ROWSxCOLUMNS``."""
    rows, columns = (int(part) for part in text.replace("x", ",").split(","))
    return rows, columns


def read_voltages(text: str) -> tuple[float, ...]:
    """Read ``START:STOP:STEP`` (both ends included) or ``a,b,c`` [mV]."""
    if ":" not in text:
        return tuple(float(part) for part in text.split(","))
    start, stop, step = (float(part) for part in text.split(":"))
    count = (stop - start) / step if step else -1.0
    if not 0 <= count < 1e5:  # no step leads there, or NaN
        raise ValueError(text)
    return tuple(start + index * step for index in range(int(count + 0.5) + 1))


def read_pixel(text: str) -> float | tuple[float, ...]:
    """Read ``NM`` or ``Y,X``."""
    values = tuple(float(part) for part in text.split(","))
    return values[0] if len(values) == 1 else values


def read_names(text: str) -> tuple[str, ...]:
    """Read ``a,b,c``; every name once, at least one."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise ValueError(text)
    return names


def show_list(values: Any) -> str:
    """Write numbers or names with commas between; a single number as it is."""
    if not isinstance(values, (tuple, list)):
        return _show(values)
    return ",".join(_show(value) for value in values)


def _show(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)
