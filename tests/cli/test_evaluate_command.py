"""`friedel evaluate` from the command line."""

import json

import numpy as np
import pandas as pd
import pytest

from friedel.cli import main

pytest.importorskip("friedel.io.points")


@pytest.fixture
def tables(tmp_path):
    truth = pd.DataFrame({"row": [5.0, 10.0, 20.0], "column": [5.0, 12.0, 3.0]})
    found = pd.DataFrame(
        {"row": [5.2, 10.0, 30.0], "column": [5.0, 12.8, 30.0], "probability": [0.9, 0.8, 0.1]}
    )
    for table in (truth, found):
        table["x_nm"], table["y_nm"] = table["column"] * 0.5, table["row"] * 0.5
    paths = tmp_path / "found.csv", tmp_path / "truth.csv"
    found.to_csv(paths[0], index=False)
    truth.to_csv(paths[1], index=False)
    return [str(path) for path in paths]


def _json(capsys):
    return json.loads(capsys.readouterr().out)


def test_evaluate_counts_pairs_within_a_tolerance_in_pixels(tables, capsys):
    assert main(["evaluate", *tables, "--json", "--shape", "40,40"]) == 0
    result = _json(capsys)
    assert (result["right"], result["false"], result["missed"]) == (2, 1, 1)
    assert result["unit"] == "px"
    assert result["average_precision"] == pytest.approx(2 / 3)
    assert 0 < result["chance_recall"] < 0.01


def test_evaluate_takes_its_tolerance_and_errors_in_nanometres(tables, capsys):
    assert main(["evaluate", *tables, "--json", "--tolerance-nm", "0.3", "--shape", "40,40"]) == 0
    result = _json(capsys)
    assert result["right"] == 1
    assert result["rmse"] == pytest.approx(0.1)
    assert result["chance_recall"] == pytest.approx(1 - (1 - np.pi * 0.36 / 1600) ** 3, rel=1e-3)


def test_evaluate_leaves_out_points_below_the_threshold(tables, capsys):
    assert main(["evaluate", *tables, "--json", "--threshold", "0.5"]) == 0
    assert _json(capsys)["false"] == 0


def test_the_average_precision_is_over_all_thresholds_and_says_so(tables, capsys):
    assert main(["evaluate", *tables, "--threshold", "0.9999"]) == 0
    text = capsys.readouterr().out
    assert "found 0," in text and "average precision  0.667  (over all thresholds" in text


def test_the_text_names_every_figure(tables, capsys):
    assert main(["evaluate", *tables]) == 0
    text = capsys.readouterr().out
    for word in ("precision", "recall", "F1", "average precision", "RMSE", "paper's share", "by chance"):
        assert word in text


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(["--tolerance-px", "0"], "tolerance"), (["--border-px", "2"], "--shape")],
)
def test_bad_options_are_one_line(tables, capsys, arguments, word):
    assert main(["evaluate", *tables, *arguments]) == 2
    error = capsys.readouterr().err
    assert word in error
    assert error.count("\n") == 1


def test_a_missing_file_is_one_line(tables, capsys):
    assert main(["evaluate", tables[0], "nowhere.csv"]) == 2
    assert "nowhere.csv" in capsys.readouterr().err
