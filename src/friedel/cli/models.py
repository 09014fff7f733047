"""`friedel models`: list, show, export, import and delete models."""

from __future__ import annotations

from pathlib import Path

import click

from friedel.cli.options import FriedelCommand, plain_help
from friedel.cli.output import say, say_json


class _Group(click.Group):
    """The group of actions."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """``--help``."""
        return plain_help(super().get_help_option(ctx))


@click.group(cls=_Group, no_args_is_help=False)
def command() -> None:
    """List, show, export, import or delete models."""


@command.command("list", cls=FriedelCommand)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """Names of the bundled models and your own."""
    _list(as_json)


@command.command(cls=FriedelCommand)
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print the whole header as JSON.")
def show(model: str, as_json: bool) -> None:
    """Where a model, a name or a file, comes from and what it is for."""
    from friedel.models import registry
    from friedel.models.card import card

    path = registry.find_model(model)
    bundled = path.parent == registry.bundled_folder()
    info = registry.ModelInfo(path.stem, path, bundled, registry.sha256(path), registry.read_header(path))
    if as_json:
        say_json({"name": info.name, "sha256": info.sha256, "file": str(path), "header": info.header})
    else:
        say(card(info))


@command.command(cls=FriedelCommand)
@click.argument("model")
@click.option("-o", "--output", required=True, metavar="FILE", help="File to write (.safetensors).")
def export(model: str, output: str) -> None:
    """Copy a model to a file, to give it to others."""
    from friedel.models.registry import export_model

    say(export_model(model, output))


@command.command("import", cls=FriedelCommand)
@click.argument("file")
@click.option("--name", help="Name in your folder (default: the file's).")
def import_(file: str, name: str | None) -> None:
    """Copy a model file into your folder."""
    from friedel.models.registry import import_model

    info = import_model(Path(file), name)
    say(f"{info.name}: {info.path}")


@command.command(cls=FriedelCommand)
@click.argument("model")
def delete(model: str) -> None:
    """Delete a model from your folder."""
    from friedel.models.registry import delete_model

    delete_model(model)
    say(f"deleted {model}")


def _list(as_json: bool) -> None:
    from friedel.models.card import facts
    from friedel.models.registry import list_models

    models = list_models()
    if as_json:
        rows = [
            {
                "name": m.name,
                "bundled": m.bundled,
                "file": str(m.path),
                "sha256": m.sha256,
                "problem": m.problem,
            }
            for m in models
        ]
        say_json(rows)
        return
    width = max((len(model.name) for model in models), default=0)
    for model in models:
        known = facts(model.header)
        origin = "bundled" if model.bundled else "yours"
        about = model.problem or ", ".join(
            known[key] for key in ("architecture", "wavevectors", "parent") if key in known
        )
        say(f"{model.name:{width}}  {origin:7}  {model.sha256[:12]}  {about}")
