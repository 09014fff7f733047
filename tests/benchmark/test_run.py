"""The benchmark's bookkeeping, with a tiny scene and methods whose answers are known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from friedel.benchmark import methods, report, run, scenes
from friedel.benchmark.methods import Found
from friedel.benchmark.reliability import calibrate_runs, reliability, write_calibration
from friedel.benchmark.run import iter_benchmark
from friedel.benchmark.scenes import Scene
from friedel.benchmark.settings import Setting
from friedel.benchmark.store import Store
from friedel.cli import main
from friedel.errors import FriedelError
from friedel.progress import drain
from friedel.stack import true_positions

TINY = Setting(shape=(24, 24), bias_mv=(-230.0, -60.0, 20.0), impurities=5, margin_nm=1.5)
CALLS: list[str] = []


def _oracle(stack, dispersion):
    """Knows every impurity, places it 0.3 px off, and adds two weak false points."""
    CALLS.append("oracle")
    truth = true_positions(stack)
    points = np.concatenate([truth + np.array([0.3, 0.0]), [[-30.0, -30.0], [60.0, 60.0]]])
    probability = np.r_[np.full(len(truth), 0.95), 0.05, 0.05]
    return Found(points, probability, probability, np.full(len(points), 0.2), 0.5)


def _blind(stack, dispersion):
    CALLS.append("blind")
    nothing = np.full(1, np.nan)
    return Found(np.array([[12.0, 12.0]]), np.ones(1), nothing, nothing, float("nan"))


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    CALLS.clear()
    # A collection before every run keeps measured times comparable; with all of pytest in memory it takes a second.
    monkeypatch.setattr(run, "gc", SimpleNamespace(collect=lambda: 0))
    empty = Setting(**{**{f: getattr(TINY, f) for f in TINY.__dataclass_fields__}, "impurities": 0})
    for name, setting in (("tiny", TINY), ("tiny-no-cores", TINY.without_cores()), ("void", empty)):
        monkeypatch.setitem(scenes.SCENES, name, Scene(name, name, setting, 1.0))
    monkeypatch.setitem(methods.METHODS, "oracle", _oracle)
    monkeypatch.setitem(methods.METHODS, "blind", _blind)


def _run(folder, names=("tiny", "tiny-no-cores", "void"), seeds=(0, 1), finders=("oracle", "blind")):
    return drain(iter_benchmark(folder, names, finders, seeds))


def test_every_run_is_done_once_and_kept(tmp_path):
    runs = _run(tmp_path)
    assert len(runs) == 12
    assert len(CALLS) == 12
    assert {"seconds", "cpu_seconds", "memory_mb", "threshold", "candidates"} <= set(runs.columns)
    _run(tmp_path)
    assert len(CALLS) == 12


def test_it_goes_on_where_it_was_stopped(tmp_path):
    work = iter_benchmark(tmp_path, ["tiny"], ["oracle", "blind"], [0, 1])
    while len(CALLS) < 2:
        next(work)
    next(work)
    work.close()
    kept = len(Store(tmp_path).runs())
    assert 1 <= kept < 4
    assert len(_run(tmp_path, ["tiny"])) == 4
    assert len(CALLS) <= 5


def test_new_seeds_and_methods_add_to_the_old(tmp_path):
    _run(tmp_path, ["tiny"], [0], ["oracle"])
    assert len(_run(tmp_path, ["tiny"], [0, 1], ["oracle", "blind"])) == 4
    assert len(CALLS) == 4


def test_the_summary_holds_what_the_oracle_does(tmp_path):
    _run(tmp_path)
    table = report.write_report(tmp_path).set_index(["scene", "method"])
    row = table.loc[("tiny", "oracle")]
    # Points near the border may lie on optional impurities; all others are right.
    assert row["f1"] == row["f1_best"] == 1.0
    assert row["rmse"] == pytest.approx(0.3, abs=1e-3)
    assert row["bound"] > 0
    assert row["false"] == 0
    assert np.isnan(table.loc[("tiny", "blind"), "f1"])
    assert np.isnan(table.loc[("void", "oracle"), "f1"])
    for name in ("table.csv", "table.md", "benchmark.png"):
        assert (tmp_path / name).stat().st_size > 100
    falls = report.waves_alone(table.reset_index())
    assert falls.set_index("method").loc["oracle", "fall"] == pytest.approx(0.0)


def test_calibration_of_the_oracle(tmp_path):
    _run(tmp_path)
    result = next(one for one in write_calibration(tmp_path) if one.method == "oracle")
    # It says 0.95 and is always right, 0.05 and is always wrong.
    assert result.expected_calibration_error == pytest.approx(0.05, abs=1e-6)
    assert result.coverage == pytest.approx(0.5)  # 0.3 px off along rows with σ = 0.2, exact along columns
    assert result.false_points == 0
    assert (tmp_path / "calibration.png").exists()
    assert "oracle" in pd.read_csv(tmp_path / "calibration.csv")["method"].tolist()


def test_false_points_are_counted_on_empty_fields(tmp_path, monkeypatch):
    def noisy(stack, dispersion):
        one = np.ones(1)
        return Found(np.array([[5.0, 5.0]]), one, one, one, 0.5)

    monkeypatch.setitem(methods.METHODS, "noisy", noisy)
    drain(iter_benchmark(tmp_path, ["void"], ["noisy"], [0, 1, 2]))
    result = calibrate_runs(report.load(tmp_path))
    assert result.false_points == pytest.approx(6400 / 24**2)


def test_a_field_in_which_nothing_is_found_counts(tmp_path, monkeypatch):
    def silent(stack, dispersion):
        none = np.zeros(0)
        return Found(np.zeros((0, 2)), none, none, none, 0.5)

    monkeypatch.setitem(methods.METHODS, "silent", silent)
    drain(iter_benchmark(tmp_path, ["tiny", "void"], ["silent"], [0]))
    assert [one.false_points for one in write_calibration(tmp_path)] == [0.0]
    assert report.summarise(tmp_path).reset_index().set_index("scene").loc["tiny", "recall"] == 0


def test_reliability_of_a_perfect_forecaster():
    random = np.random.default_rng(0)
    p = random.uniform(size=20000)
    table = reliability(p, random.uniform(size=20000) < p)
    np.testing.assert_allclose(table["stated"], table["observed"], atol=0.05)
    assert table["count"].sum() == 20000
    assert (table["observed_low"] <= table["observed"]).all()


def test_unknown_scenes_and_methods_are_named(tmp_path):
    with pytest.raises(FriedelError, match="nowhere"):
        drain(iter_benchmark(tmp_path, ["nowhere"], ["oracle"], [0]))
    with pytest.raises(FriedelError, match="neither a method"):
        drain(iter_benchmark(tmp_path, ["tiny"], ["no-such-model"], [0]))


def test_the_benchmark_command_prints_scores_lists_scenes_and_refuses_no_seeds(tmp_path, capsys):
    folder = str(tmp_path / "out")
    arguments = ["benchmark", "-o", folder, "--seeds", "1", "--scenes", "tiny,tiny-no-cores,void"]
    assert main([*arguments, "--methods", "oracle", "--calibration"]) == 0
    text = capsys.readouterr().out
    assert "oracle" in text
    assert "calibration error" in text
    assert main(["benchmark", "--list"]) == 0
    assert "unlike-60" in capsys.readouterr().out
    assert main(["benchmark", "-o", folder, "--seeds", "0"]) == 2


def test_the_classical_methods_find_something_in_a_synthetic_field():
    simulated = scenes.SCENES["ag111"].field(0)
    truth, optional = simulated.truth()
    from friedel.scoring.metrics import precision_recall

    best = {}
    for name in ("log", "matched-field"):
        found = methods.METHODS[name](simulated.stack, simulated.dispersion)
        assert len(found.positions) == len(found.score) == len(found.probability)
        best[name] = precision_recall(found.positions, found.score, truth, 1.0, optional=optional).f1.max()
    assert best["matched-field"] > 0.5
    assert best["log"] > 0.2
