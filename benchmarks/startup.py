"""Start-up of the commands: processor time of fresh processes, this tree against another one, in one run.

    python benchmarks/startup.py --before PATH/TO/OTHER/src -o benchmarks/results/startup.csv

Each command runs in turn in both trees, and the least of the repetitions counts. User plus system time is counted, on
one thread: unlike wall time it does not depend on what else the machine does. `detect`
runs the default model on a simulated grid of 32×32 spectra; what remains without the detection itself is its overhead.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "src"
COMMANDS = {
    "--help": ["--help"],
    "detect --help": ["detect", "--help"],
    "info": ["info", "grid.nc"],
    "detect, matched field": ["detect", "grid.nc", "--material", "au111", "--method", "matched-field"],
    "detect, network": ["detect", "grid.nc", "--material", "au111"],
}


def seconds(source: Path, words: list[str], folder: Path) -> float:
    """Processor time of one call."""
    if words[0] == "detect" and "--help" not in words:
        words = [*words, "-o", f"{time.monotonic_ns()}.csv"]
    env = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    before = os.times()
    subprocess.run(
        [sys.executable, "-m", "friedel", *words], cwd=folder, env=env, check=True, capture_output=True
    )
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, help="src folder of the tree to compare with")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument(
        "-o", "--output", type=Path, help="table to write, for example benchmarks/results/startup.csv"
    )
    args = parser.parse_args()
    trees = {"before": args.before.resolve()} if args.before else {}
    trees["now"] = HERE
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grid = ["simulate", "--shape", "32,32", "--bias", "-200:0:25", "--impurities", "6", "-o", "grid.nc"]
        seconds(HERE, grid, folder)
        print(
            f"{'command':24}"
            + "".join(f"{tree + ' [s]':>12}" for tree in trees)
            + ("       ratio" if args.before else "")
        )
        for title, words in COMMANDS.items():
            least = dict.fromkeys(trees, float("inf"))
            for _ in range(args.repeat):
                for tree, source in trees.items():
                    least[tree] = min(least[tree], seconds(source, words, folder))
            ratio = f"{least['now'] / least['before']:12.2f}" if args.before else ""
            rows.append({"command": title} | {f"{tree}_s": f"{value:.2f}" for tree, value in least.items()})
            rows[-1]["ratio"] = ratio.strip()
            print(f"{title:24}" + "".join(f"{value:12.2f}" for value in least.values()) + ratio, flush=True)
    if args.output:
        with args.output.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
