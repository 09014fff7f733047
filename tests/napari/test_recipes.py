"""Copy as Python, copy as command: what the docks copy is run, and does what the dock did."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import friedel
from friedel.cli import main
from friedel.errors import FriedelError
from friedel.physics.dispersion import Dispersion
from friedel.settings import DetectSettings, FineTuneSettings, ImportSettings
from napari_friedel import recipes
from napari_friedel.layers.stack_layers import OPENED_WITH


@pytest.fixture(scope="module")
def grid(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("grid") / "a grid.nc"
    bias = [-120.0, -90.0, -60.0]
    stack = friedel.simulate("au111", shape=(40, 40), bias_mv=bias, impurities=6, noise=0.2, seed=2)
    friedel.write_stack(stack, path)
    return path


@pytest.fixture
def stack(grid):
    opened = friedel.open_stack(grid)
    assert opened.attrs["source"], "a stack knows its file"
    return opened.assign_attrs(source=str(grid))


def python(text: str, folder: Path, monkeypatch) -> str:
    monkeypatch.chdir(folder)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(text, "copied", "exec"), {})
    return out.getvalue()


def command(text: str, folder: Path, monkeypatch) -> str:
    """Run the lines: those of `friedel` in this process, which is quicker, the others by a shell."""
    monkeypatch.chdir(folder)
    *before, last = text.split("\n")
    if before:
        subprocess.run(["sh", "-ec", "\n".join(before)], cwd=folder, check=True, timeout=60)
    program, *words = shlex.split(last)
    assert program == "friedel"
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(words) == 0
    return out.getvalue()


def both_find(found, recipe, tmp_path, monkeypatch):
    """What was copied as Python, and as a command, gives the same impurities."""
    python(recipe.python, tmp_path, monkeypatch)
    once = friedel.read_points(tmp_path / "points.csv")
    (tmp_path / "points.csv").unlink()
    command(recipe.command, tmp_path, monkeypatch)
    again = friedel.read_points(tmp_path / "points.csv")
    for table in (once, again):
        np.testing.assert_allclose(table[["row", "column"]], found.impurities[["row", "column"]], atol=1e-3)


def test_a_result_repeats_its_detection(stack, tmp_path, monkeypatch):
    settings = {"dispersion": "au111", "method": "matched-field", "threshold": 0.9}
    found = friedel.detect(stack, **settings)
    recipe = recipes.detection(stack, found.provenance)
    both_find(found, recipe, tmp_path, monkeypatch)


def test_a_detection_in_an_array_takes_the_axes_it_was_opened_with(stack, tmp_path, monkeypatch):
    path, axes = tmp_path / "maps.npy", ImportSettings(bias="-120:-60", pixel_nm=0.4, separate_scans=True)
    np.save(path, stack["LockinX"])
    opened = friedel.open_stack(path, **axes.changed())
    opened.encoding[OPENED_WITH] = axes
    found = friedel.detect(opened, dispersion="au111", method="matched-field")
    recipe = recipes.detection(opened, found.provenance)
    assert len(found.impurities) > 0
    both_find(found, recipe, tmp_path, monkeypatch)
    command(recipes.spectrum(opened, "maps", (3, 7), None).command, tmp_path, monkeypatch)


def test_an_opening_takes_the_axes_that_were_typed(stack, tmp_path, monkeypatch):
    recipe = recipes.opening(stack, ImportSettings(bias="-200:-100", pixel_nm=(0.3, 0.3)))
    python(recipe.python, tmp_path, monkeypatch)
    once = friedel.open_stack(tmp_path / "stack.nc").load()
    (tmp_path / "stack.nc").unlink()
    command(recipe.command, tmp_path, monkeypatch)
    again = friedel.open_stack(tmp_path / "stack.nc").load()
    for one in (once, again):
        np.testing.assert_allclose(one["bias"], [-200, -150, -100])
        assert float(np.diff(one["x"])[0]) == pytest.approx(0.3)


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_folder_is_detected_file_by_file(grid, tmp_path, monkeypatch, processes):
    settings = DetectSettings(method="matched-field", band=recipes.as_settings(Dispersion(-480.0, 0.25)))
    once, again = (recipes.Many(name, processes, overwrite=True) for name in ("once", "again"))
    python(recipes.folder([str(grid)], settings, once).python, tmp_path, monkeypatch)
    command(recipes.folder([str(grid)], settings, again).command, tmp_path, monkeypatch)
    tables = [pd.read_csv(tmp_path / how.results / "summary.csv") for how in (once, again)]
    assert len(tables[0]) == 1 and tables[0]["impurities"].tolist() == tables[1]["impurities"].tolist()


def test_a_comparison_holds_its_points(tmp_path, monkeypatch):
    found, truth = np.array([[1.0, 2.0], [5.0, 5.0], [9.0, 1.0]]), np.array([[1.2, 2.0], [5.0, 5.3]])
    recipe = recipes.comparison(found, truth, 0.5)
    assert "precision=0.666" in python(recipe.python, tmp_path, monkeypatch)
    told = json.loads(command(recipe.command + " --json", tmp_path, monkeypatch))
    assert (told["right"], told["false"], told["missed"]) == (2, 1, 0)


def test_a_spectrum_is_that_of_the_pixel(stack, tmp_path, monkeypatch):
    recipe = recipes.spectrum(stack, "LockinX", (3, 7), Dispersion(-480.0, 0.25))
    printed = python(recipe.python, tmp_path, monkeypatch)
    assert f"{float(stack['LockinX'].values[0, 3, 7]):.3g}"[:4] in printed
    assert "40" in command(recipe.command, tmp_path, monkeypatch)


def test_a_fine_tuning_is_run_with_its_model_and_band(stack, tmp_path, monkeypatch):
    settings = FineTuneSettings(steps_per_epoch=1, batch=1, voltages=2, device="cpu", noise=0.5, seed=3)
    recipe = recipes.fine_tuning(stack, settings, "paper", "LockinX", Dispersion(-480.0, 0.25))
    assert shlex.split(recipe.command)[:2] == ["friedel", "fine-tune"]
    made = []
    for run, text in ((python, recipe.python), (command, recipe.command)):
        run(text, tmp_path, monkeypatch)
        made.append(friedel.load_model(tmp_path / "tuned.safetensors"))
        (tmp_path / "tuned.safetensors").unlink()
    for model in made:
        notes = model.header["fine_tune"]
        assert notes["steps_done"] > 0 and model.header["sample"]["dispersion"]["onset_mev"] == -480.0
    weights = [dict(model.network.state_dict()) for model in made]
    assert all(bool((weights[0][name] == weights[1][name]).all()) for name in weights[0])


def test_corrected_points_are_refused(stack):
    with pytest.raises(FriedelError, match="lie in no file"):
        recipes.fine_tuning(stack, FineTuneSettings(added=((1.0, 2.0),)), "friedel", None, None)


def test_a_stack_in_no_file_is_refused(stack):
    with pytest.raises(FriedelError, match="save it first"):
        recipes.opening(stack.assign_attrs(source="").drop_encoding(), ImportSettings())


def test_a_result_without_settings_is_refused(stack):
    with pytest.raises(FriedelError, match="detect again"):
        recipes.detection(stack, {})


@pytest.mark.gui
def test_the_buttons_copy_and_tell_errors(qtbot):
    from qtpy.QtWidgets import QApplication

    from napari_friedel.widgets.copy_bar import CopyBar

    told: list[str] = []
    bar = CopyBar(lambda: recipes.Recipe("print(1)", "friedel doctor"), told.append)
    qtbot.addWidget(bar)
    bar.python.click()
    assert QApplication.clipboard().text() == "print(1)"
    bar.command.click()
    assert QApplication.clipboard().text() == "friedel doctor"

    def refuse() -> recipes.Recipe:
        raise FriedelError("There is nothing.")

    wrong = CopyBar(refuse, told.append)
    qtbot.addWidget(wrong)
    wrong.python.click()
    assert told == ["There is nothing."]
