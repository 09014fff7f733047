"""The network `friedel` by torch and by ONNX Runtime, once both are loaded: processor time on one thread, and answers.

    OMP_NUM_THREADS=1 python benchmarks/runtimes.py -o benchmarks/results/runtimes.csv

Both run in turn; the least of the repetitions counts. The network runs alone over fields of noise, and within a whole
detection of a simulated field.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import friedel
from friedel.candidates.tiling import forward
from friedel.models.light import light_model
from friedel.models.registry import find_model, load_model

FIELDS = ((32, 9), (80, 42), (190, 42))


def compared(what: str, run: Callable[[Any], np.ndarray], models: dict[str, Any], repeat: int) -> dict:
    """One row: the least time of each runtime, and how far their answers differ."""
    least, answers = dict.fromkeys(models, float("inf")), {}
    for _ in range(repeat):
        for name, model in models.items():
            began = time.process_time()
            answers[name] = run(model)
            least[name] = min(least[name], time.process_time() - began)
    ratio = least["onnxruntime"] / least["torch"]
    apart = float(np.abs(answers["onnxruntime"] - answers["torch"]).max())
    row = {"what": what} | {f"{name}_s": f"{value:.4f}" for name, value in least.items()}
    return row | {"ratio": f"{ratio:.2f}", "largest_difference": f"{apart:.1e}"}


def network_alone(side: int, voltages: int) -> Callable[[Any], np.ndarray]:
    """A forward pass, its symmetries included, over a field of noise."""
    maps = np.random.default_rng(0).normal(size=(1, voltages, side, side)).astype(np.float32)
    k, known = np.linspace(0.55, 1.0, voltages), np.ones((1, side, side), bool)
    return lambda model: forward(model, maps, k, known, False).values[0]


def detection(side: int, voltages: int) -> Callable[[Any], np.ndarray]:
    """A detection; its answer is the positions of the impurities."""
    stack = friedel.simulate(shape=(side, side), bias_mv=np.linspace(-250, 0, voltages), seed=1)

    def run(load: Callable[[], Any]) -> np.ndarray:
        found = friedel.detect(stack, dispersion="au111", model=load(), device="cpu")
        table = found.impurities.sort_values("row")
        return table[["row", "column"]].to_numpy()

    return run


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=4)
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    models = {"torch": load_model("friedel", "cpu"), "onnxruntime": light_model(find_model("friedel"))}
    rows = []
    for side, voltages in FIELDS:
        run = network_alone(side, voltages)
        rows.append(compared(f"network, {side}×{side}, {voltages} voltages", run, models, args.repeat))
        print(rows[-1], flush=True)
    # A detection takes ONNX Runtime where it loads the model itself; so that both do the same, torch's is loaded, too.
    loads = {"torch": lambda: load_model("friedel", "cpu"), "onnxruntime": lambda: "friedel"}
    rows.append(compared("detection, 80×80, 42 voltages", detection(80, 42), loads, args.repeat))
    print(rows[-1])
    if args.output:
        with args.output.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
