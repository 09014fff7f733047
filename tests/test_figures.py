"""Tables of the pages come from results files; one command says which figures are stale."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "benchmarks" / "results").exists():
    pytest.skip("the results are not in this distribution", allow_module_level=True)
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

import results_tables as tables  # noqa: E402


def load(path: str):
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


figures = load("benchmarks/figures.py")
readme = load("docs/make_readme_table.py")

TABLE = pd.DataFrame(
    {
        "scene": ["a", "a", "b", "b"],
        "method": ["x", "y", "x", "y"],
        "f1": [0.5, 0.75, 1.0, float("nan")],
    }
)


def test_figures_and_the_readme_need_no_package_of_the_documentation():
    hidden = "import runpy, sys; sys.modules.update(docutils=None, sphinx=None); "
    code = hidden + "runpy.run_path('docs/make_readme_table.py')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_pivot_marks_the_best_of_each_line():
    what = tables.Selection(pivot="scene method f1", bold="max", format=".2f")
    assert tables.select(TABLE, what) == [["", "x", "y"], ["a", "0.50", "**0.75**"], ["b", "**1.00**", "–"]]


def test_a_pivot_leaves_out_what_holds_no_figure():
    table = pd.concat([TABLE, pd.DataFrame({"scene": ["c"], "method": ["x"], "f1": [float("nan")]})])
    what = tables.Selection(pivot="scene method f1", order="x, z, y", format=".2f")
    assert tables.select(table, what) == [["", "x", "y"], ["a", "0.50", "0.75"], ["b", "1.00", "–"]]


def test_columns_get_titles_and_formats():
    what = tables.Selection(columns="scene = field, f1 = F1 .1f", where="method=x; scene!=b")
    assert tables.select(TABLE, what) == [["field", "F1"], ["a", "0.5"]]


@pytest.mark.parametrize("what", [tables.Selection(where="scene=c"), tables.Selection(columns="nothing = N")])
def test_an_empty_table_stops_the_build(what):
    with pytest.raises(ValueError, match=r"No row|no column"):
        tables.select(TABLE, what)


def test_pooled_scores_are_those_of_the_summed_counts():
    counts = pd.DataFrame(
        {"kind": ["a", "a", "b"], "right": [8, 1, None], "false": [2, 0, 1], "missed": [0, 9, 1]}
    )
    pooled = tables.pooled(counts, ["kind"]).set_index("kind")
    assert list(pooled.index) == ["a"]  # a run that was given up has no counts
    assert pooled.loc["a", "f1"] == pytest.approx(2 * 9 / (2 * 9 + 2 + 9))
    assert pooled.loc["a", "false_per_field"] == pytest.approx(1.0)


def test_the_readme_shows_the_figures_of_the_results():
    text = readme.README.read_text(encoding="utf-8")
    assert readme.with_table(text) == text, "run `python docs/make_readme_table.py`"


def test_the_readme_tells_measured_from_simulated(tmp_path):
    rows = [("atoms 1", "topograph", "friedel", 11, 10, 9), ("atoms 2", "topograph", "friedel", 9, 10, 9)]
    columns = ["field", "input", "method", "found", "true", "right"]
    table = pd.DataFrame(rows, columns=columns)
    table["precision"], table["recall"] = table["right"] / table["found"], table["right"] / table["true"]
    table.drop(columns="right").to_csv(tmp_path / "measured.csv", index=False)
    lines = readme.lines(tmp_path)
    assert lines[0] == ["F1", "fields", "friedel"]  # nothing was measured of the others
    assert lines[1:] == [["**measured**, topograph, 20 atoms", "2", "0.900"]]


def test_the_readme_tells_the_recall_where_the_reference_is_incomplete(tmp_path):
    columns = ["field", "variant", "points", "reference", "recall", "f1"]
    rows = [("most unknown", "as measured", 65, 26, 0.5, None), ("all known", "as measured", 4, 4, 1.0, 1.0)]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "measured.csv", index=False)
    assert readme.lines(tmp_path)[1:] == [
        ["**measured**, as measured, 4 atoms", "1", "1.000"],
        ["**measured**, as measured, 26 known atoms of more: recall", "1", "0.500"],
    ]


def test_the_readme_compares_methods_that_see_the_same_maps(tmp_path):
    columns = ["name", "level", "impurities", "seed", "method", "right", "false", "missed"]
    counts = {
        "friedel": (10, 0, 0),
        "omp": (1, 9, 9),
        "omp-prepared": (9, 1, 1),
        "friedel-network": (8, 0, 2),
    }
    rows = [("hum", "strong", True, 0, method, *count) for method, count in counts.items()]
    rows += [("hum", "strong", True, 1, "friedel-network", 8, 0, 2)]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "confounders.csv", index=False)
    assert readme.lines(tmp_path) == [
        ["F1", "fields", "friedel", "OMP"],
        ["simulated, strong confounders", "1", "1.000", "0.900"],
    ]


@pytest.fixture
def places(tmp_path):
    (tmp_path / "src" / "room").mkdir(parents=True)
    (tmp_path / "src" / "models" / "weights").mkdir(parents=True)
    (tmp_path / "src" / "models" / "weights" / "net.safetensors").write_bytes(b"weights")
    (tmp_path / "src" / "room" / "a.py").write_text('"""Text."""\nimport os\nX = 1\n')
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "t.csv").write_text("a\n1\n")
    (tmp_path / "f.toml").write_text(
        '[t]\nfiles = ["t.csv"]\ncommand = "make t"\nmodels = ["net"]\nrooms = ["room"]\n'
    )
    return figures.Places(tmp_path / "f.toml", tmp_path / "results", tmp_path / "src")


def listed(places, capsys) -> str:
    code = figures.main(["--check"], places)
    text = capsys.readouterr().out
    assert code == (0 if text.split(None, 1)[1].startswith("current") else 1)
    return text


def test_a_figure_is_current_once_recorded_and_names_what_changed_later(places, capsys):
    assert "not recorded" in listed(places, capsys)
    figures.main(["--record", "t"], places)
    capsys.readouterr()
    assert "current" in listed(places, capsys)
    code = places.source / "room" / "a.py"
    code.write_text('"""Other words."""\nimport os, sys\nX = 1  # why\n')
    assert "current" in listed(places, capsys)
    assert figures.stale_files(places) == {}
    code.write_text("X = 2\n")
    assert "code of room changed" in listed(places, capsys)
    assert figures.stale_files(places) == {"t.csv": "stale: code of room changed"}
    code.write_text("X = 1\n")
    (places.source / "models" / "weights" / "net.safetensors").write_bytes(b"other")
    text = listed(places, capsys)
    assert "model net changed" in text
    assert "make t" in text
    (places.results / "t.csv").unlink()
    assert "missing: t.csv" in listed(places, capsys)


def test_a_figure_of_which_a_sample_was_made_again_says_so(places, capsys):
    with pytest.raises(SystemExit):
        figures.main(["--record", "t", "--sample"], places)
    assert "names no sample of t" in capsys.readouterr().err
    places.declared.write_text(places.declared.read_text() + 'sample = "make a part"\n')
    figures.main(["--record", "t", "--sample"], places)
    capsys.readouterr()
    assert "current, by a sample: make a part" in listed(places, capsys)
    (places.source / "room" / "a.py").write_text("X = 2\n")
    assert "code of room changed" in listed(places, capsys)
    figures.main(["--record", "t", "--same-answers"], places)
    assert "current, by a sample: python benchmarks/same_answers.py" in capsys.readouterr().out
    figures.main(["--record", "t"], places)
    assert "sample" not in capsys.readouterr().out


def test_a_module_that_only_draws_changes_no_figure(tmp_path):
    room = tmp_path / "benchmark"
    room.mkdir()
    (room / "run.py").write_text("X = 1\n")
    (room / "figure.py").write_text("COLOUR = 'red'\n")
    before = figures.digest(room)
    (room / "figure.py").write_text("COLOUR = 'blue'\n")
    assert figures.digest(room) == before
    (room / "run.py").write_text("X = 2\n")
    assert figures.digest(room) != before


def test_declared_figures_name_rooms_and_files_of_this_repository():
    import tomllib

    declared = tomllib.loads(figures.Places().declared.read_text(encoding="utf-8"))
    for name, figure in declared.items():
        assert set(figure) - {"sample"} == {"files", "command", "models", "rooms"}, name
        without = [room for room in figure["rooms"] if not figures.digest(figures.Places().source / room)]
        assert not without, f"{name} names rooms that are none: {without}"


def test_notebooks_are_committed_without_outputs():
    for path in (ROOT / "docs" / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert all(not cell.get("outputs") and not cell.get("execution_count") for cell in cells), path.name
