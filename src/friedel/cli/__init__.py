"""The command line: `friedel COMMAND ...`. Each command is a module, loaded when it is called."""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import friedel
from friedel.errors import FriedelError, FriedelWarning

#: Command → (module with `add_arguments(parser)` and `run(args) -> int`, one line of help).
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("friedel.cli.demo", "simulate an Au(111) field, find its impurities, draw them"),
    "info": ("friedel.cli.info", "say what is in a file: channels, grid, bias range, pixel, completeness"),
    "view": ("friedel.cli.view", "open stacks and tables of points in napari"),
    "convert": ("friedel.cli.convert", "write a stack as netCDF, .gsf or .gwy"),
    "detect": ("friedel.cli.detect", "find the impurities in dI/dV stacks and write a table of them"),
    "refit": ("friedel.cli.refit", "fit amplitude, phase shift and Δχ² of given points"),
    "simulate": ("friedel.cli.simulate", "write a simulated dI/dV stack with known impurities"),
    "train": ("friedel.cli.train", "train a network on simulated stacks"),
    "fine-tune": ("friedel.cli.fine_tune", "retrain a model on your sample with the confidence regulariser"),
    "models": ("friedel.cli.models", "list, show, export, import or delete models"),
    "evaluate": ("friedel.cli.evaluate", "compare found points with a reference"),
    "benchmark": ("friedel.cli.benchmark", "score every method on the standard scenes"),
    "reproduce": ("friedel.cli.reproduce", "remake the figures of arXiv 2006.15898"),
}


class _Parser(argparse.ArgumentParser):
    """Errors are one line; argparse's own would put all options of the command before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (options: {self.prog} --help)\n")


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Make the parser; only `command`'s module is imported, so that ``--help`` is instant."""
    parser = _Parser(
        prog="friedel", description="Find impurities in STM dI/dV maps from their Friedel oscillations."
    )
    parser.add_argument("--version", action="version", version=f"friedel {friedel.__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, text) in COMMANDS.items():
        sub = subparsers.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == command:
            import_module(module).add_arguments(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        0 if all went well, 2 if the input was bad (one line on stderr), 130 if interrupted.
    """
    arguments = _join_negative(list(sys.argv[1:] if argv is None else argv))
    command = next((word for word in arguments if word in COMMANDS), None)
    args = build_parser(command).parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("always", FriedelWarning)
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        try:
            return int(import_module(COMMANDS[args.command][0]).run(args) or 0)
        except (FriedelError, OSError) as error:
            print(f"friedel: {' '.join(str(error).split())}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("friedel: interrupted", file=sys.stderr)
            return 130


def _join_negative(arguments: list[str]) -> list[str]:
    """Write ``--bias -230:20`` as ``--bias=-230:20``; argparse would take the voltage for an option."""
    joined: list[str] = []
    for word in arguments:
        if joined and joined[-1].startswith("--") and "=" not in joined[-1] and re.match(r"-[\d.]", word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:  # type: ignore[no-untyped-def]
    print(f"friedel: warning: {' '.join(str(message).split())}", file=sys.stderr)
