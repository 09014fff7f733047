"""What several commands share: progress bars, refusal to replace a result, opening a file."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from friedel.cli.output import clean
from friedel.errors import FriedelError, StackError
from friedel.progress import Progress, drain
from friedel.settings import ImportSettings

if TYPE_CHECKING:
    import xarray as xr

T = TypeVar("T")


def run_with_bar(work: Generator[Progress, None, T], title: str) -> T:
    """Drain `work` with a progress bar on stderr; figures in `Progress.values` are shown beside it."""
    import sys

    if not sys.stderr.isatty():  # a log file keeps no bar: rich costs a tenth of a second for nothing
        return drain(work)
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress as Bar, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[values]}"),
    ]
    title = escape(clean(title))
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=1.0, values="")

        def show(step: Progress) -> None:
            values = "  ".join(
                f"{name} {value:.3g}"
                for name, value in step.values.items()
                if isinstance(value, (int, float))
            )
            text = f"{title}: {escape(clean(step.message))}" if step.message else title
            bar.update(task, completed=step.fraction, description=text, values=values)

        try:
            result = drain(work, show)
        except BaseException:
            bar.live.transient = True  # half a bar above an error says nothing
            raise
        bar.update(task, completed=1.0)
    return result


def check_output(*paths: Path, overwrite: bool, other: str = "name") -> None:
    """Refuse to replace a result, before anything is computed for it.

    Parameters
    ----------
    *paths : pathlib.Path
        Files that the command will write.
    overwrite : bool
        Whether the user asked for it.
    other : str
        What to choose instead: another name, another folder.

    Raises
    ------
    StackError
        If a file exists, or the folder of one does not.
    """
    from friedel.io.signatures import is_zarr

    there = [str(path) for path in paths if path.exists()]
    if there and not overwrite:
        verb = "exists" if len(there) == 1 else "exist"
        raise StackError(
            f"{' and '.join(there)} {verb} already; choose another {other}, or add --overwrite to replace "
            f"{'it' if len(there) == 1 else 'them'}."
        )
    for path in paths:
        if path.is_dir() and not (path.suffix.lower() == ".zarr" and is_zarr(path)):
            raise StackError(f"{path} is a folder; name a file.")
        if not path.parent.is_dir():
            raise StackError(f"{path.parent}: there is no such folder.")


def check_model_output(name: str) -> None:
    """Refuse a model's name that no file can have, before anything is computed for it.

    Raises
    ------
    FriedelError
        If it names a folder, or a folder that does not exist.
    """
    path = Path(name)
    if not path.name or path.is_dir() or name.endswith(("/", "\\")):
        raise FriedelError(f"{name} is a folder; name the model's file.")
    if not path.parent.is_dir():
        raise FriedelError(f"{path.parent}: there is no such folder.")


@contextmanager
def naming_unfinished(kept: Path) -> Iterator[None]:
    """After an interruption, say where the unfinished training is."""
    try:
        yield
    except KeyboardInterrupt:
        if not kept.exists():
            raise
        raise KeyboardInterrupt(f"{kept} holds the unfinished training, --resume goes on with it") from None


def set_threads(count: int | None) -> None:
    """Hold torch to so many threads; None leaves it."""
    if count is not None:
        import torch

        torch.set_num_threads(count)


def open_input(paths: str | Sequence[str], settings: ImportSettings) -> xr.Dataset:
    """Open a file, folder or list of files."""
    from friedel.io import open_stack

    if not isinstance(paths, str):
        paths = paths[0] if len(paths) == 1 else list(paths)
    given = {name: value for name, value in settings.as_dict().items() if value is not None}
    given |= {"bias": settings.bias, "pixel_nm": settings.pixel_nm}
    return open_stack(paths, **given)


def describe_input(paths: Sequence[str], settings: ImportSettings) -> xr.Dataset:
    """What a file holds: an outline without maps of our own files, where no axes are given; else the opened stack."""
    from friedel.io.outline import outline

    found = outline(paths[0]) if len(paths) == 1 and settings == ImportSettings() else None
    return open_input(paths, settings) if found is None else found
