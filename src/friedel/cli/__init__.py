"""The command line: `friedel COMMAND ...`. Each command is a module, loaded when it is called."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

import friedel
from friedel._util.probes import hide_array_packages
from friedel.cli.options import Failed, plain_help
from friedel.cli.output import any_encoding, close_stdout, one_line, say, tell
from friedel.errors import FriedelError

#: Command → (module whose `command` it is, one line of help).
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("friedel.cli.demo", "simulate an Au(111) field, find its impurities, draw them"),
    "info": ("friedel.cli.info", "say what is in a file: channels, grid, bias range, pixel, completeness"),
    "view": ("friedel.cli.view", "open stacks and tables of points in napari"),
    "convert": ("friedel.cli.convert", "write a stack in another format, for other programs too"),
    "detect": ("friedel.cli.detect", "find the impurities in dI/dV stacks and write a table of them"),
    "refit": ("friedel.cli.refit", "fit amplitude, phase shift and Δχ² of given points"),
    "summary": ("friedel.cli.summary", "list the results in a folder of tables, as CSV and HTML"),
    "simulate": ("friedel.cli.simulate", "write a simulated dI/dV stack with known impurities"),
    "train": ("friedel.cli.train", "train a network on simulated stacks"),
    "fine-tune": ("friedel.cli.fine_tune", "retrain a model on your sample with the confidence regulariser"),
    "models": ("friedel.cli.models", "list, show, export, import or delete models"),
    "evaluate": ("friedel.cli.evaluate", "compare found points with a reference"),
    "benchmark": ("friedel.cli.benchmark", "score every method on the standard scenes"),
    "reproduce": ("friedel.cli.reproduce", "remake the figures of arXiv 2006.15898"),
    "doctor": ("friedel.cli.doctor", "say what this machine has: packages, cores, memory, GPU, window"),
}
#: Exit code when the reader of stdout went away (``friedel info grid.3ds | head -1``), as of any program that a
#: closed pipe ends.
CLOSED_PIPE = 141


class _Commands(click.Group):
    """Names and one line of help of all commands; a command's module is imported when it is called."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """``--help``."""
        return plain_help(super().get_help_option(ctx))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, text = COMMANDS[cmd_name]
        command: click.Command = import_module(module).command
        command.name = cmd_name
        command.help = command.help or f"{text[0].upper()}{text[1:]}."
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown name proposes the nearest."""
        if args and args[0] not in COMMANDS:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            known = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}."
            ctx.fail(f"There is no command {args[0]!r}; {known}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table of commands; it needs no module of theirs."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def build_parser() -> click.Group:
    """Make the group of all commands."""
    version = click.Option(
        ["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_version,
        help="Print the version.",
    )
    return _Commands(
        "friedel",
        params=[version],
        help="Find impurities in STM dI/dV maps from their Friedel oscillations.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        no_args_is_help=False,
    )


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        say(f"friedel {friedel.__version__}")
        ctx.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        0 if all went well, 2 if the input was bad (one line on stderr), 130 if interrupted, 141 if the reader of
        stdout went away.

    Raises
    ------
    SystemExit
        With 2, if the arguments cannot be read; with 0 after ``--help`` and ``--version``.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if argv is None and _opens_files_only(arguments):  # this process is ours, and nothing in it needs them
        hide_array_packages()
    with any_encoding():
        try:
            code = _run(arguments)
            sys.stdout.flush()
        except BrokenPipeError:
            close_stdout()
            return CLOSED_PIPE
        return code


def _opens_files_only(arguments: list[str]) -> bool:
    """Whether a command neither starts a window nor hands anything to other processes."""
    elsewhere = ("--scheduler", "--jobs", "-j")
    plain = arguments[:1] and arguments[0] in ("info", "convert", "detect", "refit", "evaluate")
    return bool(plain) and not any(word.startswith(elsewhere) for word in arguments[1:])


def _run(arguments: list[str]) -> int:
    parser: Any = build_parser()
    try:
        # Not `parser.main`: it takes a closed pipe for an error of its own.
        with parser.make_context("friedel", arguments) as context:
            return int(parser.invoke(context) or 0)
    except click.exceptions.Exit as end:
        sys.stdout.flush()
        raise SystemExit(end.exit_code) from None
    except click.ClickException as error:
        tell(_usage(error))
        raise SystemExit(2) from None
    except Failed as error:
        tell(f"friedel: {error}")
    except BrokenPipeError:
        raise
    except FriedelError as error:
        tell(f"friedel: {error}")
    except OSError as error:
        tell(f"friedel: {_system_error(error)}")
    except (KeyboardInterrupt, click.Abort) as stop:
        tell(f"friedel: interrupted{f'; {stop}' if str(stop) else ''}")
        return 130
    return 2


def _system_error(error: OSError) -> str:
    """What the system refused, as a sentence that begins with the file."""
    if error.filename is None or not error.strerror:
        return str(error)
    return f"{os.fsdecode(error.filename)}: {error.strerror}."


def _usage(error: click.ClickException) -> str:
    """One line that says what is wrong with the arguments, and where the options are listed."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "friedel"
    text = error.format_message()
    if isinstance(error, click.MissingParameter) and isinstance(error.param, click.Parameter):
        names = (
            "/".join(error.param.opts)
            if isinstance(error.param, click.Option)
            else error.param.human_readable_name
        )
        text = f"{names} is missing"
    elif isinstance(error, click.BadParameter) and isinstance(error.param, click.Option):
        text = f"{max(error.param.opts, key=len)}: {error.message}"
    return one_line(f"{path}: {text.rstrip('.')} (options: {path} --help)")
