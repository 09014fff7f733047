"""``friedel view``: open stacks and tables of points in napari with this plugin's reader and docks."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from friedel.errors import StackError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.add_argument(
        "file",
        nargs="+",
        help="a grid of spectra, a map, or a table of `friedel detect`; several open as several layers",
    )


def run(args: argparse.Namespace) -> int:
    """Open napari; ends when its window is closed."""
    for name in args.file:
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
    return int(launcher.main(args.file))
