"""The architecture page says what the code does: arrows are imports, stages are functions of the pipeline."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import pytest

import friedel.pipeline
from friedel._util.moved import GONE

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

architecture = pytest.importorskip("architecture", reason="docutils is not installed")
grimp = pytest.importorskip("grimp")
EXISTING = {
    path.stem
    for path in (ROOT / "src" / "friedel").iterdir()
    if path.suffix == ".py" or (path / "__init__.py").exists()
} - {"__init__", "__main__"}


@pytest.fixture(scope="module")
def graph() -> dict[str, list[str]]:
    return architecture.import_graph()


def test_the_arrows_of_the_page_are_the_imports(graph):
    assert architecture.imports() == graph, "run `python docs/_ext/architecture.py`"


def test_every_room_is_on_the_figure_and_exists():
    drawn = architecture.draw_rooms()
    named = set(architecture.imports())
    assert named == EXISTING | {"napari_friedel"}
    assert all(f">{room}</text>" in drawn for room in named)


def test_the_figure_draws_one_arrow_per_reduced_import():
    arrows = architecture.reduced(architecture.imports())
    assert architecture.draw_rooms().count('class="arrow"') == sum(map(len, arrows.values()))


def test_reduction_keeps_what_can_be_reached():
    uses = {"a": ["b", "c", "d"], "b": ["c"], "c": ["d"], "d": []}
    assert architecture.reduced(uses) == {"a": ["b"], "b": ["c"], "c": ["d"], "d": []}
    assert architecture.levels(uses) == {"d": 0, "c": 1, "b": 2, "a": 3}


def test_no_two_rooms_import_each_other(graph):
    place = architecture.levels(graph)
    up = [(room, other) for room, others in graph.items() for other in others if place[other] >= place[room]]
    assert not up, "a circle of imports"


@pytest.mark.parametrize("room", sorted(EXISTING - GONE))
def test_every_room_says_in_one_line_what_it_is(room):
    assert architecture.description(room)


@pytest.mark.parametrize(
    "stage", [one for one in architecture.STAGES if one.in_pipeline], ids=lambda s: s.function
)
def test_a_stage_of_the_figure_returns_the_type_that_stands_below_it(stage):
    function = getattr(friedel.pipeline, stage.function)
    annotation = inspect.get_annotations(function).get("return")
    names = str(annotation) if not isinstance(annotation, type) else annotation.__name__
    assert stage.result in names


@pytest.mark.parametrize("stage", architecture.STAGES, ids=lambda s: s.function)
def test_a_stage_of_the_figure_has_a_room_that_exists(stage):
    assert EXISTING & set(stage.rooms)
