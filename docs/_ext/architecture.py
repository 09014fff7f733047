"""The architecture page's two figures, drawn while the pages are built: `{stages}` and `{rooms}`.

The stages stand in `STAGES`, the arrows between rooms in ``imports.json``, which ``python docs/_ext/architecture.py``
writes from the import graph. `tests/test_architecture.py` fails where either differs from the code.
"""

from __future__ import annotations

import ast
import json
import tomllib
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive

SOURCE = Path(__file__).resolve().parents[2] / "src"
IMPORTS = Path(__file__).with_name("imports.json")


@dataclass(frozen=True)
class Stage:
    """One function of `friedel.pipeline`, or the reading before and the analysis after it.

    function : its name in `friedel.pipeline`, or outside it; result : the type that comes out; rooms : where the work
    is done (those that do not exist are not drawn); does : two lines for the figure.
    """

    function: str
    result: str
    rooms: tuple[str, ...]
    does: tuple[str, ...]
    in_pipeline: bool = True


STAGES = (
    Stage("open_stack", "Stack", ("io", "stack"), ("one adapter per format", "axes in mV and nm"), False),
    Stage(
        "prepare",
        "Prepared",
        ("prepare", "dispersion_fit", "resample"),
        ("channel, bad data, k(V)", "maps a model can read"),
    ),
    Stage(
        "find_candidates",
        "Candidates",
        ("candidates", "models", "classical"),
        ("network or baseline", "positions, p, σ"),
    ),
    Stage(
        "refit_candidates",
        "FittedCandidates",
        ("refit", "physics"),
        ("joint multiple-scattering fit", "amplitudes, Δχ²"),
    ),
    Stage(
        "assemble",
        "Detections",
        ("assembly", "demotion", "checks", "detections"),
        ("table in nm and tip frame", "maps, checks, provenance"),
    ),
    Stage(
        "analysis",
        "figures, report",
        ("analysis", "report", "scoring"),
        ("spectra, kinds, g(r)", "density, agreement"),
        False,
    ),
)


def imports() -> dict[str, list[str]]:
    """Room → the rooms that it imports, as last written."""
    result: dict[str, list[str]] = json.loads(IMPORTS.read_text(encoding="utf-8"))
    return result


def import_graph() -> dict[str, list[str]]:
    """Room → the rooms that it imports, from the code; a room is a package or module right below `friedel`.

    Imports that import-linter is told to ignore are left out here, too.
    """
    import grimp

    graph = grimp.build_graph("friedel", "napari_friedel", exclude_type_checking_imports=True)
    for importer, imported in ignored():
        if {importer, imported} <= graph.modules:
            graph.remove_import(importer=importer, imported=imported)
    uses: dict[str, set[str]] = {}
    for module in graph.modules:
        room = room_of(module)
        if room is None:
            continue
        below = {room_of(other) for other in graph.find_modules_directly_imported_by(module)}
        uses.setdefault(room, set()).update(other for other in below if other and other != room)
    return {room: sorted(uses[room]) for room in sorted(uses)}


def ignored() -> set[tuple[str, str]]:
    """Imports that ``[tool.importlinter]`` excepts from its rules."""
    rules = tomllib.loads((SOURCE.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]
    lines = [line for rule in rules["contracts"] for line in rule.get("ignore_imports", [])]
    return {(first.strip(), second.strip()) for first, _, second in (line.partition("->") for line in lines)}


def room_of(module: str) -> str | None:
    """Return the room of a module; None for `friedel` itself and its ``__main__``."""
    first, _, rest = module.partition(".")
    if first != "friedel":
        return first
    name = rest.partition(".")[0]
    return name if name and name != "__main__" else None


def description(room: str) -> str:
    """First line of a room's docstring, empty if it has none."""
    base = SOURCE / "friedel" / room if room != "napari_friedel" else SOURCE / room
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) if path.exists() else None
    return (text or "").partition("\n")[0].rstrip(".")


def levels(uses: dict[str, list[str]]) -> dict[str, int]:
    """Height of each room: one above the highest room that it imports."""
    found: dict[str, int] = {}

    def level(room: str) -> int:
        if room not in found:
            found[room] = 0  # a circle would end here; import-linter forbids it
            found[room] = 1 + max((level(other) for other in uses.get(room, [])), default=-1)
        return found[room]

    for room in uses:
        level(room)
    return found


def reduced(uses: dict[str, list[str]]) -> dict[str, list[str]]:
    """Arrows that no chain of other arrows implies: what the figure shows."""

    def below(room: str) -> set[str]:
        found: set[str] = set()
        open_ends = [room]
        while open_ends:
            new = set(uses.get(open_ends.pop(), [])) - found
            found |= new
            open_ends += new
        return found

    return {
        room: [one for one in others if not any(one in below(other) for other in others if other != one)]
        for room, others in uses.items()
    }


