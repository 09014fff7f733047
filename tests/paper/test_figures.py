"""The remade figures: bookkeeping and statistics on miniature studies."""

import numpy as np
import pandas as pd
import pytest

from friedel.benchmark.settings import Setting
from friedel.benchmark.synthetic import make_synthetic
from friedel.errors import FriedelError
from friedel.paper import figure3, figure4
from friedel.paper.figure4 import CURVES, Plan, iter_figure4
from friedel.paper.figure4_report import claims, final_figures, write_figure4
from friedel.paper.paired_test import Paired, describe, paired_test
from friedel.progress import drain

pytest.importorskip("torch")
TINY = Plan(trainings=1, epochs=1, steps=2, voltages=3, maps=6, experimental=1)


@pytest.fixture
def small_sample(monkeypatch):
    setting = Setting(shape=(40, 40), bias_mv=(-230.0, -100.0, 0.0, 20.0), impurities=10, margin_nm=1.5)
    for module in (figure3, figure4):
        monkeypatch.setattr(module, "paper_field", lambda seed=0: make_synthetic(setting, seed))


def test_the_sign_flip_test_is_exact():
    same = paired_test([1.0, 2.0, 3.0], [0.0, 1.0, 2.0])
    assert same.difference == pytest.approx(1.0)
    assert same.p == pytest.approx(2 / 8)
    assert paired_test(np.ones(10), np.zeros(10)).p == pytest.approx(2 / 1024)
    assert np.isnan(paired_test([1.0], [0.0]).p)


def test_the_test_is_wrong_as_often_as_it_says():
    random = np.random.default_rng(0)
    wrong = np.mean([paired_test(random.normal(size=8), random.normal(size=8)).p < 0.05 for _ in range(400)])
    assert wrong < 0.09


def test_descriptions_are_honest_in_all_four_cases():
    assert "holds" in describe("it helps", Paired(0.1, (0.05, 0.15), 0.002, 10))
    assert "opposite" in describe("it helps", Paired(-0.1, (-0.15, -0.05), 0.002, 10))
    assert "not shown" in describe("it helps", Paired(0.1, (-0.05, 0.15), 0.2, 10))
    assert "cannot be decided" in describe("it helps", Paired(0.1, (0.05, 0.15), 0.25, 3))


def test_a_study_is_resumed_training_by_training(tmp_path, small_sample):
    table = drain(iter_figure4(tmp_path, TINY, device="cpu"))
    assert len(table) == 4 * 2
    assert set(table["curve"]) == set(CURVES)
    assert table[["share", "precision", "f1", "chance", "l_reg"]].notna().all(axis=None)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "fig4").glob("*.csv")}
    (tmp_path / "fig4" / "l0-0.csv").unlink()
    again = drain(iter_figure4(tmp_path, TINY, device="cpu"))
    pd.testing.assert_frame_equal(again, table, rtol=1e-3)
    kept = [path for path, when in files.items() if path.stat().st_mtime_ns == when]
    assert len(kept) == len(files) - 1


def test_curves_of_one_training_start_from_the_same_weights(tmp_path, small_sample):
    table = drain(iter_figure4(tmp_path, TINY, device="cpu"))
    start = table[table["epoch"] == 0]
    assert start["l_reg"].nunique() == 1


def test_plans_are_not_mixed(tmp_path, small_sample):
    drain(iter_figure4(tmp_path, TINY, device="cpu"))
    from dataclasses import replace

    with pytest.raises(FriedelError, match="steps"):
        drain(iter_figure4(tmp_path, replace(TINY, steps=3), device="cpu"))


def _made_up(trainings=10):
    random = np.random.default_rng(0)
    rows = []
    for curve, (_, noisy) in CURVES.items():
        for n in range(trainings):
            for epoch in range(11):
                value = 0.3 + 0.03 * epoch * noisy + 0.01 * random.normal()
                figures = dict.fromkeys(("share", "precision", "recall", "f1"), value)
                rows.append(
                    {"curve": curve, "training": n, "epoch": epoch, **figures, "chance": 0.1, "peaks": 40}
                )
    return pd.DataFrame(rows)


def test_the_report_finds_what_was_put_in(tmp_path):
    table = _made_up()
    assert len(final_figures(table)) == 40
    lines = write_figure4(tmp_path, table)
    by_claim = {line.split(":")[0]: line for line in lines}
    assert ": holds" in by_claim["Noise in training helps (without the regulariser), F1"]
    assert ": holds" not in by_claim["The regulariser helps (without noise), F1"]
    assert (tmp_path / "fig4.png").stat().st_size > 1000
    assert (tmp_path / "fig4.txt").read_text(encoding="utf-8").count("\n") == len(lines)


def test_two_trainings_are_too_few_to_judge():
    assert all("cannot be decided" in line for line in claims(_made_up(2)))


def test_figure_3_with_the_matched_field(tmp_path, small_sample):
    agreed, text = drain(figure3.iter_figure3(tmp_path, model="matched-field"))
    assert (tmp_path / "fig3-matched-field.png").stat().st_size > 1000
    table = pd.read_csv(tmp_path / "fig3-matched-field.csv")
    assert set(table["kind"]) >= {"reference", "truth"}
    assert (table[table["kind"] == "found"]["matched"]).sum() == len(agreed.matched)
    assert "against the truth" in text


def test_the_files_of_figure_3_are_not_replaced_unasked(tmp_path, capsys, monkeypatch):
    from friedel.cli import main

    drawn = []
    monkeypatch.setattr(figure3, "iter_figure3", lambda *a, **k: drawn.append(a) or iter(()))
    monkeypatch.setattr("friedel.cli.common.run_with_bar", lambda work, title: (None, "done"))
    (tmp_path / "fig3-paper.png").write_text("mine")
    command = ["reproduce", "fig3", "-o", str(tmp_path)]
    assert main(command) == 2 and not drawn
    error = capsys.readouterr().err
    assert "fig3-paper.png exists already" in error and "--overwrite" in error
    assert main([*command, "--overwrite"]) == 0 and len(drawn) == 1
    assert main([*command, "--model", "friedel"]) == 0 and len(drawn) == 2
