"""Many detections and fine-tunings in one process: does the memory stay flat?

``python benchmarks/soak.py`` does 200 detections and 50 fine-tunings of a simulated field, reads the resident memory
after each, and writes what it came to into ``benchmarks/results/soak.csv``. Memory counts as flat if a straight line
through the second half of the readings rises by less than `RISE` over that half; the exit code is 1 otherwise.
"""

from __future__ import annotations

import argparse
import csv
import gc
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import psutil

import friedel
from friedel.errors import FriedelWarning
from friedel.finetuning.tuner import FineTuneConfig, FineTuner
from friedel.progress import drain

#: Megabytes by which memory may rise over the second half of the readings: what allocators move about.
RISE = 20.0
HERE = Path(__file__).parent


def rise(megabytes: list[float]) -> float:
    """Rise of a straight line through the second half of the readings [MB]."""
    half = np.asarray(megabytes[len(megabytes) // 2 :])
    if len(half) < 3:
        return 0.0
    slope = np.polyfit(np.arange(len(half)), half, 1)[0]
    return float(slope * (len(half) - 1))


def summary(kind: str, megabytes: list[float]) -> dict[str, float | str]:
    """One row of the table."""
    middle = len(megabytes) // 2
    return {
        "kind": kind,
        "times": len(megabytes),
        "first [MB]": round(megabytes[0], 1),
        "middle [MB]": round(megabytes[middle], 1),
        "last [MB]": round(megabytes[-1], 1),
        "rise over the second half [MB]": round(rise(megabytes), 1) + 0.0,  # not −0.0
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--detections", type=int, default=200)
    parser.add_argument("--fine-tunings", type=int, default=50)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results" / "soak.csv")
    args = parser.parse_args()
    warnings.simplefilter("ignore", FriedelWarning)
    process = psutil.Process()
    bias = np.linspace(-200, 20, 24)
    stack = friedel.simulate("au111", shape=(64, 64), impurities=20, bias_mv=bias, seed=1)
    model = friedel.load_model("friedel", "cpu")
    rows: list[dict[str, float | str]] = []

    def note(kind: str, number: int, started: float) -> None:
        gc.collect()
        megabytes = round(process.memory_info().rss / 1e6, 1)
        seconds = round(time.monotonic() - started, 2)
        rows.append({"kind": kind, "number": number, "megabytes": megabytes, "seconds": seconds})
        print(*rows[-1].values(), flush=True)

    for number in range(args.detections):
        started = time.monotonic()
        friedel.detect(stack, dispersion="au111", model=model)
        note("detection", number, started)
    for number in range(args.fine_tunings):
        started = time.monotonic()
        config = FineTuneConfig(epochs=1, steps_per_epoch=4, check_every=2, device="cpu", seed=number)
        drain(FineTuner(model, stack, config, dispersion="au111").run())
        note("fine-tuning", number, started)
    table = []
    for kind in ("detection", "fine-tuning"):
        chosen = [row for row in rows if row["kind"] == kind]
        if chosen:
            table.append(summary(kind, [float(row["megabytes"]) for row in chosen]))
    with args.output.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    print(*table, sep="\n")
    return int(any(float(row["rise over the second half [MB]"]) >= RISE for row in table))


if __name__ == "__main__":
    sys.exit(main())
