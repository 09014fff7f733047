"""Write every kind of file at every level of a filling disk; run as a process of its own by `test_full_disk`.

``python full_disk_child.py FOLDER limit`` limits the size of a file (RLIMIT_FSIZE: the write fails as on a full disk,
with another errno); ``python full_disk_child.py FOLDER disk`` expects FOLDER to be a small file system and fills it.
``python full_disk_child.py commands BYTES < WORDS`` runs commands, a list of lists in JSON, under such a limit.
Prints one line of JSON per try: kind, free bytes, what came of it, whether the older file is whole, what was left.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

import friedel
from friedel.models.paper_net import AttentionConfig, AttentionNetwork
from friedel.models.registry import load_model, save_model
from friedel.training.checkpoint import write_checkpoint

HEADER: dict[str, Any] = {
    "architecture": "attention",
    "config": AttentionConfig(width=8, dilations=(1,)).as_dict(),
    "k_range": [0.6, 0.9],
    "threshold": 0.5,
}
UNLIMITED = resource.RLIM_INFINITY


def kinds() -> dict[str, tuple[str, Callable[[Path, int], object], Callable[[Path], float]]]:
    """Kind → name of the file, how it is written with a number in it, how the number is read back."""
    stack = friedel.simulate("au111", shape=(24, 24), impurities=3, bias_mv=[-200.0, -100.0, 0.0], seed=1)

    def stack_with(number: int):
        return stack.assign(LockinX=stack["LockinX"] * 0 + np.float32(number))

    def model(path: Path, number: int) -> None:
        torch.manual_seed(0)
        save_model(
            path,
            AttentionNetwork(AttentionConfig(width=8, dilations=(1,))),
            {**HEADER, "seed": number},
            overwrite=True,
        )

    def opened(path: Path) -> float:
        return float(friedel.open_stack(path)["LockinX"].values.flat[0])

    def looked_up(path: Path) -> float:  # `open_stack` would start a process for every file of HDF5
        with h5py.File(path) as file:
            return float(file["LockinX"][0, 0, 0])

    return {
        "nc": ("grid.nc", lambda path, n: friedel.write_stack(stack_with(n), path), looked_up),
        "npz": ("grid.npz", lambda path, n: friedel.write_stack(stack_with(n), path), opened),
        "model": ("m.safetensors", model, lambda path: load_model(path, "cpu").header["seed"]),
        "checkpoint": (
            "state.pt",
            lambda path, n: write_checkpoint(path, {"number": n, "weights": torch.ones(4000)}),
            lambda path: torch.load(path, weights_only=True)["number"],
        ),
    }


def main(folder: Path, how: str) -> None:
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python does itself; the write then fails with EFBIG
    filler = folder / "filler"
    for kind, (name, write, read) in kinds().items():
        path = folder / name
        write(path, 1)
        size = path.stat().st_size
        read(path)  # whatever is imported or cached on first use is there now
        for level in [0, 1, 511, 4096, *np.linspace(0, 1.05 * size, 12).astype(int)[1:]]:
            if how == "limit":
                resource.setrlimit(resource.RLIMIT_FSIZE, (int(level), UNLIMITED))
            else:
                fill(filler, int(level))
            try:
                write(path, 2)
                outcome = "written"
            except (friedel.FriedelError, OSError) as error:
                outcome = f"{type(error).__name__}: {error}"
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
                filler.unlink(missing_ok=True)
            left = [one.name for one in folder.iterdir() if one != path]
            print(json.dumps([kind, int(level), size, outcome, read(path), left]), flush=True)
            write(path, 1)
        path.unlink()


def run_commands(limit: int) -> None:
    """Exit code and lines of stderr of each command of stdin, called in this process."""
    from friedel.cli import main as friedel_main

    for words in json.load(sys.stdin):
        told = io.StringIO()
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, UNLIMITED))
        try:
            with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
                code = friedel_main(words)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
        print(json.dumps([code, told.getvalue().splitlines()]), flush=True)


def fill(filler: Path, free: int) -> None:
    """Leave about `free` bytes on the file system, in whole blocks."""
    with filler.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(4096))
        except OSError:
            pass
        stream.flush()
        os.ftruncate(stream.fileno(), max(0, stream.tell() - -(-free // 4096) * 4096))


if __name__ == "__main__":
    if sys.argv[1] == "commands":
        run_commands(int(sys.argv[2]))
    else:
        main(Path(sys.argv[1]), sys.argv[2])
