"""How a training stands: recall and false points of models and unfinished trainings on validation scenes.

    python benchmarks/training_progress.py friedel new.checkpoint copy-of-an-earlier.checkpoint

Three kinds of scenes of 64×64 px, by the training's own laws with a seed of their own: without confounders, confounded
with impurities, confounded without any. A point is a peak of S above `--cut` (0: as likely as not before calibration).
Of an unfinished training the moving average of the weights is judged. The best is the one with the highest score:
F1 of both kinds with impurities, less a twentieth of the false points per 80×80 px in empty fields.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from friedel.models.registry import load_model
from friedel.training.calibrate_friedel import AREA, collect
from friedel.training.checkpoint import reading_checkpoint
from friedel.training.confounder_config import ConfounderConfig
from friedel.training.recipe_friedel import SCENE, recipe

SEED = 5_555_555


def network(name: str) -> torch.nn.Module:
    """The network of a model or of an unfinished training."""
    if not name.endswith(".checkpoint"):
        return load_model(name, "cpu").network.eval()
    made = recipe().make_network()
    with reading_checkpoint(name, torch.device("cpu"), "checkpoint") as content:
        average = content["average"]
        weights = {
            key.removeprefix("module."): value for key, value in average.items() if key != "n_averaged"
        }
        made.load_state_dict(weights)
    return made.eval()


def judge(net: torch.nn.Module, fields: int, cut: float) -> dict[str, float]:
    """Figures of one network."""
    config, every = replace(SCENE, size=64), ConfounderConfig(share=1.0)
    kinds = {"plain": None, "confounded": replace(every, empty=0.0), "empty": replace(every, empty=1.0)}
    row: dict[str, float] = {}
    for i, (kind, confounders) in enumerate(kinds.items()):
        peaks = collect(net, config, "cpu", fields, seed=SEED + i, confounders=confounders)
        taken = peaks.s > cut
        right, false = int((taken & peaks.true).sum()), int((taken & ~peaks.true).sum())
        if kind != "empty":
            row[f"{kind} recall"] = right / max(peaks.impurities, 1)
            row[f"{kind} f1"] = 2 * right / max(right + false + peaks.impurities, 1)
        row[f"{kind} false"] = false / fields * AREA / config.size**2
    row["score"] = (row["plain f1"] + row["confounded f1"]) / 2 - row["empty false"] / 20
    return row


def main() -> None:
    """Print a row per model or checkpoint."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", metavar="MODEL|FILE.checkpoint")
    parser.add_argument("--fields", type=int, default=60, help="scenes of each kind")
    parser.add_argument("--cut", type=float, default=0.0, help="S from which on a peak is a point")
    parser.add_argument("--csv", type=Path, help="also append the rows to this file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in args.names:
        rows.append({"name": Path(name).name, **judge(network(name), args.fields, args.cut)})
        print(pd.DataFrame(rows[-1:]).round(4).to_string(index=False), flush=True)
    if args.csv:
        pd.DataFrame(rows).to_csv(
            args.csv, mode="a", header=not args.csv.exists(), index=False, float_format="%.4g"
        )


if __name__ == "__main__":
    main()
