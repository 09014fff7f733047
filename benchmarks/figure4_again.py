"""Whether the trainings of Figure 4 are still those of the present code: a few of the forty, made again.

    python benchmarks/figure4_again.py --curves "L0" "L0+reg, noise" --training 0

A night's work is not done anew for every change of the code. The chosen trainings are (the folder keeps them, so that
a second call is quick), and compared with the stored ones epoch by epoch. The same code gives the same untrained
network and, to the rounding of another processor, the same first epoch; later that rounding grows, as it does between
any two processors. ``benchmarks/results/paper/fig4-again.csv`` holds both.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import pandas as pd

from friedel.paper.figure4 import CURVES, Plan, _file, iter_figure4
from friedel.progress import drain

RESULTS = Path(__file__).parent / "results" / "paper"
COMPARED = ("peaks", "share", "f1", "l_reg", "l0")
EPOCH = ["curve", "training", "epoch"]


def again(curves: list[str], training: int, folder: Path) -> pd.DataFrame:
    """Stored and new figures of some trainings, a row per epoch."""
    stored = pd.read_csv(RESULTS / "fig4.csv")
    old = stored[stored["curve"].isin(curves) & (stored["training"] == training)]
    new = folder / "fig4"
    if not new.exists():
        shutil.copytree(RESULTS / "fig4", new)
        for curve in curves:
            _file(new, curve, training).unlink()
    settings = json.loads((new / "plan.json").read_text(encoding="utf-8"))
    del settings["sample"]
    plan = Plan(**settings | {"trainings": int(stored["training"].max()) + 1})
    made = drain(iter_figure4(folder, plan, device="cpu"))
    both = old.merge(made, on=EPOCH, suffixes=("_stored", "_again"))
    return both[EPOCH + [f"{name}_{which}" for name in COMPARED for which in ("stored", "again")]]


def main() -> None:
    """Train, compare, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--curves", nargs="+", choices=CURVES, default=["L0", "L0+reg, noise"])
    parser.add_argument("--training", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("fig4-again"), help="keeps what was trained")
    args = parser.parse_args()
    table = again(args.curves, args.training, args.folder)
    table.to_csv(RESULTS / "fig4-again.csv", index=False, float_format="%.6g")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
