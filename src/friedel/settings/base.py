"""What a setting is: a field of a frozen dataclass whose annotation carries its unit and its range.

>>> @dataclass(frozen=True)
... class Wave(Settings):
...     length_nm: Annotated[float, Option(unit="nm", above=0)] = 1.4

The type, the default, the unit and the range stand in the field; what it means stands in the class's numpydoc. From
these come the keywords of the API, the flags and the help of the command line, the forms of the window and the JSON
in every provenance.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from friedel.errors import SettingsError
from friedel.settings.option import READERS, Option, as_kind, plain

T = TypeVar("T", bound="Settings")


@dataclass(frozen=True)
class Setting:
    """One setting of a class, as the faces ask for it.

    Parameters
    ----------
    name : str
    type : object
        Its type without None and without the annotation.
    optional : bool
        Whether it may be None.
    default : object
        `dataclasses.MISSING` where it must be given.
    option : Option
    help : str
        Its paragraph of the class's numpydoc, in one line.
    choices : tuple
        The values of a `Literal`; empty for any other type.
    """

    name: str
    type: Any
    optional: bool
    default: Any
    option: Option
    help: str
    choices: tuple[Any, ...]

    @property
    def short_help(self) -> str:
        """First clause of the help, for a tooltip or a label."""
        return re.split(r"(?<=[.;])\s", self.help, maxsplit=1)[0].rstrip(";.")

    def parse(self, text: str) -> Any:
        """The value that `text` writes.

        Raises
        ------
        SettingsError
            If it writes none.
        """
        if self.optional and text.strip() in ("", "None"):
            return None
        try:
            value = self.read(text)
        except ValueError as error:
            raise self.refusal(text) from error
        return self.checked(value)

    def read(self, text: str) -> Any:
        """What `text` writes, its range not yet checked; `ValueError` if it has another form."""
        if self.choices and text not in self.choices:
            raise ValueError(text)
        return (self.option.parse or READERS.get(self.type, str))(text)

    def show(self, value: Any) -> str:
        """`value` as text that `parse` reads."""
        if value is None:
            return ""
        return self.option.show(value) if self.option.show else str(value)

    def checked(self, value: Any) -> Any:
        """`value` in plain Python types.

        Raises
        ------
        SettingsError
            If the type or the range is wrong.
        """
        if value is None and self.optional:
            return None
        try:
            return as_kind(self.type, value, self.option)
        except SettingsError:  # of settings inside settings: it names the inner one
            raise
        except (TypeError, ValueError) as error:
            raise self.refusal(value) from error

    def refusal(self, value: Any) -> SettingsError:
        """The sentence that refuses `value`."""
        return SettingsError(f"{self.name} must be {self.wanted()}, not {value!r}.", settings=self.name)

    def wanted(self) -> str:
        """What the setting must be, in words."""
        if self.choices:
            words = [repr(choice) for choice in self.choices]
            text = words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]
        elif self.option.wanted:
            text = self.option.wanted
        else:
            noun = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}
            text = noun.get(self.type, f"of the type {self.type}")
            text = " ".join(part for part in (text, self.option.range()) if part)
            if self.option.unit:
                text += f" [{self.option.unit}]"
        return text


class Settings:
    """Base of all classes of settings: values are checked when an object is made; `SettingsError` names a wrong one."""

    def __post_init__(self) -> None:
        for setting in settings_of(type(self)):
            value = setting.checked(getattr(self, setting.name))
            object.__setattr__(self, setting.name, value)
        self.check()

    def check(self) -> None:
        """What no single setting can tell; a subclass raises `SettingsError`."""

    def as_dict(self) -> dict[str, Any]:
        """All settings by name, in plain JSON types (a tuple becomes a list)."""
        return {setting.name: plain(getattr(self, setting.name)) for setting in settings_of(type(self))}

    def changed(self) -> dict[str, Any]:
        """Those settings that are not the defaults, by name."""
        values = {s.name: (getattr(self, s.name), s.default) for s in settings_of(type(self))}
        return {name: value for name, (value, default) in values.items() if value != default}

    @classmethod
    def from_dict(cls: type[T], values: Mapping[str, Any]) -> T:
        """Settings from what `as_dict` gave.

        Raises
        ------
        SettingsError
            If a name is none, or a value is wrong.
        """
        check_names(cls, values)
        return cls(**values)


def check_names(cls: type[Settings], values: Mapping[str, Any]) -> None:
    """Raise `SettingsError` if a name is no setting of `cls`; the message proposes the nearest."""
    import difflib

    names = [setting.name for setting in settings_of(cls)]
    for name in values:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}."
            raise SettingsError(f"There is no setting {name!r}; {hint}", settings=str(name))


_KNOWN: dict[type, tuple[Setting, ...]] = {}


def settings_of(cls: type) -> tuple[Setting, ...]:
    """All settings of a class, in order."""
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise SettingsError(f"Settings are those of a class of settings, not of {cls!r:.60}.")
    if cls not in _KNOWN:
        _KNOWN[cls] = tuple(_read(cls))
    return _KNOWN[cls]


def _read(cls: type) -> list[Setting]:
    hints = typing.get_type_hints(cls, include_extras=True)
    texts = _paragraphs(inspect.getdoc(cls) or "")
    found = []
    for field in dataclasses.fields(cls):
        hint, option = hints[field.name], Option()
        if get_origin(hint) is typing.Annotated:
            hint, *notes = get_args(hint)
            option = next((note for note in notes if isinstance(note, Option)), option)
        kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        rest = tuple(kind for kind in kinds if kind is not type(None))
        kind = rest[0] if len(rest) == 1 else Union[rest]  # noqa: UP007 - built at run time
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        text = texts.get(field.name, "")
        found.append(Setting(field.name, kind, len(rest) < len(kinds), default, option, text, choices))
    return found


def setting(cls: type, name: str) -> Setting:
    """One setting of a class by its name."""
    return next(one for one in settings_of(cls) if one.name == name)


def _paragraphs(doc: str) -> dict[str, str]:
    """Parameter → its text in a numpydoc docstring; ``a, b : int`` gives both the same text."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}|\Z)", doc, re.M | re.S)
    found: dict[str, str] = {}
    for names, text in re.findall(
        r"^(\w[\w, ]*?)(?: : [^\n]*)?\n((?:[ ]+[^\n]*\n?|\n)*)", section[1] if section else "", re.M
    ):
        for name in names.split(","):
            found[name.strip()] = " ".join(text.split())
    return found
