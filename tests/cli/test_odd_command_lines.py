"""Command lines that make no sense end in one line and exit code 2, before anything is computed or written."""

from __future__ import annotations

import os

import pytest

import friedel
from friedel.cli import COMMANDS, main
from friedel.stack import true_positions

#: Right for no number, pair or list of numbers.
ODD = ["nan", "inf", "-inf", "1e300", "0x10", "½", "a,b", ":", "\x00"]

LINES = [
    "simulate --seed -1 -o {out}.nc",
    "simulate --bias 20:-100:5 -o {out}.nc",
    "simulate --bias 0:10:nan -o {out}.nc",
    "simulate --bias -230:20:1e-9 -o {out}.nc",
    "simulate --drift-px nan -o {out}.nc",
    "simulate --noise nan -o {out}.nc",
    "simulate --noise inf -o {out}.nc",
    "simulate --impurities 1000000000 -o {out}.nc",
    "simulate --shape 1000000,1000000 -o {out}.nc",
    "simulate --pixel-nm 1e-300 -o {out}.nc",
    "simulate --material au111 --onset-mev -520 --mass 0.3 -o {out}.nc",
    "detect {grid} --device xla -o {out}.csv",
    "detect {grid} --pixel-nm 1e-300 -o {out}.csv",
    "detect {grid} --pixel-nm 1,2,3 -o {out}.csv",
    "detect {grid} --threshold 5 -o {out}.csv",
    "detect {grid} --threshold -1 -o {out}.csv",
    "detect {grid} --threshold nan -o {out}.csv",
    "detect {grid} --onset-mev nan --mass 1 -o {out}.csv",
    "detect {grid} --onset-mev -520 --mass 0 -o {out}.csv",
    "detect {grid} --area 5:1,0:3 -o {out}.csv",
    "detect {grid} --channel nonsense -o {out}.csv",
    "detect {grid} --jobs 0 -o {out}",
    "detect {grid} --method magic -o {out}.csv",
    "detect {grid} --bias 1:2:3:4 -o {out}.csv",
    "convert {grid} {out}.gsf --at nan",
    "convert {grid} {out}.gsf --at 20000",
    "convert {grid} {out}.nc --channel nonsense",
    "convert {grid} {out}.gsf --at inf --channel LockinX",
    "evaluate {points} {grid} --threshold 2",
    "evaluate {points} {grid} --threshold nan",
    "evaluate {points} {grid} --border-px nan",
    "evaluate {points} {grid} --tolerance-px nan",
    "evaluate {points} {grid} --tolerance-px 0",
    "evaluate {points} {grid} --tolerance-px 1 --tolerance-nm 1",
    "evaluate {points} {points} --border-px 1",
    "evaluate {points} {grid} --shape 0,5",
    "train -o .",
    "train -o {out}/nowhere/m",
    "train -o {out} --steps 1 --minutes 1",
    "train -o {out} --threads 1000000",
    "train -o {out} --device xla",
    "train -o {out} --seed -1",
    "train -o {out} --set average=2",
    "train -o {out} --set size=nan",
    "fine-tune {grid} -o {out} --learning-rate nan",
    "fine-tune {grid} -o {out} --learning-rate 1e9",
    "fine-tune {grid} -o .",
    "benchmark -o {out} --threads 1000000",
    "benchmark -o {out} --seeds 0",
    "benchmark -o {out} --scenes ,",
    "reproduce fig4 -o {out} --voltages 127",
    "reproduce fig3 -o {out} --sample -1",
    "reproduce fig5",
    "demo --impurities -1",
    "demo --impurities 100000",
    "demo --seed -1",
    "models",
    "models show",
    "summary {out}/nowhere",
    "info",
    "",
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    stack = friedel.simulate(shape=(16, 16), bias_mv=[-200, -100, 0], impurities=2)
    friedel.write_stack(stack, folder / "grid.nc")
    (folder / "points.csv").write_text("row,column,x_nm,y_nm,probability\n4,4,1,1,0.9\n")
    return folder


def outcome(arguments) -> int:
    try:
        return main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


@pytest.fixture
def refused(files, tmp_path, monkeypatch, capsys):
    """Call and check: code 2, one line on stderr, no file."""
    monkeypatch.chdir(tmp_path)
    places = {"grid": files / "grid.nc", "points": files / "points.csv", "out": "out"}

    def check(line) -> str:
        words = line.split() if isinstance(line, str) else line
        code = outcome([word.format(**places) for word in words])
        captured = capsys.readouterr()
        errors = [text for text in captured.err.splitlines() if "warning" not in text]
        assert code == 2 and len(errors) == 1, (words, code, captured.err)
        assert errors[0].startswith("friedel") and "Traceback" not in captured.err
        assert not list(tmp_path.iterdir()), words
        return errors[0]

    return check


@pytest.mark.parametrize("line", LINES)
def test_nonsense_is_one_line(line, refused) -> None:
    refused(line)


@pytest.mark.parametrize("sign", ["\n", "\r\n", "\x0b", "\x85", "\u2028"])
@pytest.mark.parametrize(
    "words",
    [
        ["in{}fo"], ["--x{}y"], ["info", "a{}b"], ["info", "--x{}y"], ["demo", "a{}b"], ["models", "sh{}ow"],
        ["models", "show", "a{}b"], ["reproduce", "f{}g"], ["benchmark", "--scenes", "a{}b", "-o", "out"],
        ["detect", "a{}b", "-o", "out.csv"], ["detect", "x", "--method", "a{}b", "-o", "out.csv"],
        ["detect", "x", "--material", "a{}b", "-o", "out.csv"], ["train", "--set", "a{}b", "-o", "out"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_line_break_in_an_argument_leaves_the_error_one_line(words, sign, refused) -> None:
    refused([word.replace("{}", sign) for word in words])


@pytest.mark.parametrize("command", ["info", "detect", "convert"])
def test_an_empty_name_is_not_the_current_folder(command, refused) -> None:
    """A shell variable that is not set leaves one."""
    assert "empty" in refused(
        [command, "", *{"detect": ["-o", "out.csv"], "convert": ["out.nc"]}.get(command, [])]
    )


def options_of(command):
    import click

    from friedel.cli import build_parser

    made = build_parser().get_command(click.Context(build_parser()), command)
    for param in made.params:
        if (
            getattr(param, "setting", "")
            and not param.is_flag
            and param.type.setting.type in (int, float, tuple)
        ):
            yield param.opts[0]


NEEDED = {
    "demo": [], "detect": ["{grid}", "-o", "out.csv"], "simulate": ["-o", "out.nc"], "info": ["{grid}"],
    "convert": ["{grid}", "out.nc"], "train": ["-o", "out", "--device", "xla"], "reproduce": ["fig5"],
    "fine-tune": ["{grid}", "-o", "out", "--device", "xla"], "evaluate": ["{points}", "{grid}", "--shape", "0,0"],
    "benchmark": ["--scenes", ","], "summary": ["nowhere"], "models": [], "view": ["nowhere"],
    "refit": ["{grid}", "{points}", "-o", "out.csv"],
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_no_odd_value_of_any_number_is_more_than_a_line(command, refused) -> None:
    """The rest of the line is wrong, too, where a right value would start long work."""
    for flag in options_of(command):
        for value in ODD:
            refused([command, *NEEDED[command], flag, value])


def test_a_table_of_unknown_kind_is_refused_before_the_fit(refused, monkeypatch) -> None:
    from friedel import given_points

    fitted = []
    monkeypatch.setattr(given_points, "refit_points", lambda *_given, **_options: fitted.append(1))
    refused(["refit", "{grid}", "{points}", "--material", "au111", "-o", "out.xlsx"])
    assert not fitted


def test_simulating_no_impurities_works(tmp_path) -> None:
    path = tmp_path / "empty.nc"
    assert main(["simulate", "--impurities", "0", "--shape", "16,16", "--bias", "-100", "-o", str(path)]) == 0
    assert len(true_positions(friedel.open_stack(path))) == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs")
@pytest.mark.timeout(60)
def test_a_fifo_among_the_files_stops_nothing(files, tmp_path, capsys) -> None:
    os.mkfifo(tmp_path / "pipe.nc")
    words = [
        "detect",
        str(tmp_path / "pipe.nc"),
        str(files / "grid.nc"),
        "--material",
        "au111",
        "--method",
        "omp",
    ]
    assert main([*words, "-o", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert "1 of 2 files done" in captured.out and "pipe.nc" in captured.err
