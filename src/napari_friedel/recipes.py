"""What a dock does, as Python for a notebook and as a command for a shell: both run where the files are."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import FriedelError
from friedel.physics.dispersion import Dispersion, as_settings
from friedel.settings import (
    BandSettings,
    DetectSettings,
    FineTuneSettings,
    ImportSettings,
    SampleSettings,
)
from friedel.settings.copying import as_command, as_python, flags_of
from napari_friedel.layers.stack_layers import TURNED, axes_of, file_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr


@dataclass(frozen=True)
class Recipe:
    """The same run twice: lines of Python, and a command for a POSIX shell."""

    python: str
    command: str


def source_of(stack: xr.Dataset | None) -> str:
    """The file of a stack.

    Raises
    ------
    FriedelError
        If it was made in this session, its file is gone, or its axes were turned over.
    """
    source = file_of(stack)
    if not source or not Path(source).exists():
        raise FriedelError("This stack lies in no file: save it first, then a command can name it.")
    if stack is not None and stack.encoding.get(TURNED):
        raise FriedelError(
            "This stack was turned over here, which no setting does to its file: save it first, then a command can "
            "name it."
        )
    return source


def detection(stack: xr.Dataset | None, provenance: dict[str, Any]) -> Recipe:
    """The detection that made a result, from its provenance.

    Raises
    ------
    FriedelError
        If the result does not say how it was made (a table of version 0.1, or points made by hand).
    """
    if "settings" not in provenance:
        raise FriedelError("This result does not say with which settings it was made: detect again.")
    settings = DetectSettings.from_dict(provenance["settings"])
    source, axes = source_of(stack), axes_of(stack)
    return Recipe(as_python(settings, source, axes=axes), as_command(settings, source, axes=axes))


def fine_tuning(
    stack: xr.Dataset, settings: FineTuneSettings, model: str, channel: str | None, band: Dispersion | None
) -> Recipe:
    """A fine-tuning.

    Raises
    ------
    FriedelError
        If it learns from points that were corrected in this session and lie in no file.
    """
    if settings.added or settings.removed:
        raise FriedelError(
            "The corrected points lie in no file: untick “Learn from my corrected points”, or save them as tables and "
            "give these as added and removed."
        )
    source, sample = source_of(stack), SampleSettings(model=model, channel=channel, band=as_settings(band))
    about = {"axes": axes_of(stack), "sample": sample}
    return Recipe(as_python(settings, source, **about), as_command(settings, source, **about))


def opening(stack: xr.Dataset, axes: ImportSettings) -> Recipe:
    """Opening a file with these axes, and writing what was read as a netCDF."""
    source = source_of(stack)
    axes = replace(axes_of(stack), **axes.changed())
    python = (
        "import friedel\n\n"
        f"stack = friedel.open_stack({_opened(source, axes)})\n"
        "friedel.write_stack(stack, 'stack.nc')\n"
    )
    return Recipe(python, shlex.join(["friedel", "convert", source, "stack.nc", *flags_of(axes)]))


def _opened(source: str, axes: ImportSettings) -> str:
    """The arguments of `open_stack`."""
    return ", ".join([repr(source), *(f"{name}={value!r}" for name, value in axes.changed().items())])


@dataclass(frozen=True)
class Many:
    """How many files are processed: where the results go, in so many processes, and what is replaced."""

    results: str
    processes: int = 1
    overwrite: bool = False


def folder(files: Sequence[str], settings: DetectSettings, how: Many) -> Recipe:
    """The detection in many files."""
    words = ["friedel", "detect", *files, "-o", how.results, *flags_of(settings)]
    words += ["--jobs", str(how.processes)] if how.processes > 1 else []
    words += ["--overwrite"] if how.overwrite else []
    more = ", overwrite=True" if how.overwrite else ""
    call = f"friedel.detect_many({list(files)!r}, {how.results!r}, settings=settings{more}"
    lines = ["import friedel", "", f"settings = friedel.DetectSettings.from_dict({settings.as_dict()!r})"]
    if how.processes > 1:
        lines.insert(0, "from concurrent.futures import ProcessPoolExecutor\n")
        lines += [
            f"with ProcessPoolExecutor({how.processes}) as pool:",
            f"    results = {call}, executor=pool)",
        ]
    else:
        lines.append(f"results = {call})")
    return Recipe("\n".join([*lines, "print(*results, sep='\\n')", ""]), shlex.join(words))


def comparison(found: np.ndarray, reference: np.ndarray, tolerance_px: float) -> Recipe:
    """The agreement of points with reference positions, both (n, 2) in pixels; the points stand in the lines."""
    python = (
        "from friedel.scoring.metrics import evaluate\n\n"
        f"found = {np.round(found, 4).tolist()}\n"
        f"reference = {np.round(reference, 4).tolist()}\n"
        f"print(evaluate(found, reference, {tolerance_px:g}))\n"
    )
    command = "\n".join(
        [
            *_table("points.csv", found),
            *_table("reference.csv", reference),
            f"friedel evaluate points.csv reference.csv --tolerance-px {tolerance_px:g}",
        ]
    )
    return Recipe(python, command)


def _table(name: str, points: np.ndarray) -> list[str]:
    """Shell lines that write a table of positions."""
    rows = [f"{row:.4f},{column:.4f}" for row, column in points]
    return [f"cat > {name} <<'END'", "row,column", *rows, "END"]


def spectrum(stack: xr.Dataset, channel: str, pixel: tuple[int, int], band: Dispersion | None) -> Recipe:
    """The spectrum of one pixel (row, column); the command says what the file holds, with the band's waves."""
    source, axes = source_of(stack), axes_of(stack)
    python = (
        "import friedel\nfrom friedel.stack import didv\n\n"
        f"stack = friedel.open_stack({_opened(source, axes)})\n"
        f"maps = didv(stack, {channel!r})\n"
        f"print(maps.isel(y={pixel[0]}, x={pixel[1]}).to_series())\n"
    )
    flags = flags_of(as_settings(band)) if band is not None else flags_of(BandSettings())
    return Recipe(python, shlex.join(["friedel", "info", source, *flags, *flags_of(axes)]))