def _box(x: float, y: float, width: float, height: float, kind: str, text: str) -> str:
    return (
        f'<g class="{kind}"><rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="6"/>'
        f'<text x="{x + width / 2:.0f}" y="{y + height / 2 + 4:.0f}">{escape(text)}</text></g>'
    )


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="arrow" d="M{x1:.0f},{y1:.0f}L{x2:.0f},{y2:.0f}" marker-end="url(#tip)"/>'


def _svg(width: float, height: float, body: list[str], label: str) -> str:
    tip = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="tip" d="M0,0L8,4L0,8z"/></marker></defs>'
    )
    return (
        f'<figure class="drawn"><svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(label)}">'
        f"{tip}{''.join(body)}</svg></figure>"
    )


def draw_stages() -> str:
    """SVG: one line per stage, the function that does it at the left, the type that comes out, the rooms beside it."""
    body = [_box(210, 0, 200, 32, "type", "file")]
    y, rooms = 32.0, imports()
    for stage in STAGES:
        body.append(_arrow(310, y, 310, y + 46))
        body.append(f'<text x="298" y="{y + 27:.0f}" class="function">{escape(stage.function)}</text>')
        y += 48
        body.append(_box(210, y, 200, 36, "type", stage.result))
        for i, line in enumerate(stage.does):
            body.append(f'<text x="200" y="{y + 14 + 16 * i:.0f}" class="does">{escape(line)}</text>')
        for i, room in enumerate(room for room in stage.rooms if room in rooms):
            body.append(_box(430 + 106 * i, y + 3, 100, 30, "room", room))
        y += 36
    return _svg(750, y + 4, body, "The stages from a file to a report, with their types and rooms")


def draw_rooms(uses: dict[str, list[str]] | None = None) -> str:
    """SVG: rooms by height; an arrow leads from a room to one that it imports, where no longer way leads there."""
    uses = imports() if uses is None else uses
    heights, arrows = levels(uses), reduced(uses)
    rows: dict[int, list[str]] = {}
    for room, height in heights.items():
        rows.setdefault(height, []).append(room)
    width, step, box, tall = 750.0, 66.0, 112.0, 28.0
    places: dict[str, tuple[float, float]] = {}
    for height in sorted(rows, reverse=True):
        order = sorted(rows[height], key=lambda room: _mean_of_users(room, arrows, places, width / 2))
        gap = width / len(order)
        for i, room in enumerate(order):
            places[room] = (gap * (i + 0.5), (max(rows) - height) * step + tall / 2 + 2)
    body = []
    for room, others in arrows.items():
        x, y = places[room]
        for other in others:
            to_x, to_y = places[other]
            body.append(_arrow(x, y + tall / 2, to_x, to_y - tall / 2 - 1))
    body += [_box(x - box / 2, y - tall / 2, box, tall, "room", room) for room, (x, y) in places.items()]
    return _svg(width, (max(rows) + 1) * step, body, "The rooms and which imports which")


def _mean_of_users(
    room: str, arrows: dict[str, list[str]], places: dict[str, tuple[float, float]], default: float
) -> float:
    """Where the rooms that import this one stand: beneath them its arrows cross the fewest others."""
    users = [places[one][0] for one in arrows if room in arrows[one] and one in places]
    return sum(users) / len(users) if users else default


class Drawing(Directive):
    """A figure as inline SVG, which follows the page's colours."""

    draw: ClassVar[Any]

    def run(self) -> list[nodes.Node]:
        self.state.document.settings.env.note_dependency(str(IMPORTS))
        return [nodes.raw("", type(self).draw(), format="html")]


class Stages(Drawing):
    draw = staticmethod(draw_stages)


class Rooms(Drawing):
    draw = staticmethod(draw_rooms)


class RoomTable(Directive):
    """One line per room: what it is, by its own docstring, and which rooms it imports."""

    def run(self) -> list[nodes.Node]:
        from docutils.statemachine import StringList

        uses = imports()
        order = sorted(uses, key=lambda room: (-levels(uses)[room], room))
        lines = ["| room | what it is | imports |", "|---|---|---|"]
        lines += [f"| `{room}` | {description(room)} | {', '.join(uses[room])} |" for room in order]
        container = nodes.container(classes=["results"])
        self.state.nested_parse(StringList(lines, source="generated"), self.content_offset, container)
        return [container]


def setup(app: Any) -> dict[str, Any]:
    app.add_directive("stages", Stages)
    app.add_directive("rooms", Rooms)
    app.add_directive("room-table", RoomTable)
    return {"version": "1", "parallel_read_safe": True}


if __name__ == "__main__":
    IMPORTS.write_text(json.dumps(import_graph(), indent=1) + "\n", encoding="utf-8")
    print(f"{IMPORTS.name}: {sum(map(len, imports().values()))} arrows")
