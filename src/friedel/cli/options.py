"""Flags from the settings classes: name, type, range, default and help are read there, click parses and prints them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from friedel.cli.output import one_line, say, tell
from friedel.errors import FriedelError, FriedelWarning, SettingsError
from friedel.settings import Setting, Settings, settings_of
from friedel.settings.copying import FLAG_NAMES

F = TypeVar("F", bound=Callable[..., Any])

#: A surface band is one setting of the library and three flags.
_SPELLED = {"dispersion": ("material", "onset_mev", "mass"), "band": ("material", "onset_mev", "mass")}


class Failed(Exception):
    """A command ended with an error of the library; the message names the flags."""


if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # a generic class since click 8.3 only


class SettingType(_ParamType):
    """Reads a text as `friedel.settings.Setting` does."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.name = setting.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse; what is wrong is said with the flag's name."""
        if not isinstance(value, str):
            return value
        try:
            self.setting.read(value)
        except ValueError:
            self.fail(str(self.setting.refusal(value)).rstrip("."), param, ctx)
        return self.setting.parse(value)


class SettingOption(click.Option):
    """An option that fills a setting; `section` is its heading in the help."""

    def __init__(self, *names: Any, setting: str = "", section: str = "", **more: Any) -> None:
        super().__init__(*names, **more)
        self.setting = setting
        self.section = section


def plain_help(option: click.Option | None) -> click.Option | None:
    """The help option, printed as any result is: click writes UTF-8 where the locale is ASCII."""

    def show(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            say(ctx.get_help())
            ctx.exit()

    if option is not None:
        option.callback = show
    return option


class FriedelCommand(click.Command):
    """A command that builds settings from its options, groups its help, and names flags in errors and warnings."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.builders: list[_Builder] = list(getattr(self.callback, "__settings__", ()))

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """``--help``."""
        return plain_help(super().get_help_option(ctx))

    def flags(self, names: tuple[str, ...]) -> str:
        """The flags of this command for some settings, in brackets; nothing if it has none of them."""
        wanted = [part for name in names for part in _SPELLED.get(name, (name,))]
        known = {
            getattr(one, "setting", "") or one.name: one
            for one in self.params
            if isinstance(one, click.Option)
        }
        found = [max(known[name].opts, key=len) for name in wanted if name in known]
        return f" ({', '.join(dict.fromkeys(found))})" if found else ""

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        """Read the arguments."""
        try:
            return super().make_context(*arguments, **more)
        except SettingsError as error:
            raise self._failed(error) from error

    def _failed(self, error: FriedelError) -> Failed:
        return Failed(f"{one_line(error)}{self.flags(error.settings)}")

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""

        def show(message: Any, *_: Any, **__: Any) -> None:
            tell(f"friedel: warning: {message}{self.flags(getattr(message, 'settings', ()))}")

        with warnings.catch_warnings():
            warnings.simplefilter("always", FriedelWarning)
            warnings.showwarning = show
            try:
                for builder in self.builders:
                    ctx.params[builder.argument] = builder.build(ctx.params)
                return super().invoke(ctx)
            except FriedelError as error:
                raise self._failed(error) from error

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their headings."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record:
                sections.setdefault(getattr(param, "section", "") or "Options", []).append(record)
        for title in sorted(sections, key=lambda title: title != "Options"):
            with formatter.section(title):
                formatter.write_dl(sections[title])


@dataclass(frozen=True)
class _Builder:
    """Makes one settings object of a command's options."""

    argument: str
    cls: type[Settings]

    def build(self, params: dict[str, Any]) -> Settings:
        """Take its options out of `params`."""
        return self._build(self.cls, params)

    def _build(self, cls: type[Settings], params: dict[str, Any]) -> Settings:
        values: dict[str, Any] = {}
        for one in settings_of(cls):
            if isinstance(one.type, type) and issubclass(one.type, Settings):
                values[one.name] = self._build(one.type, params)
            elif (given := params.pop(f"{self.argument}__{one.name}", None)) is not None:
                values[one.name] = given
        return cls(**values)


def from_settings(
    argument: str,
    cls: type[Settings],
    *,
    section: str = "",
    leave_out: tuple[str, ...] = (),
    alone: Mapping[str, str] | None = None,
) -> Callable[[F], F]:
    """Give a command the options of a settings class, and the object made of them as a keyword.

    Parameters
    ----------
    argument : str
        The keyword.
    cls : type
        A class of settings; settings inside it become options, too, under their own heading.
    section : str
        Heading in the help.
    leave_out : tuple of str
        Settings without an option.
    alone : mapping, optional
        Setting → the value that its flag means when none follows.
    """

    def decorate(function: F) -> F:
        builders = [_Builder(argument, cls), *getattr(function, "__settings__", ())]
        function.__settings__ = builders  # type: ignore[attr-defined]
        return _add(function, cls, section)

    def _add(function: F, cls: type[Settings], section: str) -> F:
        for one in reversed(settings_of(cls)):
            if isinstance(one.type, type) and issubclass(one.type, Settings):
                title = (one.type.__doc__ or "").partition("\n")[0].partition(":")[0].rstrip(".")
                _add(function, one.type, title)
            elif one.name not in leave_out and one.option.parsed:
                flag = FLAG_NAMES.get(one.name, one.name).replace("_", "-")
                _option(one, argument, flag, section, (alone or {}).get(one.name))(function)
        return function

    return decorate


def _option(one: Setting, argument: str, flag: str, section: str, alone: str | None) -> Callable[[F], F]:
    more: dict[str, Any] = {"help": _help(one), "setting": one.name, "section": section, "cls": SettingOption}
    more |= {"default": None, "required": one.default is MISSING}
    if one.type is bool:
        more["is_flag"] = True
    else:
        more |= {"type": SettingType(one), "metavar": _metavar(one)}
        if alone is not None:
            more |= {"is_flag": False, "flag_value": alone}
    pair = f"--{flag}/--no-{flag}" if one.type is bool and one.default is True else f"--{flag}"
    return click.option(pair, f"{argument}__{one.name}", **more)


def _metavar(one: Setting) -> str:
    if one.choices:
        return "[" + "|".join(map(str, one.choices)) + "]"
    return one.option.metavar or {int: "N", float: "X"}.get(one.type, "TEXT")


def _help(one: Setting) -> str:
    text = one.help.replace("``", "`").rstrip(".")
    facts = [
        one.option.unit and f"in {one.option.unit}",
        one.option.range() if one.type in (int, float) else "",
    ]
    default = one.option.none if one.default is None else one.show(one.default) if one.default != "" else ""
    if default and one.type is not bool:
        facts.append(f"default: {default}")
    told = "; ".join(fact for fact in facts if fact)
    return f"{text} [{told}]" if told else text


def overwrite_option(text: str = "Replace an existing file.") -> Callable[[F], F]:
    """``--overwrite``; `check_output` uses it. Models have no such option: they are never replaced."""
    return click.option("--overwrite", is_flag=True, help=text)
