"""``friedel convert``: write a stack in another format, for other programs too."""

from __future__ import annotations

from pathlib import Path

import click

from friedel.cli.common import check_output, open_input
from friedel.cli.options import FriedelCommand, from_settings, overwrite_option
from friedel.cli.output import say
from friedel.errors import StackError
from friedel.io.written import STACKS, listed
from friedel.settings import ConvertSettings, ImportSettings


@click.command(
    cls=FriedelCommand,
    help=f"""Write a stack in another format, for other programs too.

    FILE is a file, a folder, or several files that form one stack; OUT is {listed(STACKS, "OUT", told=True)}.
    """,
)
@click.argument("file", nargs=-1, required=True)
@click.argument("out")
@from_settings("settings", ConvertSettings)
@overwrite_option()
@from_settings("axes", ImportSettings, section="Axes, for files that do not hold them")
def command(
    file: tuple[str, ...], out: str, settings: ConvertSettings, overwrite: bool, axes: ImportSettings
) -> int:
    """Write a stack in the format that the suffix of `out` names."""
    from friedel.io.export import write_stack
    from friedel.stack import channel_names, crop, image_names

    target = Path(out)
    check_output(target, overwrite=overwrite)
    stack = crop(open_input(file, axes), settings.area)
    names = [*channel_names(stack), *image_names(stack)]
    if settings.channel is not None and settings.channel not in names:
        raise StackError(
            f"There is no channel {settings.channel!r} in this stack; it has {', '.join(map(repr, names))}.",
            settings="channel",
        )
    write_stack(stack, target, channel=settings.channel, bias_mv=settings.at)
    parts = [target] if target.is_file() else [part for part in target.rglob("*") if part.is_file()]
    say(f"{target}: {sum(part.stat().st_size for part in parts) / 1e6:.3g} MB")
    return 0
