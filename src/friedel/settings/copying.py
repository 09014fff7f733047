"""The same run in another face: settings as a Python script, and as a command line."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from friedel.errors import SettingsError
from friedel.settings.base import Settings, settings_of
from friedel.settings.detection import BandSettings, DetectSettings, ImportSettings, SampleSettings
from friedel.settings.simulation import SimulateSettings
from friedel.settings.training import FineTuneSettings

#: Settings whose flag is not their name.
FLAG_NAMES = {"parent": "from"}

Source = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True)
class Run:
    """One run: on what, and with which other settings.

    Parameters
    ----------
    source : path or sequence of path
        What was opened; nothing for a simulation.
    out : str
        The file that is written.
    axes : ImportSettings
        How `source` was opened.
    sample : SampleSettings
        Of a fine-tuning.
    added, removed : str
        Tables of corrected points of a fine-tuning; empty for none.
    """

    source: Source = ()
    out: str = ""
    axes: ImportSettings = field(default_factory=ImportSettings)
    sample: SampleSettings = field(default_factory=SampleSettings)
    added: str = ""
    removed: str = ""

    @property
    def files(self) -> list[str]:
        """The sources as texts."""
        given = [self.source] if isinstance(self.source, (str, os.PathLike)) else self.source
        if not isinstance(given, (list, tuple)) or not all(
            isinstance(one, (str, os.PathLike)) for one in given
        ):
            raise SettingsError(
                f"source must be a path or a list of paths, not {given!r:.60}.", settings="source"
            )
        return [os.fspath(one) for one in given]


def as_python(settings: Settings, source: Source = (), **about: Any) -> str:
    """A script that does the run again.

    Parameters
    ----------
    settings : DetectSettings, SimulateSettings or FineTuneSettings
    source : path or sequence of path
        What was opened.
    **about
        The other fields of `Run`.

    Returns
    -------
    str

    Examples
    --------
    >>> print(as_python(DetectSettings(band=BandSettings(material="au111")), "grid.3ds"))
    import friedel
    <BLANKLINE>
    stack = friedel.open_stack("grid.3ds")
    found = friedel.detect(stack, dispersion="au111")
    found.to_csv("points.csv")
    """
    run = Run(source, **about)
    lines = ["import friedel", ""]
    if isinstance(settings, SimulateSettings):
        given = settings.changed()
        words = _dispersion(given.pop("band", None))
        if given.pop("like", False):
            words.append("unlike=False")
        words += _keywords({{"bias": "bias_mv"}.get(name, name): value for name, value in given.items()})
        words = (
            [words[0].removeprefix("dispersion="), *words[1:]]
            if words[:1] and "dispersion=" in words[0]
            else words
        )
        lines.append(f"stack = friedel.simulate({', '.join(words)})")
        lines.append(f"friedel.write_stack(stack, {_text(run.out or 'grid.nc')})")
        return "\n".join(lines) + "\n"
    lines.append(f"stack = friedel.open_stack({', '.join([_source(run), *_keywords(run.axes.changed())])})")
    if isinstance(settings, DetectSettings):
        given = settings.changed()
        words = ["stack", *_dispersion(given.pop("band", None)), *_keywords(given)]
        lines += [
            f"found = friedel.detect({', '.join(words)})",
            f"found.to_csv({_text(run.out or 'points.csv')})",
        ]
    elif isinstance(settings, FineTuneSettings):
        lines += _fine_tuning(settings, run)
    else:
        raise SettingsError(f"There is no script for {type(settings).__name__}.")
    return "\n".join(lines) + "\n"


def as_command(settings: Settings, source: Source = (), **about: Any) -> str:
    """A command line that does the run again, quoted for a POSIX shell.

    Parameters
    ----------
    settings : DetectSettings, SimulateSettings or FineTuneSettings
    source : path or sequence of path
        What was opened.
    **about
        The other fields of `Run`.

    Returns
    -------
    str

    Examples
    --------
    >>> as_command(DetectSettings(band=BandSettings(material="au111")), "grid.3ds")
    'friedel detect grid.3ds -o points.csv --material au111'
    """
    run = Run(source, **about)
    # What begins with a hyphen is a file all the same.
    files = [f"./{name}" if name.startswith("-") else name for name in run.files]
    if isinstance(settings, DetectSettings):
        words = ["detect", *files, "-o", run.out or "points.csv", *flags_of(settings), *flags_of(run.axes)]
    elif isinstance(settings, SimulateSettings):
        words = ["simulate", "-o", run.out or "grid.nc", *flags_of(settings)]
    elif isinstance(settings, FineTuneSettings):
        words = ["fine-tune", *files, "-o", run.out or "tuned.safetensors", *flags_of(run.sample)]
        words += flags_of(settings) + flags_of(run.axes)
        words += [
            word
            for name in ("added", "removed")
            if (path := getattr(run, name))
            for word in (f"--{name}", path)
        ]
    else:
        raise SettingsError(f"There is no command for {type(settings).__name__}.")
    return shlex.join(["friedel", *words])


def flags_of(settings: Settings) -> list[str]:
    """The flags of the settings that are not the defaults."""
    words: list[str] = []
    for one in settings_of(type(settings)):
        value = getattr(settings, one.name)
        if isinstance(value, Settings):
            words += flags_of(value)
        elif one.option.parsed and value != one.default:
            flag = FLAG_NAMES.get(one.name, one.name).replace("_", "-")
            words += (
                [f"--{'' if value else 'no-'}{flag}"] if one.type is bool else [f"--{flag}", one.show(value)]
            )
    return words


def _fine_tuning(settings: FineTuneSettings, run: Run) -> list[str]:
    given = settings.changed()
    points = []
    for name in ("added", "removed"):
        given.pop(name, None)
        if path := getattr(run, name):
            points.append(f'{name}=friedel.read_points({_text(path)})[["row", "column"]].to_numpy()')
    sample = run.sample.changed()
    model = _text(sample.pop("model", run.sample.model))
    words = [model, "stack", f"friedel.FineTuneSettings({', '.join([*_keywords(given), *points])})"]
    words += [*_dispersion(sample.pop("band", None)), *_keywords(sample)]
    return [
        f"tuned = friedel.fine_tune({', '.join(words)})",
        f"friedel.save_model({_text(run.out or 'tuned.safetensors')}, tuned.network, tuned.header)",
    ]


def _dispersion(band: BandSettings | None) -> list[str]:
    if band is None or band == BandSettings():
        return []
    if band.material is not None:
        return [f"dispersion={_text(band.material)}"]
    return [f"dispersion=friedel.Dispersion({band.onset_mev!r}, {band.mass!r})"]


def _keywords(values: dict[str, Any]) -> list[str]:
    return [f"{name}={_text(value)}" for name, value in values.items()]


def _source(run: Run) -> str:
    files = [_text(name) for name in run.files]
    return files[0] if len(files) == 1 else f"[{', '.join(files)}]"


def _text(value: Any) -> str:
    """A literal, texts in double quotes; settings by what differs from the defaults."""
    if isinstance(value, Settings):
        return f"friedel.{type(value).__name__}({', '.join(_keywords(value.changed()))})"
    if isinstance(value, str):
        # JSON's texts are Python's, too; a byte that is no UTF-8 (in a file's name) is written as its escape.
        return re.sub(
            r"[\ud800-\udfff]", lambda sign: f"\\u{ord(sign[0]):04x}", json.dumps(value, ensure_ascii=False)
        )
    return repr(value)
