"""One try of each kind: make something odd from a seed, hand it in, and say whether it was accepted or refused."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import random
import struct
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path += [str(Path(__file__).resolve().parents[1] / "io"), str(Path(__file__).resolve().parents[1])]

ACCEPTED, REFUSED = "accepted", "refused"
#: Numbers that a file or a command line may hold where a sensible one belongs.
ODD_NUMBERS = (
    "0",
    "-1",
    "1e-300",
    "1e300",
    "nan",
    "inf",
    "-inf",
    "1000000",
    "2.5",
    "",
    "x",
    "0x10",
    "٣",
    "1_0",
)
ODD_TEXTS = ("", "-", "--", ".", "..", "/", "a\nb", "\u2028", "äöü", "x" * 300, "=1+1", "nonsense", "\x1b[2J")


class Failure(AssertionError):
    """Something other than an answer or a sentence."""


# -- damage ----------------------------------------------------------------------------------------------------


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Cut, flip, repeat, swap or overwrite parts of a file, once to four times."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        size = len(data)
        at = rng.randrange(size + 1)
        length = min(rng.choice((1, 2, 4, 8, 64, 1024)), size - at)
        kind = rng.randrange(6)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            del data[at : at + length]
        elif kind == 2:
            data[at : at + length] = rng.randbytes(length)
        elif kind == 3:
            data[at:at] = data[at : at + length] * rng.choice((1, 2, 16))
        elif kind == 4:
            value = rng.choice((0, 1, 2**31 - 1, 2**32 - 1, 0x7FF00000))
            data[at : at + 4] = struct.pack(rng.choice("<>") + "I", value)
        elif size:
            data[rng.randrange(size)] ^= 1 << rng.randrange(8)
    return bytes(data)


def odd_json(rng: random.Random, depth: int = 3) -> Any:
    """Any JSON value, and some that are none."""
    kind = rng.randrange(9 if depth else 6)
    if kind == 0:
        return rng.choice((None, True, False))
    if kind == 1:
        return rng.choice((0, -1, 1, 5, 2**31, 10**18, 10**400, rng.randint(-100, 100)))
    if kind == 2:
        return rng.choice((0.5, -0.0, 1e-300, 1e300, float("nan"), float("inf"), rng.uniform(-2, 2)))
    if kind in (3, 4):
        return rng.choice(ODD_TEXTS)
    if kind == 5:
        return []
    if kind == 6:
        return [odd_json(rng, depth - 1) for _ in range(rng.randrange(5))]
    names = ("name", "sha256", "f1", "shape", "spread", "noise", "intercept", "alpha", "before", "a")
    return {rng.choice(names): odd_json(rng, depth - 1) for _ in range(rng.randrange(5))}


# -- kinds -----------------------------------------------------------------------------------------------------


@functools.cache
def _files() -> dict[str, tuple[str, bytes, dict[str, Any]]]:
    from io_makers import MAKERS

    made = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (suffix, maker) in MAKERS.items():
            path = Path(folder) / f"{name}{suffix}"
            options = maker(path)
            made[name] = (suffix, path.read_bytes(), options)
    return made


def _open(name: str, rng: random.Random, folder: Path) -> str:
    from friedel.errors import FriedelError
    from friedel.io import open_stack

    suffix, content, options = _files()[name]
    path = folder / f"file{suffix}"
    path.write_bytes(damaged(content, rng))
    try:
        stack = open_stack(path, **options)
        for variable in stack.variables.values():
            variable.to_numpy()
    except FriedelError as error:
        return _sentence(str(error), path.name)
    return ACCEPTED


def _sentence(text: str, name: str = "") -> str:
    if "\n" in text.strip() or name not in text or len(text) > 2000:
        raise Failure(f"no sentence that names {name!r}: {text[:200]!r}")
    return REFUSED


#: Formats behind a guard that starts a process for each file: some per second instead of hundreds.
GUARDED = ("nsid", "hdf5", "mat73", "netcdf")


def file(rng: random.Random, folder: Path) -> str:
    """Open a damaged stack of a format without HDF5 inside."""
    return _open(rng.choice([name for name in sorted(_files()) if name not in GUARDED]), rng, folder)


def hdf5(rng: random.Random, folder: Path) -> str:
    """Open a damaged stack of a format with HDF5 inside."""
    return _open(rng.choice(GUARDED), rng, folder)


@functools.cache
def _model() -> tuple[dict[str, Any], bytes, dict[str, Any]]:
    import torch
    from safetensors.torch import save

    from friedel.models.paper_net import AttentionConfig, AttentionNetwork

    torch.manual_seed(0)
    config = AttentionConfig(width=4, dilations=(1,))
    header = {
        "architecture": "attention",
        "config": config.as_dict(),
        "k_range": [0.6, 0.9],
        "calibration": {"slope": 2.0, "intercept": -1.0},
        "threshold": 0.3,
    }
    state = AttentionNetwork(config).state_dict()
    return header, save(state, metadata={"friedel": json.dumps(header)}), state


def header(rng: random.Random, folder: Path) -> str:
    """List, describe and load a model whose header holds odd values."""
    from safetensors.torch import save

    from friedel.models.model_header import SCHEMA

    good, _, state = _model()
    odd = json.loads(json.dumps(good))
    for _ in range(rng.randint(1, 3)):
        name = rng.choice((*SCHEMA, "recipe", "seed", "device", "config.", "config.", "config."))
        if name == "config.":
            key = rng.choice((*good["config"], "groups", "unknown"))
            if isinstance(odd.get("config"), dict):
                odd["config"][key] = odd_json(rng)
        else:
            odd[name] = odd_json(rng)
    (folder / "m.safetensors").write_bytes(save(state, metadata={"friedel": json.dumps(odd)}))
    return _use_model(folder)


def model(rng: random.Random, folder: Path) -> str:
    """List, describe and load a damaged model file."""
    (folder / "m.safetensors").write_bytes(damaged(_model()[1], rng))
    return _use_model(folder)


def _use_model(folder: Path) -> str:
    import torch

    from friedel.errors import ModelError
    from friedel.models.card import card
    from friedel.models.registry import load_model, model_info

    path = folder / "m.safetensors"
    text = card(model_info(path))
    if any(not (one.isprintable() or one == "\n") for one in text):
        raise Failure(f"a card with control characters: {text!r}")
    try:
        loaded = load_model(path, "cpu")
    except ModelError as error:
        return _sentence(str(error), path.name)
    with torch.no_grad():
        s = loaded.network(torch.ones(1, 2, 8, 8), torch.full((1, 2), 0.7), torch.ones(1, 8, 8)).s
    probability = loaded.probability(s)
    if not (0 <= loaded.threshold <= 1 and bool(((probability >= 0) & (probability <= 1)).all())):
        raise Failure(f"a probability that is none: {loaded.header}")
    return ACCEPTED


#: Command → arguments that work, and options, each with a value that works.
COMMANDS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "info": (
        ("grid.nc",),
        {
            "--material": "au111",
            "--onset-mev": "-500",
            "--mass": "0.3",
            "--bias": "-1:1",
            "--pixel-nm": "0.3",
        },
    ),
    "convert": (
        ("grid.nc", "-o", "out.gsf", "--at", "0"),
        {"--at": "-50", "--channel": "LockinX", "--area": "0:8,0:8", "--pixel-nm": "0.3", "--axes": "byx"},
    ),
    "simulate": (
        ("-o", "out.nc", "--shape", "12,12", "--bias", "-100:0:50", "--impurities", "2"),
        {
            "--noise": "0.5",
            "--seed": "3",
            "--bias": "-100:0:50",
            "--impurities": "1",
            "--drift-px": "1",
            "--shape": "12,14",
            "--pixel-nm": "0.4",
            "--material": "ag111",
        },
    ),
    "detect": (
        ("grid.nc", "-o", "out.csv", "--material", "au111", "--method", "matched-field"),
        {
            "--threshold": "0.4",
            "--area": "0:10,0:10",
            "--device": "cpu",
            "--pixel-nm": "0.4",
            "--refit": "none",
            "--channel": "LockinX",
            "--onset-mev": "-500",
            "--mass": "0.3",
        },
    ),
    "evaluate": (
        ("points.csv", "points.csv"),
        {
            "--tolerance-px": "1",
            "--tolerance-nm": "1",
            "--threshold": "0.5",
            "--border-px": "1",
            "--shape": "12,12",
        },
    ),
    "models": (("show", "paper"), {"--json": ""}),
    "refit": (
        ("grid.nc", "points.csv", "--material", "au111", "-o", "out.csv"),
        {"--refit": "quick", "--hold": "", "--channel": "LockinX", "--pixel-nm": "0.4", "--mass": "0.3"},
    ),
    "summary": ((".",), {"--overwrite": ""}),
    "train": (
        ("-o", "out.safetensors", "--steps", "0"),
        {"--seed": "1", "--device": "cpu", "--set": "pool=3", "--workers": "0"},
    ),
}


@functools.cache
def _inputs() -> dict[str, bytes]:
    import friedel

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stack = friedel.simulate("au111", shape=(12, 12), impurities=2, bias_mv=[-150.0, -50.0, 0.0], seed=1)
        stack.to_netcdf(Path(folder) / "grid.nc", engine="h5netcdf", invalid_netcdf=True)
        grid = (Path(folder) / "grid.nc").read_bytes()
    return {"grid.nc": grid, "points.csv": b"row,column,probability\n2,3,0.9\n8,7,0.4\n"}


def command(rng: random.Random, folder: Path) -> str:
    """Run a command line with odd values: exit code 0, or 2 with one line on stderr."""
    from friedel.cli import main

    for name, content in _inputs().items():
        (folder / name).write_bytes(content)
    verb = rng.choice(sorted(COMMANDS))
    fixed, options = COMMANDS[verb]
    argv = [verb, *fixed]
    for _ in range(rng.randint(1, 3)):
        name = rng.choice(sorted(options))
        odd = rng.choice((*ODD_NUMBERS, *ODD_TEXTS, "20:-100:5", "0:2,0:2", "5:1,9:9", "2,2", "1000000,2"))
        value = options[name] if rng.random() < 0.4 else odd
        argv += [name, value] if value else [name]
    if rng.random() < 0.1:
        argv[rng.randrange(1, len(argv))] = rng.choice(ODD_TEXTS)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code: Any = main(argv)
        except SystemExit as end:
            code = end.code
        except BaseException as error:
            raise Failure(f"{argv}: {type(error).__name__}: {str(error)[:200]}") from error
    lines = [line for line in err.getvalue().splitlines() if line.strip() and "warning:" not in line]
    if code not in (0, 2) or (code == 2 and len(lines) != 1):
        raise Failure(f"{argv}: exit code {code}, stderr {lines[:3]}")
    return ACCEPTED if code == 0 else REFUSED


def call(rng: random.Random, folder: Path) -> str:
    """Call a public function with one argument of a wrong type, or two."""
    from friedel.errors import FriedelError
    from odd_calls import FUNCTIONS, calls, files, odd_values

    chosen = calls()[rng.choice([name for name in FUNCTIONS if name != "fine_tune"])]
    odd = {rng.choice(chosen.names): rng.choice(odd_values()) for _ in range(rng.randint(1, 2))}
    with contextlib.chdir(folder):
        files(folder)
        try:
            chosen.function(**{**chosen.arguments, **odd})
        except FriedelError as error:
            return _sentence(str(error))
    return ACCEPTED


def warm_up() -> None:
    """Do once what takes long and is no try: imports, and the files that are damaged."""
    from odd_calls import calls

    _files(), _model(), _inputs(), calls()


#: Kind → (one try, share of the time).
TRIES: dict[str, tuple[Callable[[random.Random, Path], str], float]] = {
    "file": (file, 0.3),
    "hdf5": (hdf5, 0.2),
    "header": (header, 0.15),
    "model": (model, 0.15),
    "command": (command, 0.2),
    "call": (call, 0.1),
}
