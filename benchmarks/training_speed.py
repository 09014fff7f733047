"""What a training step costs: simulating its batch beside learning from it, for both recipes.

    python benchmarks/training_speed.py [--steps 20] [--threads 2] [--device cpu]

Prints a table; the ratios matter, absolute times are the machine's.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from friedel.models.model import mixed_precision, resolve_device
from friedel.training.recipes import get_recipe


def measure(name: str, steps: int, device: torch.device) -> tuple[float, float, float]:
    """Median seconds of a batch and of a step, and of one clean pass over the same numbers in memory."""
    recipe, rng = get_recipe(name), torch.Generator().manual_seed(0)
    network = recipe.make_network().to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    recipe.batch(rng, device)  # fills the pool of scenes
    batches, learning, passes = [], [], []
    for _ in range(steps):
        start = time.perf_counter()
        batch = recipe.batch(rng, device)
        batches.append(time.perf_counter() - start)
        start = time.perf_counter()
        with mixed_precision(device):  # as the training loop does
            loss, _ = recipe.loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the device
        learning.append(time.perf_counter() - start)
        maps = batch.maps.cpu().numpy()
        start = time.perf_counter()
        maps.sum()
        passes.append(time.perf_counter() - start)
    return statistics.median(batches), statistics.median(learning), statistics.median(passes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(
        f"{'recipe':10} {'batch [s]':>10} {'step [s]':>10} {'batch/step':>11} {'batch / pass over its bytes':>28}"
    )
    for name in ("paper", "friedel"):
        batch, step, one_pass = measure(name, args.steps, resolve_device(args.device))
        print(f"{name:10} {batch:10.4f} {step:10.4f} {batch / step:11.3f} {batch / one_pass:28.0f}")


if __name__ == "__main__":
    main()
