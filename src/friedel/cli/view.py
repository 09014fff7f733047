"""``friedel view``: open stacks and tables of points in napari with this plugin's reader and docks."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from friedel.cli.options import FriedelCommand
from friedel.errors import StackError


@click.command(cls=FriedelCommand)
@click.argument("file", nargs=-1, required=True)
def command(file: tuple[str, ...]) -> int:
    """Open stacks and tables of points in napari; ends when its window is closed.

    FILE is a grid of spectra, a map, or a table of `friedel detect`; several open as several layers.
    """
    for name in file:
        if not Path(name).exists():
            raise StackError(f"{name}: there is no such file or folder.")
    try:
        # By name: the science must not depend on napari, and only this command needs it.
        launcher = import_module("napari_friedel.__main__")
        import_module("napari")
    except ImportError as error:
        raise StackError(
            "napari is not installed; install it with: python -m pip install 'napari[all]'."
        ) from error
    return int(launcher.main(list(file)))
