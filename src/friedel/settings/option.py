"""Unit, range and text form of one setting, and how a value becomes the setting's type."""

from __future__ import annotations

import dataclasses
import math
import numbers
import os
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin


@dataclass(frozen=True)
class Option:
    """Unit, range and text form of one setting.

    Parameters
    ----------
    unit : str
        For example ``"nm"``; empty for a pure number.
    least, most : float, optional
        The range, both ends included; of every number where the setting is a tuple.
    above : float, optional
        The range's lower end, itself excluded.
    pattern : str, optional
        A regular expression that a text must match as a whole.
    wanted : str
        What the setting must be, in words, where the range does not say it.
    none : str
        What None stands for, for example ``"the model's own"``.
    metavar : str
        The form of its text on a command line, for example ``"START:STOP:STEP"``.
    parse : callable, optional
        From text to the value; raises `ValueError`.
    show : callable, optional
        From the value to text that `parse` reads.
    advanced : bool
        Rarely changed: folded away in a form.
    parsed : bool
        False: it has no text form, and no flag.
    """

    unit: str = ""
    least: float | None = None
    most: float | None = None
    above: float | None = None
    pattern: str | None = None
    wanted: str = ""
    none: str = ""
    metavar: str = ""
    parse: Callable[[str], Any] | None = None
    show: Callable[[Any], str] | None = None
    advanced: bool = False
    parsed: bool = True

    def range(self) -> str:
        """The range in words: ``from 0 to 1``, ``greater than 0``, or nothing."""
        if self.above is not None:
            return f"greater than {_short(self.above)}" + (
                "" if self.most is None else f", at most {_short(self.most)}"
            )
        if self.least is not None:
            least = _short(self.least)
            return f"{least} or greater" if self.most is None else f"from {least} to {_short(self.most)}"
        return "" if self.most is None else f"at most {_short(self.most)}"

    def holds(self, value: float) -> bool:
        """Whether a number lies in the range; NaN and infinity lie in none."""
        return (
            -math.inf < value < math.inf  # math.isfinite takes no integer that no float holds
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
        )


def _short(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"


def as_kind(kind: Any, value: Any, option: Option) -> Any:
    """`value` as `kind`; TypeError or ValueError if it is none or out of range."""
    origin = get_origin(kind)
    if origin is Literal:
        # An array or a table compares with anything, and answers with another array.
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value in get_args(kind):
            return value
        raise ValueError
    if origin is tuple:
        parts = get_args(kind)
        items = list(value)
        if len(parts) == 2 and parts[1] is Ellipsis:
            return tuple(as_kind(parts[0], item, option) for item in items)
        if isinstance(value, str) or len(items) != len(parts):
            raise ValueError
        return tuple(as_kind(part, item, option) for part, item in zip(parts, items, strict=True))
    if origin in (Union, types.UnionType):
        for part in get_args(kind):
            try:
                return as_kind(part, value, option)
            except (TypeError, ValueError):
                continue
        raise ValueError
    return _plain_as(kind, value, option)


def _plain_as(kind: Any, value: Any, option: Option) -> Any:
    truth = isinstance(value, bool) or type(value).__name__ == "bool_"
    if kind is bool:
        if not truth:
            raise TypeError
        return bool(value)
    if kind in (int, float):
        if truth or not isinstance(value, numbers.Integral if kind is int else numbers.Real):
            raise TypeError
        try:
            number = kind(value)
        except OverflowError:  # an integer that no float holds
            raise ValueError from None
        if not option.holds(number):
            raise ValueError
        return number
    if kind is str:
        text = os.fspath(value)
        if not isinstance(text, str):
            raise TypeError
        if option.pattern is not None and not re.fullmatch(option.pattern, text):
            raise ValueError
        return text
    if isinstance(value, Mapping) and hasattr(kind, "from_dict"):  # settings inside settings, from JSON
        return kind.from_dict(value)
    if kind is Any or isinstance(value, kind):
        return value
    raise TypeError


def plain(value: Any) -> Any:
    """`value` in plain JSON types: a tuple becomes a list, a dataclass a dict."""
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def _truth(text: str) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.strip().lower() not in known:
        raise ValueError
    return known[text.strip().lower()]


READERS: dict[Any, Callable[[str], Any]] = {int: int, float: float, bool: _truth, str: str}
