"""Recall and precision of the bundled `paper` model beside the matched field's, on the same fresh Eq. 3 scenes.

Scenes as published: L = 20, 126 voltages of Au(111), η = 0.8; 1 to 8 impurities. The network uses the threshold of its
header. The matched field, which is told ε, the decay and k, gets the threshold with the best F1 on validation scenes.
A point is found if it lies within 1 px, one to one.

    python benchmarks/paper_model.py --model paper --scenes 400
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch

from friedel.classical.matched_field import Template, statistic
from friedel.models.registry import load_model
from friedel.physics.eq3 import FriedelConfig, FriedelScenes, paper_k, scenes
from friedel.training.calibrate_paper import best_threshold, hits, peaks
from friedel.training.patches import normalise_maps

RESULTS = Path(__file__).parent / "results" / "paper_model.csv"
VALIDATION, TEST = 20_001, 30_001  # seeds of the scenes; training uses neither
#: Eq. 3 with its core, ε = 1 px: exactly what the scenes are made of.
TEMPLATE = Template("eq3", core=-1.0, epsilon=FriedelConfig().epsilon)


def draw(number: int, seed: int, noise: float) -> list[FriedelScenes]:
    """Batches of eight scenes."""
    generator = torch.Generator().manual_seed(seed)
    k = torch.tensor(paper_k(), dtype=torch.float32).expand(8, -1)
    return [scenes(FriedelConfig(noise=noise), k, generator) for _ in range(0, number, 8)]


def by_network(model):
    """Score map of a batch by the network: its calibrated probability."""

    def score(made: FriedelScenes) -> torch.Tensor:
        with torch.no_grad():
            s = model.network(normalise_maps(made.maps), made.k, torch.ones_like(made.label)).s
        return model.probability(s)

    return score


def by_matched_field(made: FriedelScenes) -> torch.Tensor:
    """Score map of a batch by the matched field: T."""
    maps = normalise_maps(made.maps).numpy()
    return torch.from_numpy(
        np.stack([statistic(one, k, template=TEMPLATE) for one, k in zip(maps, made.k.numpy(), strict=True)])
    )


def rank(score, batches: list[FriedelScenes]) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Scores of all peaks and whether they are right, a scene each, and the number of impurities of each scene."""
    values, right, number = [], [], []
    for made in batches:
        for field, points, present in zip(score(made), made.positions, made.present, strict=True):
            positions, heights = peaks(field)
            values.append(heights.astype(float))
            right.append(hits(positions, points[present].numpy()))
            number.append(int(present.sum()))
    return values, right, np.array(number)


def average_precision(values: np.ndarray, right: np.ndarray, impurities: int) -> float:
    """Area under precision against recall, by steps."""
    found = right[np.argsort(-values, kind="stable")]
    precision = found.cumsum() / np.arange(1, len(found) + 1)
    return float(precision[found].sum() / impurities)


def rows(method: str, threshold: float, ranked, seconds: float) -> list[dict[str, object]]:
    """Figures of a method over all scenes and for each number of impurities."""
    values, right, number = ranked
    table = []
    for label, chosen in [("1-8", number > 0), *((str(n), number == n) for n in range(1, 9))]:
        v = np.concatenate([one for one, use in zip(values, chosen, strict=True) if use])
        r = np.concatenate([one for one, use in zip(right, chosen, strict=True) if use])
        kept, true = v >= threshold, int(number[chosen].sum())
        found = int((r & kept).sum())
        precision, recall = found / max(int(kept.sum()), 1), found / true
        table.append({
            "method": method,
            "impurities": label,
            "scenes": int(chosen.sum()),
            "recall": round(recall, 4),
            "precision": round(precision, 4),
            "f1": round(2 * found / (true + int(kept.sum())), 4),
            "average_precision": round(average_precision(v, r, true), 4),
            "seconds_per_scene": round(seconds / len(number), 4),
        })  # fmt: skip
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="paper", help="name or file")
    parser.add_argument("--scenes", type=int, default=400)
    parser.add_argument("--noise", type=float, default=0.8, help="η")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = load_model(args.model, "cpu")
    test = draw(args.scenes, TEST, args.noise)

    values, right, number = rank(by_matched_field, draw(max(8, args.scenes // 2), VALIDATION, args.noise))
    cut, _ = best_threshold(np.concatenate(values), np.concatenate(right), int(number.sum()))

    table: list[dict[str, object]] = []
    for name, score, threshold in (
        ("paper network", by_network(model), model.threshold),
        ("matched field", by_matched_field, cut),
    ):
        start = time.perf_counter()
        ranked = rank(score, test)
        table += rows(name, threshold, ranked, time.perf_counter() - start)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    with args.output.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    for row in table:
        print(*(f"{value!s:>14}" for value in row.values()))


if __name__ == "__main__":
    main()
