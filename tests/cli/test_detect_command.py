"""`friedel detect`, `demo`, `simulate` and `view`, called as a user calls them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import friedel
from friedel.cli import main
from friedel.errors import StackError

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "nanonis" / "NanonisReader_STS_grid_lockin.3ds"
SMALL = ["--shape", "48,48", "--bias=-200:0:20", "--impurities", "8"]


def outcome(arguments, capsys):
    """Exit code and stderr, whether `main` returns or exits."""
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    return code, capsys.readouterr().err


@pytest.fixture(scope="module")
def grid(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("grids") / "monday.nc"
    assert main(["simulate", *SMALL, "--seed", "3", "-o", str(path)]) == 0
    return path


def test_simulate_refuses_what_makes_no_sense(tmp_path, grid, capsys):
    assert main(["simulate", "-o", str(grid)]) == 2
    error = capsys.readouterr().err
    assert f"{grid} exists already" in error and "--overwrite" in error
    assert main(["simulate", "-o", str(tmp_path / "grid.tif")]) == 2
    assert main(["simulate", "--pixel-nm", "-1", "-o", str(tmp_path / "grid.nc")]) == 2
    assert main(["simulate", "-o", str(tmp_path / "nowhere" / "grid.nc")]) == 2
    assert not list(tmp_path.iterdir())


def test_one_file_gives_a_table(tmp_path, grid, capsys):
    out = tmp_path / "points.csv"
    assert main(["detect", str(grid), "--material", "au111", "--method", "omp", "-o", str(out)]) == 0
    assert "impurities" in capsys.readouterr().out
    table = pd.read_csv(out, comment="#")
    names = ["row", "column", "x_nm", "y_nm", "tip_x_nm", "tip_y_nm", "probability"]
    assert list(table.columns)[: len(names)] == names
    assert len(table) >= 5
    assert out.read_text().startswith("#")


def test_a_table_is_replaced_only_if_one_says_so(tmp_path, grid, capsys, monkeypatch):
    from friedel import pipeline as detector

    out = tmp_path / "points.csv"
    command = ["detect", str(grid), "--material", "au111", "--method", "matched-field", "-o", str(out)]
    out.write_text("a week's corrections")
    with monkeypatch.context() as patch:
        patch.setattr(detector, "iter_detect", lambda *a, **k: pytest.fail("computed before it was refused"))
        assert main(command) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"{out} exists already" in error and "--overwrite" in error
    assert out.read_text() == "a week's corrections"
    assert main([*command, "--overwrite"]) == 0
    assert len(pd.read_csv(out, comment="#")) >= 5


def test_an_area_and_a_band_by_numbers(tmp_path, grid):
    out = tmp_path / "points.json"
    band = ["--onset-mev", "-520", "--mass", "0.26"]
    assert main(["detect", str(grid), *band, "--method", "omp", "--area", "0:30,8:48", "-o", str(out)]) == 0
    assert out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{grid}", "--onset-mev", "-520", "-o", "{tmp}/a.csv"], "(--onset-mev, --mass, --material)"),
        (["{grid}", "--area", "0:99,0:99", "-o", "{tmp}/a.csv"], "does not lie inside"),
        (["{grid}", "-o", "{tmp}/a.xlsx"], ".csv, .json, .xyz"),
        (["{grid}", "-o", "{tmp}/nowhere/a.csv"], "no such folder"),
        (["{tmp}/none.3ds", "-o", "{tmp}/a.csv"], "none.3ds"),
        (["{grid}", "--channel", "Phase", "-o", "{tmp}/a.csv"], "no channel 'Phase'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_file(tmp_path, grid, capsys, arguments, words):
    filled = [text.format(grid=grid, tmp=tmp_path) for text in arguments]
    assert main(["detect", *filled, "--method", "omp"]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("friedel: ")]
    assert len(errors) == 1 and words in errors[0]
    assert not list(tmp_path.iterdir())


def test_many_files_one_of_them_bad(tmp_path, grid, capsys):
    source = tmp_path / "grids"
    source.mkdir()
    for name in ("monday.nc", "tuesday.nc"):
        (source / name).write_bytes(grid.read_bytes())
    (source / "broken.nc").write_text("this is no grid")
    out = tmp_path / "results"
    files = [str(path) for path in sorted(source.iterdir())]
    command = ["detect", *files, "--material", "au111", "--method", "matched-field", "-o", str(out)]
    assert main(command) == 2
    captured = capsys.readouterr()
    assert "2 of 3 files done" in captured.out and "broken.nc" in captured.err
    summary = pd.read_csv(out / "summary.csv").set_index("file")
    assert (summary["status"] == "ok").sum() == 2
    assert summary.loc[files[0], "status"].startswith("failed: ")
    assert (summary["density_per_nm2"].dropna() > 0).all()
    report = (out / "monday.html").read_text(encoding="utf-8")
    assert report.count("<img alt=") == 2
    assert "http" not in report.split("</style>")[1].split("<details>")[0]
    assert "precision" in report and "nm⁻²" in report

    assert (out / "broken.failed.json").exists()
    page = (out / "summary.html").read_text(encoding="utf-8")
    assert page.count("src='data:image/png;base64,") == 2 and "href='monday.html'" in page

    # Again: what is done stays, what failed is tried again; other options are another result.
    before = (out / "monday.csv").stat().st_mtime_ns
    assert main(command) == 2
    assert "up to date" in capsys.readouterr().out
    assert (out / "monday.csv").stat().st_mtime_ns == before
    other = ["detect", str(source), *command[4:], "--threshold", "0.5"]
    content = (out / "monday.csv").read_bytes()
    assert main(other) == 2
    captured = capsys.readouterr()
    assert "made with other options" in captured.err
    assert f"{out / 'monday.csv'} exists already" in captured.err
    assert (out / "monday.csv").read_bytes() == content
    (source / "broken.nc").write_bytes(grid.read_bytes())
    assert main(["detect", str(source), *command[4:]]) == 0
    assert capsys.readouterr().out.count("up to date") == 2
    assert set(pd.read_csv(out / "summary.csv")["status"]) == {"ok"} and not list(out.glob("*.failed.json"))
    (source / "monday.nc").write_bytes(grid.read_bytes() + b"more")
    assert main(["detect", str(source), *command[4:]]) == 2
    assert "the file has changed since" in capsys.readouterr().err
    assert main([*other, "--overwrite"]) == 0
    assert "up to date" not in capsys.readouterr().out
    assert (out / "monday.csv").stat().st_mtime_ns > before


def test_a_batch_that_was_interrupted_goes_on_and_others_files_stay(tmp_path, grid, capsys, monkeypatch):
    from friedel.io import points

    out = tmp_path / "results"
    command = ["detect", str(grid), "--material", "au111", "--method", "matched-field", "-o", str(out)]

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(points, "write_points", interrupted)
        assert main(command) == 130
    assert (out / "monday.html").exists() and not (out / "monday.csv").exists()
    assert len(pd.read_csv(out / "summary.csv")) == 0
    assert main(command) == 0 and "1 of 1" in capsys.readouterr().out
    assert pd.read_csv(out / "summary.csv")["status"].tolist() == ["ok"]
    (out / "summary.csv").unlink()
    assert main(["summary", str(out)]) == 0
    assert pd.read_csv(out / "summary.csv")["impurities"].tolist() == [
        len(points.read_points(out / "monday.csv"))
    ]
    # A table that no batch wrote, another program's report, and its summary.
    (out / "monday.csv").write_text("mine")
    assert main(command) == 2
    assert "monday.csv" in capsys.readouterr().err and (out / "monday.csv").read_text() == "mine"
    (out / "monday.csv").unlink()
    (out / "monday.html").write_text("mine")
    assert main(command) == 2
    assert "monday.html" in capsys.readouterr().err and (out / "monday.html").read_text() == "mine"
    (out / "summary.csv").write_text("day,mood\nmonday,good\n")
    assert main(command) == 2
    assert "summary.csv exists already" in capsys.readouterr().err
    assert (out / "summary.csv").read_text().startswith("day,mood")


def test_names_of_results_do_not_clash():
    from friedel.result_names import result_names

    names = result_names([Path("a/x.nc"), Path("b/x.nc"), Path("a/y.3ds"), Path("summary.nc")])
    assert len(set(names)) == 4 and "summary" not in names and "y" in names


def test_demo_writes_what_one_can_look_at(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--method", "matched-field", "--impurities", "12"]) == 0
    text = capsys.readouterr().out
    assert "x [nm]" in text and "of 12 impurities found" in text
    folder = tmp_path / "friedel-demo"
    assert {path.name for path in folder.iterdir()} == {"stack.nc", "points.csv", "picture.png"}
    from matplotlib.image import imread

    picture = imread(folder / "picture.png")
    assert min(picture.shape[:2]) > 400 and np.std(picture[..., :3]) > 0.05
    assert main(["demo", "--out", "friedel-demo"]) == 2
    error = capsys.readouterr().err
    assert "points.csv" in error and "add --overwrite" in error


def test_view_without_napari_is_a_sentence(grid, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "napari", None)
    assert main(["view", str(grid)]) == 2
    assert "pip install" in capsys.readouterr().err
    assert main(["view", "nowhere.nc"]) == 2
    assert "no such file" in capsys.readouterr().err


def test_view_hands_the_files_to_the_launcher(grid, monkeypatch):
    pytest.importorskip("napari.components", reason="view needs napari")
    from napari_friedel import __main__ as launcher

    opened = []
    monkeypatch.setattr(launcher, "main", lambda files: opened.append(list(files)) or 0)
    assert main(["view", str(grid)]) == 0
    assert opened == [[str(grid)]]


@pytest.mark.skipif(not REAL.exists(), reason="the shared test data are not here")
def test_a_real_grid_runs_to_the_end_with_an_honest_warning(tmp_path, capsys):
    out = tmp_path / "points.csv"
    assert main(["detect", str(REAL), "--method", "omp", "-o", str(out)]) == 0
    captured = capsys.readouterr()
    assert "no Friedel ring" in captured.err and "'LockinX'" in captured.out
    assert out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["detect", "grid.nc", "-o", "a.csv", "--material", "gold"], ["'gold'", "au111", "--onset-mev"]),
        (["detect", "grid.nc"], ["-o/--out", "friedel detect --help"]),
        (["detekt"], ["'detekt'", "'detect'", "friedel --help"]),
        (["detect", "grid.nc", "-o", "a.csv", "--treshold", "1"], ["--treshold", "--threshold"]),
        (["detect", "grid.nc", "-o", "a.csv", "--area", "0-9"], ["--area", "R0:R1,C0:C1"]),
        (["detect", "grid.nc", "-o", "a.csv", "--method", "net"], ["--method", "'matched-field'"]),
        (["detect", "grid.nc", "-o", "a", "--jobs", "2", "--scheduler", "x"], ["--jobs", "--scheduler"]),
    ],
)
def test_wrong_options_end_in_one_line_that_says_what_to_do(arguments, words, capsys):
    code, error = outcome(arguments, capsys)
    assert code == 2 and error.count("\n") == 1
    assert all(word in error for word in words), error


def test_several_files_need_a_folder_for_their_tables(tmp_path, grid, capsys):
    other = tmp_path / "other.nc"
    other.write_bytes(grid.read_bytes())
    out = tmp_path / "out.csv"
    assert main(["detect", str(grid), str(other), "--material", "au111", "-o", str(out)]) == 2
    error = capsys.readouterr().err
    assert "for several files -o names a folder" in error and str(out) in error and not out.exists()


@pytest.mark.parametrize("inside", [[], ["notes.txt"], ["notes.txt", "more.txt"]])
def test_a_folder_without_a_grid_says_so(tmp_path, capsys, inside):
    folder = tmp_path / "empty"
    folder.mkdir()
    for name in inside:
        (folder / name).write_text("Monday")
    assert main(["detect", str(folder), "--material", "au111", "-o", str(tmp_path / "res")]) == 2
    error = capsys.readouterr().err
    assert "do not form one stack" not in error
    assert ("no files in this folder that can be opened" if inside else "the folder holds no files") in error


@pytest.mark.parametrize("beside", [[], ["notes.txt"]])
def test_a_folder_of_one_grid_stands_for_the_grid(tmp_path, grid, beside):
    from friedel.many import grids_in

    folder = tmp_path / "g"
    folder.mkdir()
    (folder / "monday.nc").write_bytes(grid.read_bytes())
    for name in beside:
        (folder / name).write_text("Monday")
    assert grids_in([folder]) == [folder / "monday.nc"]
    words = ["detect", str(folder), "--material", "au111", "--method", "matched-field"]
    assert main([*words, "-o", str(tmp_path / "res")]) == 0
    assert {path.name for path in (tmp_path / "res").glob("*.csv")} == {"monday.csv", "summary.csv"}


def test_a_folder_of_spectra_stays_one_stack_and_a_lone_one_is_a_file(tmp_path):
    from friedel.many import grids_in

    spectrum = (
        "Experiment\tbias spectroscopy\t\n\n[DATA]\nBias calc (V)\tCurrent (A)\n-0.1\t1e-12\n0.1\t2e-12\n"
    )
    for name in ("1.dat", "2.dat"):
        (tmp_path / name).write_text(spectrum)
    assert grids_in([tmp_path]) == [tmp_path]
    (tmp_path / "2.dat").unlink()
    assert grids_in([tmp_path]) == [tmp_path / "1.dat"]


def test_the_summary_lists_a_table_that_was_written_alone(tmp_path, grid, capsys):
    out = tmp_path / "p.csv"
    assert (
        main(["detect", str(grid), "--material", "au111", "--method", "matched-field", "-o", str(out)]) == 0
    )
    (tmp_path / "mine.csv").write_text("row,column\n1,2\n")
    capsys.readouterr()
    assert main(["summary", str(tmp_path)]) == 0
    assert "1 of 1 files done" in capsys.readouterr().out
    row = pd.read_csv(tmp_path / "summary.csv").iloc[0]
    assert (row["file"], row["status"], row["table"]) == (str(grid), "ok", "p.csv")
    assert row["impurities"] == len(pd.read_csv(out, comment="#")) and row["density_per_nm2"] > 0


@pytest.fixture
def image_without_voltage(tmp_path) -> Path:
    from friedel.io.maps import write_map

    path = tmp_path / "chip.gsf"
    values = np.random.default_rng(1).normal(size=(48, 48))
    write_map(values, path, pixel_nm=0.4, name="Topography", units="m")
    return path


@pytest.mark.parametrize("band", [[], ["--material", "au111"]])
def test_an_image_of_unknown_voltage_asks_for_it(tmp_path, image_without_voltage, capsys, band):
    words = ["detect", str(image_without_voltage), *band, "--method", "matched-field"]
    for out in ("g.csv", "res"):
        assert main([*words, "-o", str(tmp_path / out)]) == 2
        error = capsys.readouterr().err
        assert f"{image_without_voltage}: the file does not say its bias voltage: give it as bias" in error
        assert ("(--bias)" in error) == (out == "g.csv")
    assert not (tmp_path / "g.csv").exists()
    with pytest.raises(StackError, match="does not say its bias voltage"):
        friedel.detect(friedel.open_stack(image_without_voltage), dispersion="au111")
    assert main([*words, "--material", "au111", "--bias", "-100", "-o", str(tmp_path / "g.csv")]) == 0
