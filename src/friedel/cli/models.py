"""`friedel models`: list, show, export, import and delete models."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="names of the bundled models and your own")
    listing.add_argument("--json", action="store_true", help="print JSON")
    show = actions.add_parser("show", help="where a model comes from and what it is for")
    show.add_argument("model", metavar="MODEL", help="name or file")
    show.add_argument("--json", action="store_true", help="print the whole header as JSON")
    export = actions.add_parser("export", help="copy a model to a file, to give it to others")
    export.add_argument("model", metavar="NAME")
    export.add_argument("-o", "--output", required=True, metavar="FILE", help="file to write (.safetensors)")
    bring = actions.add_parser("import", help="copy a model file into your folder")
    bring.add_argument("file", metavar="FILE")
    bring.add_argument("--name", help="name in your folder (default: the file's)")
    delete = actions.add_parser("delete", help="delete a model from your folder")
    delete.add_argument("model", metavar="NAME")


def run(args: argparse.Namespace) -> int:
    """Do what the subcommand says."""
    from friedel.models import registry
    from friedel.models.card import card

    if args.action == "list":
        _list(args.json)
    elif args.action == "show":
        path = registry.find_model(args.model)
        bundled = path.parent == registry.bundled_folder()
        info = registry.ModelInfo(path.stem, path, bundled, registry.sha256(path), registry.read_header(path))
        if args.json:
            text = {"name": info.name, "sha256": info.sha256, "file": str(path), "header": info.header}
            print(json.dumps(text, indent=1))
        else:
            print(card(info))
    elif args.action == "export":
        print(registry.export_model(args.model, args.output))
    elif args.action == "import":
        info = registry.import_model(Path(args.file), args.name)
        print(f"{info.name}: {info.path}")
    else:
        registry.delete_model(args.model)
        print(f"deleted {args.model}")
    return 0


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
        print(json.dumps(rows, indent=1))
        return
    width = max((len(model.name) for model in models), default=0)
    for model in models:
        known = facts(model.header)
        origin = "bundled" if model.bundled else "yours"
        about = model.problem or ", ".join(
            known[key] for key in ("architecture", "wavevectors", "parent") if key in known
        )
        print(f"{model.name:{width}}  {origin:7}  {model.sha256[:12]}  {about}")
