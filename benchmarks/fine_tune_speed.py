"""How long a fine-tuning takes on the paper's field: set-up, first curve point, one epoch of 50 steps.

    python benchmarks/fine_tune_speed.py [--threads 2]

80×80 px, 126 voltages; steps of 16 patches of 20×20 px at 16 voltages, looks included. The last column is a plain numpy
sum over the stack, to compare machines by.
"""

from __future__ import annotations

import argparse
import time

import torch

import friedel
from friedel.physics.dispersion import MATERIALS
from friedel.training.fine_tune import FineTuneConfig, FineTuner


def measure(name: str, stack: object) -> tuple[float, float, float, int]:
    """Seconds of the set-up, until the first point of the curve (set-up included), of the epoch; steps."""
    model = friedel.load_model(name, "cpu")
    config = FineTuneConfig(epochs=1, device="cpu")
    start = time.perf_counter()
    tuner = FineTuner(model, stack, config, dispersion=MATERIALS["au111"])
    ready = time.perf_counter()
    first, steps = None, 0
    for _ in tuner.run():
        steps += 1
        first = first or time.perf_counter()
    end = time.perf_counter()
    return ready - start, (first or end) - start, end - ready, steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    stack = friedel.simulate(seed=0)
    start = time.perf_counter()
    stack["LockinX"].to_numpy().sum()
    one_pass = time.perf_counter() - start
    print(
        f"{'model':10} {'set-up [s]':>11} {'first point [s]':>16} {'epoch [s]':>10} {'yields':>7} {'epoch / pass':>13}"
    )
    for name in ("paper", "friedel"):
        setup, first, epoch, steps = measure(name, stack)
        print(f"{name:10} {setup:11.2f} {first:10.2f} {epoch:10.2f} {steps:7} {epoch / one_pass:13.0f}")


if __name__ == "__main__":
    main()
