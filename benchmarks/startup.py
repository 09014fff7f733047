"""Start-up of the commands: processor time of fresh processes, this tree against another one, in one run.

    python benchmarks/startup.py --before PATH/TO/OTHER/src -o benchmarks/results/startup.csv

Each command runs in turn in both trees, and the least of the repetitions counts. User plus system time is counted, on
one thread: unlike wall time it hardly depends on what else the machine does. The modules' bytecode is kept between the
runs, as an installation keeps it. `detect` runs the default model on a simulated grid of 32×32 spectra. The same
detection is also run in a process in which it ran before; what remains of the command without it is its overhead. The
last rows are imports by themselves.
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
#: The same detection once everything is loaded.
WARM = """
import time, warnings
import friedel
warnings.simplefilter("ignore")
least = float("inf")
for _ in range(4):
    start = time.process_time()
    friedel.detect(friedel.open_stack("grid.nc"), dispersion="au111", method="METHOD")
    least = min(least, time.process_time() - start)
print(least)
"""
DETECTIONS = {"detect, matched field": "matched-field", "detect, network": "network"}
IMPORTS = ("torch", "onnxruntime", "xarray", "dask.array")


def seconds(source: Path, words: list[str], folder: Path) -> float:
    """Processor time of one call."""
    if words[0] == "detect" and "--help" not in words:
        words = [*words, "-o", f"{time.monotonic_ns()}.csv"]
    return processor_time(["-m", "friedel", *words], source, folder)


def processor_time(words: list[str], source: Path, folder: Path) -> float:
    """Processor time of one run of Python."""
    before = os.times()
    python(words, source, folder)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def python(words: list[str], source: Path, folder: Path) -> str:
    """What a fresh Python prints."""
    env = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    env |= {"PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=env, check=True, capture_output=True, text=True
    )
    return done.stdout


def measured(title: str, trees: dict[str, Path], folder: Path, repeat: int) -> dict[str, str]:
    """One row of the table: a command, its detection alone, and what is left."""
    least = dict.fromkeys(trees, float("inf"))
    for _ in range(repeat):
        for tree, source in trees.items():
            least[tree] = min(least[tree], seconds(source, COMMANDS[title], folder))
    row = {"command": title} | {f"{tree}_s": f"{value:.2f}" for tree, value in least.items()}
    row["ratio"] = f"{least['now'] / least['before']:.2f}" if "before" in least else ""
    if title in DETECTIONS:
        script = WARM.replace("METHOD", DETECTIONS[title])
        rest = {}
        for tree, source in trees.items():
            alone = float(python(["-c", script], source, folder).split()[-1])
            rest[tree] = least[tree] - alone
            row |= {f"{tree}_detection_s": f"{alone:.2f}", f"{tree}_overhead_s": f"{rest[tree]:.2f}"}
        row["overhead_ratio"] = f"{rest['now'] / rest['before']:.2f}" if "before" in rest else ""
    return row


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
        for title in COMMANDS:
            rows.append(measured(title, trees, folder, args.repeat))
            print(rows[-1], flush=True)
        empty = min(processor_time(["-c", ""], HERE, folder) for _ in range(args.repeat))
        for name in IMPORTS:
            took = min(processor_time(["-c", f"import {name}"], HERE, folder) for _ in range(args.repeat))
            rows.append({"command": f"import {name}", "now_s": f"{took - empty:.2f}"})
            print(rows[-1], flush=True)
    if args.output:
        with args.output.open("w", newline="") as file:
            names = list(dict.fromkeys(name for row in rows for name in row))
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
