"""The one check of a model's header: what every entry must be before anything is built or allocated.

A header comes from a file that anybody may have written. What passes here can be shown, listed and built without a
further check of its types: `friedel.models.card`, `friedel.models.calibration` and the detector rely on it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

from friedel.errors import ModelError

#: Version of the header that this version of friedel writes, and the newest that it reads.
FORMAT = 2
#: Entries that every header needs.
REQUIRED = ("architecture", "config", "k_range")
#: Levels of lists and objects inside a header.
MAX_DEPTH = 16
#: No wavevector of a sampled wave is larger [rad/px]: π, and the Nyquist limit is half of that.
MAX_K = math.pi

Check = Callable[[Any], bool]


def number(low: float = -math.inf, high: float = math.inf) -> Check:
    """Make a check: a finite number from `low` to `high`."""

    def check(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            return False
        return abs(value) <= sys.float_info.max

    return check


def whole(low: int, high: int) -> Check:
    """Make a check: a whole number from `low` to `high`."""

    def check(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return check


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _k_pair(value: Any) -> bool:
    inside = number(0, MAX_K)
    return isinstance(value, list) and len(value) == 2 and all(map(inside, value)) and value[0] <= value[1]


def _origin(value: Any) -> bool:
    return _object(value) and all(_text(value.get(name)) for name in ("name", "sha256"))


def _numbers(value: Any) -> bool:
    return _object(value) and all(map(number(), value.values()))


def _calibration(value: Any) -> bool:
    if not _numbers(value):
        return False
    return "spread" not in value or {"noise", "intercept"} <= set(value)


def _validation(value: Any) -> bool:
    return _object(value) and ("f1" not in value or number(0, 1)(value["f1"]))


def _sample(value: Any) -> bool:
    """Where a fine-tuning says what it saw: rows and columns are two numbers."""
    if not _object(value):
        return False
    shape = value.get("shape", [1, 1])
    return isinstance(shape, list) and len(shape) == 2 and all(map(whole(0, 10**9), shape))


def _fine_tune(value: Any) -> bool:
    if not _object(value):
        return False
    numbers = all(number()(value[name]) for name in ("alpha", "learning_rate") if name in value)
    return numbers and all(_numbers(value.get(name) or {}) for name in ("before", "after"))


#: Entry → (check, what it must be, in words).
SCHEMA: dict[str, tuple[Check, str]] = {
    "architecture": (_text, "a name"),
    "config": (_object, "an object"),
    "k_range": (_k_pair, "two wavevectors from 0 to π rad/px, the smaller first"),
    "k_mean": (_k_pair, "two wavevectors from 0 to π rad/px, the smaller first"),
    "format": (whole(1, 10**6), "a whole number"),
    "threshold": (number(0, 1), "a number from 0 to 1"),
    "calibration": (_calibration, "an object of numbers, with spread also noise and intercept"),
    "sigma_scale": (number(1e-3, 1e3), "a number from 0.001 to 1000"),
    "minutes": (number(0), "a number from 0 up"),
    "steps": (whole(0, 10**12), "a whole number"),
    "patch": (whole(1, 10**6), "a whole number from 1 up"),
    "begun_with": (_origin, "an object with name and sha256"),
    "initialised_from": (_origin, "an object with name and sha256"),
    "validation": (_validation, "an object whose f1 is a number from 0 to 1"),
    "parent": (_text, "a SHA-256"),
    "parent_name": (_text, "a name"),
    "sample": (_sample, "an object whose shape is two whole numbers"),
    "fine_tune": (_fine_tune, "an object of settings and figures"),
    "training": (_object, "an object"),
}


def check_header(header: Any, where: str) -> dict[str, Any]:
    """Give back a header that is complete and whose entries are what they must be.

    Parameters
    ----------
    header : object
        What the JSON held.
    where : str
        The file, for the sentence; ``"The model"`` for one that has no file yet.

    Returns
    -------
    dict

    Raises
    ------
    ModelError
        If an entry is missing, of the wrong kind or outside its range, or the header is of a newer version.
    """
    if not isinstance(header, Mapping) or any(name not in header for name in REQUIRED):
        raise ModelError(f"{where} is no complete friedel model; its header needs {', '.join(REQUIRED)}.")
    version = header.get("format", FORMAT)
    if number()(version) and version > FORMAT:
        raise ModelError(f"{where} was written by a newer napari-friedel (format {version:g}); update it.")
    if not _is_json(header, MAX_DEPTH):
        raise ModelError(
            f"{where} has a header with infinite numbers, other than JSON values, or more than {MAX_DEPTH} levels."
        )
    for name, (check, words) in SCHEMA.items():
        if header.get(name) is not None and not check(header[name]):
            shown = repr(header[name])
            shown = shown if len(shown) <= 60 else shown[:57] + "..."
            raise ModelError(f"{where} has a damaged header: {name} must be {words}, not {shown}.")
        if name in REQUIRED and header[name] is None:
            raise ModelError(f"{where} has a damaged header: {name} must be {words}, not null.")
    # An entry that is null says as much as one that is missing.
    return {name: value for name, value in header.items() if value is not None or name not in SCHEMA}


def _is_json(value: Any, depth: int) -> bool:
    """Whether a value is made of finite JSON values, at most `depth` levels deep."""
    if value is None or isinstance(value, (str, bool)):
        return True
    if isinstance(value, int):
        return abs(value) < 2**63
    if isinstance(value, float):
        return math.isfinite(value)
    if depth == 0:
        return False
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_json(one, depth - 1) for name, one in value.items())
    return isinstance(value, (list, tuple)) and all(_is_json(one, depth - 1) for one in value)
