"""How long a fine-tuning takes on the paper's field: set-up, first curve point, one epoch of 50 steps.

    python benchmarks/fine_tune_speed.py [--threads 2] [--device cpu]

80×80 px, 126 voltages; steps of the default settings, looks included. Beside the wall clock stand the processor's own
seconds, which a busy machine stretches less; with one thread they are what a free core takes. The last column is the
epoch's in units of a plain numpy sum over the stack, to compare machines by.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
import xarray as xr

import friedel
from friedel.finetuning.tuner import FineTuneConfig, FineTuner
from friedel.physics.dispersion import MATERIALS
from friedel.progress import drain


def now() -> np.ndarray:
    """Wall clock and processor time [s]."""
    return np.array([time.perf_counter(), time.process_time()])


def measure(name: str, stack: xr.Dataset, device: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Seconds (wall, processor) until the first point of the curve, set-up included, and of the epoch; steps."""
    model = friedel.load_model(name, device)
    config = FineTuneConfig(epochs=1, device=device)
    start = now()
    tuner = FineTuner(model, stack, config, dispersion=MATERIALS["au111"])
    ready = now()
    work = tuner.run()
    next(work)
    first = now()
    drain(work)
    return first - start, now() - ready, tuner.step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    stack = friedel.simulate(seed=0)
    passes = []
    for _ in range(5):
        start = now()
        stack["LockinX"].to_numpy().sum()
        passes.append(now() - start)
    one_pass = float(np.median(passes, axis=0)[0])
    print(
        f"{args.threads} thread(s); seconds: wall clock (processor)\n"
        f"{'model':10} {'first point':>14} {'epoch':>16} {'steps':>6} {'epoch / pass':>13}"
    )
    for name in ("paper", "friedel"):
        first, epoch, steps = measure(name, stack, args.device)
        print(
            f"{name:10} {first[0]:6.2f} ({first[1]:5.2f}) {epoch[0]:7.2f} ({epoch[1]:6.2f}) {steps:6} "
            f"{epoch[1] / one_pass:13.0f}"
        )


if __name__ == "__main__":
    main()
