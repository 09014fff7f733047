"""Which tables and figures are older than the code or the model that they describe.

    python benchmarks/figures.py                     # a line per figure: current, stale and why, or missing
    python benchmarks/figures.py --check             # the same; exit code 1 unless all are current
    python benchmarks/figures.py --record standard   # after its command has run: current from now on
    python benchmarks/figures.py --record figure4 --sample    # the same after its sample, a part made again, agreed
    python benchmarks/figures.py --record NAME … --same-answers    # after `same_answers.py` found no change

``figures.toml`` names the figures. ``results/made.json`` keeps, for each, the SHA-256 of the models and a digest of the
code at the time. The digest leaves out docstrings, comments and imports: a module that moves changes no figure. Nor do
those that only draw one (`DRAWING`). A figure that takes a night may name a ``sample`` in ``figures.toml``, a command
that makes a part of it again beside the stored one; the list says which figures are current by that alone.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
#: Modules that decide how a figure looks, and none of its numbers.
DRAWING = ("benchmark/figure.py", "benchmark/titles.py")
CURRENT = "current"
#: What shows that a change of the code changed no answer.
SAME_ANSWERS = "python benchmarks/same_answers.py FOLDER --against BEFORE"


@dataclass(frozen=True)
class Places:
    """Where figures are declared, kept and explained."""

    declared: Path = HERE / "figures.toml"
    results: Path = HERE / "results"
    source: Path = ROOT / "src" / "friedel"

    @property
    def made(self) -> Path:
        return self.results / "made.json"


def digest(room: Path) -> str:
    """Digest of what the code of a room does, empty if there is no such room."""
    files = sorted(room.rglob("*.py")) if room.is_dir() else [room.with_suffix(".py")]
    parts = sorted(
        _meaning(path) for path in files if path.exists() and not path.as_posix().endswith(DRAWING)
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16] if parts else ""


def _meaning(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_silent(one)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_silent(node: ast.stmt) -> bool:
    """Whether a statement changes no answer: a docstring or an import."""
    text = (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
    return text or isinstance(node, ast.Import | ast.ImportFrom)


def model_digest(name: str, source: Path) -> str:
    """SHA-256 of the bundled model of this name."""
    path = source / "models" / "weights" / f"{name}.safetensors"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def now(figure: dict[str, Any], source: Path) -> dict[str, dict[str, str]]:
    """Return what a figure would be made with today."""
    code = {room: digest(source / room) for room in figure["rooms"]}
    return {
        "models": {name: model_digest(name, source) for name in figure["models"]},
        "code": {room: value for room, value in code.items() if value},
    }


def state(name: str, figure: dict[str, Any], places: Places) -> str:
    """`CURRENT`, and by what sample if by one, or why not."""
    missing = [file for file in figure["files"] if not (places.results / file).exists()]
    if missing:
        return f"missing: {', '.join(missing)}"
    kept = json.loads(places.made.read_text()) if places.made.exists() else {}
    if name not in kept:
        return "stale: not recorded what it was made with"
    today = now(figure, places.source)
    changed = [
        f"{what} {one}"
        for what, key in (("model", "models"), ("code of", "code"))
        for one in sorted({*today[key], *kept[name].get(key, {})})
        if today[key].get(one) != kept[name].get(key, {}).get(one)
    ]
    if changed:
        return f"stale: {', '.join(changed)} changed"
    return f"{CURRENT}, by a sample: {kept[name]['sample']}" if "sample" in kept[name] else CURRENT


def declared(places: Places) -> dict[str, dict[str, Any]]:
    """The figures of ``figures.toml``."""
    return tomllib.loads(places.declared.read_text(encoding="utf-8"))


def stale_files(places: Places) -> dict[str, str]:
    """Names of the files of figures that are not current, and why not."""
    found = {}
    for name, figure in declared(places).items():
        if not (text := state(name, figure, places)).startswith(CURRENT):
            found |= dict.fromkeys(figure["files"], text)
    return found


def record(
    names: list[str], figures: dict[str, dict[str, Any]], places: Places, samples: dict[str, str]
) -> None:
    """Keep what these figures were made with, and the command of what was made instead of all, by figure."""
    kept = json.loads(places.made.read_text()) if places.made.exists() else {}
    for name in names:
        kept[name] = now(figures[name], places.source)
        if name in samples:
            kept[name]["sample"] = samples[name]
    places.made.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None, places: Places | None = None) -> int:
    """List, check or record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="exit code 1 unless all are current")
    parser.add_argument("--record", nargs="+", metavar="NAME", help="these were made just now")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--sample", action="store_true", help="of these a sample was made, and agreed")
    instead.add_argument(
        "--same-answers", action="store_true", help=f"of these `{SAME_ANSWERS}` found no change"
    )
    args = parser.parse_args(arguments)
    places = places or Places()
    figures = declared(places)
    if args.record:
        unknown = [name for name in args.record if name not in figures]
        if unknown:
            parser.error(f"{places.declared.name} has no {', '.join(unknown)}; it has {', '.join(figures)}")
        samples = dict.fromkeys(args.record, SAME_ANSWERS) if args.same_answers else {}
        if args.sample:
            samples = {name: figures[name]["sample"] for name in args.record if "sample" in figures[name]}
            if without := [name for name in args.record if name not in samples]:
                parser.error(f"{places.declared.name} names no sample of {', '.join(without)}")
        record(args.record, figures, places, samples)
    states = {name: state(name, figure, places) for name, figure in figures.items()}
    for name, text in states.items():
        command = "" if text.startswith(CURRENT) else f"\n{'':16} → {figures[name]['command']}"
        print(f"{name:16} {text}{command}")
    stale = any(not text.startswith(CURRENT) for text in states.values())
    if places == Places():
        readme = subprocess.run(
            [sys.executable, str(ROOT / "docs" / "make_readme_table.py"), "--check"], check=False
        )
        stale |= readme.returncode != 0
    return int(args.check and stale)


if __name__ == "__main__":
    sys.exit(main())
