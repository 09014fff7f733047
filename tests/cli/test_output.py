"""What the commands print reaches any stream; control signs are shown, not sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import friedel
from friedel.cli import COMMANDS, main
from friedel.cli.output import clean, one_line

ENCODINGS = ["cp1252", "ascii"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    stack = friedel.simulate(shape=(32, 32), bias_mv=[-200, -100, 0], impurities=5, noise=0.3)
    stack = stack.rename(LockinX="LockinX λ")
    friedel.write_stack(stack, path / "grid.nc")
    return path


def call(arguments, folder, encoding, **more):
    env = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "friedel", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, timeout=120, **more)


@pytest.fixture
def strict_stdout(monkeypatch):
    """A stdout of some encoding inside this process; gives the bytes."""
    import io

    def make(encoding):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors="strict"))
        return raw

    return make


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", [*COMMANDS, ""])
def test_help_of_every_command_is_printed(command, encoding, strict_stdout) -> None:
    raw = strict_stdout(encoding)
    with pytest.raises(SystemExit) as end:
        main([command, "--help"] if command else ["--help"])
    assert end.value.code == 0 and len(raw.getvalue().decode(encoding)) > 200


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "grid.nc", "--header"],
        ["info", "grid.nc", "--json"],
        ["detect", "grid.nc", "--material", "au111", "--method", "matched-field", "-o", "{}.csv"],
        ["detect", "grid.nc", "--material", "au111", "--method", "matched-field", "-o", "{}-results"],
        ["convert", "grid.nc", "{}.npz"],
        ["simulate", "--shape", "16,16", "--bias", "-200:0:100", "--impurities", "2", "-o", "{}-λ.nc"],
        ["evaluate", "grid-{}.csv", "grid.nc"],
        ["models", "list"],
        ["models", "show", "paper"],
        ["benchmark", "--list"],
    ],
    ids=lambda arguments: " ".join(arguments[:3]),
)
def test_every_command_ends_well_whatever_stdout_encodes(
    arguments, encoding, folder, strict_stdout, monkeypatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / f"grid-{encoding}.csv").write_text("row,column,probability\n4,4,0.9\n")
    raw = strict_stdout(encoding)
    assert main([word.format(encoding) for word in arguments]) == 0
    text = raw.getvalue().decode(encoding)
    assert text.strip()
    if "--json" in arguments:
        assert "LockinX λ" in json.loads(text)["channels"]
    elif arguments[0] == "info":
        assert "LockinX lambda" in text


def test_a_strict_pipe_of_a_real_process(folder) -> None:
    done = call(["info", "grid.nc"], folder, "ascii")
    assert done.returncode == 0 and b"lambda" in done.stdout and not done.stderr


@pytest.mark.skipif(os.name == "nt", reason="there are no POSIX pipes")
def test_a_reader_that_goes_away_ends_it_without_a_word(folder) -> None:
    command = f"'{sys.executable}' -m friedel info grid.nc --header | head -c 1 >/dev/null; echo \"${{PIPESTATUS[0]}}\""
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.stderr == "" and done.stdout.strip() in ("141", "0")
    read, write = os.pipe()
    os.close(read)
    closed = subprocess.run(
        [sys.executable, "-m", "friedel", "info", "grid.nc"],
        cwd=folder,
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=120,
    )
    os.close(write)
    assert closed.returncode == 141 and closed.stderr == b""


def test_control_signs_are_shown() -> None:
    assert (
        clean("a\x1b[31mb\x07\u202e\u2028\udcff\n\té\u00a0λ")
        == "a\\x1b[31mb\\x07\\u202e\\u2028\\udcff\n\té\u00a0λ"
    )
    assert one_line("a\n b\x1b") == "a b\\x1b"


@pytest.mark.skipif(os.name == "nt", reason="such a name cannot be")
def test_an_escape_in_a_name_or_a_header_reaches_no_terminal(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    stack = friedel.make_stack(
        {"LockinX\x1b[2J": np.zeros((2, 4, 4)) + np.arange(4)},
        bias_mv=[0, 1],
        pixel_nm=1,
        header={"a": "\x1b]0;x\x07"},
    )
    friedel.write_stack(stack, "a\x1b[31m.nc")
    assert main(["info", "a\x1b[31m.nc", "--header"]) == 0
    assert main(["info", "a\x1b[31m.nc", "--json"]) == 0
    assert main(["info", "none\x1b[31m.nc"]) == 2
    assert main(["detect", "a\x1b[31m.nc", "--channel", "\x1b[1m", "--method", "omp", "-o", "x.csv"]) == 2
    captured = capsys.readouterr()
    for text in (captured.out, captured.err):
        assert "\x1b" not in text and "\x07" not in text
    assert "\\x1b[31m.nc" in captured.out and "none\\x1b" in captured.err


def test_a_name_that_is_not_utf8_is_detected_in(folder, tmp_path, capsys) -> None:
    if sys.platform != "linux":
        pytest.skip("only there a name is any bytes")
    source = os.fsencode(tmp_path) + b"/caf\xe9.nc"
    Path(os.fsdecode(source)).write_bytes((folder / "grid.nc").read_bytes())
    words = [
        "detect",
        os.fsdecode(source),
        str(folder / "grid.nc"),
        "--material",
        "au111",
        "--method",
        "matched-field",
    ]
    assert main([*words, "-o", str(tmp_path / "out")]) == 0, capsys.readouterr().err
    assert main([*words, "-o", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.count("up to date") == 2
