"""Arguments of public functions: of the right type, or a `SettingsError` that names the argument."""

from __future__ import annotations

import math
import numbers
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from friedel.errors import SettingsError

T = TypeVar("T")


def _refused(value: Any, name: str, wanted: str) -> SettingsError:
    return SettingsError(f"{name} must be {wanted}, not {value!r:.60}.", settings=name)


def instance_of(value: Any, kind: type[T] | tuple[type[T], ...], name: str, wanted: str) -> T:
    """`value`, which must be a `kind`; `wanted` says in words what that is."""
    if not isinstance(value, kind):
        raise _refused(value, name, wanted)
    return value


def path_of(value: Any, name: str = "path") -> Path:
    """`value` as a path."""
    try:
        path = Path(value)
    except TypeError:
        raise _refused(value, name, "a path") from None
    if "\0" in str(path):
        raise _refused(value, name, "a path that a file can have")
    return path


def target_of(value: Any, name: str = "path") -> Path:
    """`value` as the path of a file to write, which is no folder."""
    path = path_of(value, name)
    if not path.name:
        raise _refused(str(value), name, "the path of a file")
    return path


def truth_of(value: Any, name: str) -> bool:
    """`value`, which must be True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise _refused(value, name, "True or False")
    return bool(value)


def is_finite(value: Any) -> bool:
    """Whether `value` is a number that a float holds, and neither infinite nor NaN."""
    try:
        return isinstance(value, numbers.Real) and math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False


def number_of(value: Any, name: str, wanted: str = "a finite number") -> float:
    """`value`, which must be a finite number, as float."""
    if is_finite(value):
        return float(value)
    raise _refused(value, name, wanted)


def numbers_of(value: Any, name: str, wanted: str) -> np.ndarray:
    """`value` as an array of floats; a text is none, even where it reads as a number."""
    try:
        array = np.asarray(value)
        if array.dtype.kind in "fiubO":
            return array.astype(float)
    except (TypeError, ValueError, OverflowError):
        pass
    raise _refused(value, name, wanted)
