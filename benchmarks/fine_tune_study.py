"""Does fine-tuning on the sample help? F1 and the paper's share before, after α = 0 and after α = 0.03.

Five multiple-scattering twins, whose short-range physics (signals within a few pixels of an impurity) and noise the
bundled models never saw, with several seeds each: the seed makes the sample and steers the fine-tuning. Every finished
run is a line of the CSV file, so that an interrupted study goes on where it stopped.

    python benchmarks/fine_tune_study.py --model paper --seeds 10
    python benchmarks/fine_tune_study.py --model paper --twins rings noisy --seeds 2 --epochs 2
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from scipy.stats import t as student

from friedel.detection.detector import detect
from friedel.errors import FriedelError, FriedelWarning
from friedel.evaluation.metrics import evaluate
from friedel.models.registry import Model, load_model
from friedel.physics.sample import simulate
from friedel.progress import drain
from friedel.training.fine_tune import FineTuneConfig, FineTuner

RESULTS = Path(__file__).parent / "results"
FIELDS = (
    "model", "twin", "seed", "alpha", "steps", "learning_rate", "f1", "precision", "recall", "paper_share",
    "average_precision", "impurities", "found", "entropy", "best_step", "seconds", "note",
)  # fmt: skip


def _add(
    stack: xr.Dataset, signal: Callable[[np.ndarray, np.ndarray, float], np.ndarray], seed: int
) -> xr.Dataset:
    """Add a signal to every map: `signal(distance to each impurity (n, y, x), height (n, 1, 1), voltage 0 to 1)`."""
    rng = np.random.default_rng(seed + 77)
    maps = stack["LockinX"].to_numpy()
    rows, columns = np.indices(maps.shape[1:])
    truth = np.stack([stack.attrs["truth_row"], stack.attrs["truth_column"]], axis=1)
    distance = np.hypot(rows - truth[:, :1, None], columns - truth[:, 1:, None])
    height = rng.normal(size=(len(truth), 1, 1))
    for one, voltage in zip(maps, np.linspace(0, 1, len(maps)), strict=True):
        one += one.std() * signal(distance, height, voltage).sum(axis=0)
    return stack.assign(LockinX=(stack["LockinX"].dims, maps, stack["LockinX"].attrs))


def rings(seed: int) -> xr.Dataset:
    """Bright or dark rings of 3 px around every impurity, as around charged defects; they open with bias."""
    stack = simulate("au111", impurities=40, noise=0.8, seed=seed)
    return _add(stack, lambda r, h, v: 2.0 * h * np.exp(-((r - 2.0 - 2.0 * v) ** 2) / 1.0), seed)


def blobs(seed: int) -> xr.Dataset:
    """Wide molecules: a signal of 2.5 px that changes sign within the bias range hides the first fringes."""
    stack = simulate("au111", impurities=50, noise=0.8, seed=seed)
    return _add(stack, lambda r, h, v: 2.5 * h * np.cos(4 * v) * np.exp(-(r**2) / 12.0), seed)


def noisy(seed: int) -> xr.Dataset:
    """Noise three times the waves, correlated over neighbouring pixels, as an amplifier's slow response makes it."""
    stack = simulate("au111", impurities=30, noise=0.3, seed=seed)
    maps, rng = stack["LockinX"].to_numpy(), np.random.default_rng(seed + 99)
    white = rng.normal(size=maps.shape)
    slow = (white + 0.7 * np.roll(white, 1, axis=2) + 0.4 * np.roll(white, 2, axis=2)) / 1.29
    maps = maps + 3.0 * maps.std(axis=(1, 2), keepdims=True) * slow
    return stack.assign(LockinX=(stack["LockinX"].dims, maps.astype(np.float32), stack["LockinX"].attrs))


def rough(seed: int) -> xr.Dataset:
    """Strong line offsets, z-jitter and reconstruction."""
    return simulate(
        "au111", impurities=40, noise=0.8, jitter=1.0, rows=1.0, herringbone=1.0, drift_px=1.0, seed=seed
    )


def dense(seed: int) -> xr.Dataset:
    """A crowded Cu(111) surface, all scatterers alike, at a pixel the networks were not trained for."""
    return simulate("cu111", impurities=90, unlike=False, noise=1.5, pixel_nm=0.36, closest_nm=0.6, seed=seed)


TWINS = {"rings": (rings, "au111"), "blobs": (blobs, "au111"), "noisy": (noisy, "au111"), "rough": (rough, "au111"),
         "dense": (dense, "cu111")}  # fmt: skip


def score(stack: xr.Dataset, band: str, model: Model) -> dict[str, float]:
    """Detect with `model` and compare with the truth, within 1 px."""
    found = detect(stack, dispersion=band, model=model, device="cpu")
    truth = np.stack([stack.attrs["truth_row"], stack.attrs["truth_column"]], axis=1)
    table = found.table
    scores = evaluate(
        found.positions,
        truth,
        shape=(stack.sizes["y"], stack.sizes["x"]),
        candidates=table[["row", "column"]].to_numpy(),
        scores=table["probability"].to_numpy(),
    )
    names = ("f1", "precision", "recall", "paper_share", "average_precision")
    figures = {name: round(float(getattr(scores, name)), 4) for name in names}
    return {**figures, "impurities": len(truth), "found": len(found)}


def study(args: argparse.Namespace) -> None:
    """Run what is missing."""
    done = {(row["model"], row["twin"], int(row["seed"]), row["alpha"]) for row in read(args.output)}
    model = load_model(args.model, "cpu")
    args.output.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(args.seeds):
        for twin in args.twins:
            make, band = TWINS[twin]
            stack = None
            for alpha in ("before", "0", "0.03"):
                if (model.name, twin, seed, alpha) in done:
                    continue
                stack = make(seed + 500) if stack is None else stack
                row = {"model": model.name, "twin": twin, "seed": seed, "alpha": alpha, "note": ""}
                start, tuned = time.perf_counter(), model
                if alpha != "before":
                    config = FineTuneConfig(
                        alpha=float(alpha), epochs=args.epochs, seed=seed, device="cpu", patience=10**6,
                        **({"learning_rate": args.learning_rate} if args.learning_rate else {}),
                    )  # fmt: skip
                    tuner = FineTuner(model, stack, config, dispersion=band)
                    try:
                        tuned = drain(tuner.run())
                    except FriedelError as error:  # divergence: the best state counts, as it does for a user
                        tuned, row["note"] = tuner.best(), str(error)
                    after = tuned.header["fine_tune"]["after"]
                    row |= {"steps": config.steps, "learning_rate": config.learning_rate,
                            "entropy": round(after["entropy"], 4), "best_step": int(after["step"])}  # fmt: skip
                row |= score(stack, band, tuned) | {"seconds": round(time.perf_counter() - start, 1)}
                append(args.output, row)
                print(
                    *(
                        f"{row.get(key, '')}"
                        for key in ("twin", "seed", "alpha", "f1", "paper_share", "seconds")
                    )
                )


def append(path: Path, row: dict[str, object]) -> None:
    """Write one line, with the heading if the file is new."""
    new = not path.exists()
    with path.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, FIELDS, restval="")
        if new:
            writer.writeheader()
        writer.writerow(row)


def read(path: Path) -> list[dict[str, str]]:
    """Lines of an earlier study."""
    if not path.exists():
        return []
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half width of its 95 % confidence interval (Student's t over seeds)."""
    if len(values) < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(
        student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    )


def summary(path: Path) -> None:
    """Print means and paired differences, and draw the figure."""
    lines = read(path)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    twins = [twin for twin in TWINS if any(line["twin"] == twin for line in lines)]
    colours = {"before": "0.6", "0": "tab:blue", "0.03": "tab:orange"}
    for axis, key, title in zip(
        axes, ("f1", "paper_share"), ("F1 within 1 px", "the paper's share"), strict=True
    ):
        for shift, alpha in zip((-0.22, 0, 0.22), colours, strict=True):
            means, widths = [], []
            for twin in twins:
                values = {
                    int(x["seed"]): float(x[key]) for x in lines if (x["twin"], x["alpha"]) == (twin, alpha)
                }
                before = {
                    int(x["seed"]): float(x[key])
                    for x in lines
                    if (x["twin"], x["alpha"]) == (twin, "before")
                }
                if not values:
                    means.append(np.nan)
                    widths.append(np.nan)
                    continue
                mean, width = interval(np.array(list(values.values())))
                change = interval(np.array([values[s] - before[s] for s in values if s in before]))
                means.append(mean)
                widths.append(width)
                print(
                    f"{key:12} {twin:6} {alpha:>6}: {mean:.3f} ± {width:.3f}, change {change[0]:+.3f} ± {change[1]:.3f}"
                )
            label = "before" if alpha == "before" else f"after, α = {alpha}"
            axis.bar(
                np.arange(len(twins)) + shift,
                means,
                0.2,
                yerr=widths,
                color=colours[alpha],
                label=label,
                capsize=2,
            )
        axis.set_xticks(range(len(twins)), twins)
        axis.set_title(title)
        axis.set_ylim(0, 1)
    axes[0].legend(frameon=False, loc="lower left")
    figure.savefig(path.with_suffix(".png"), dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="paper", help="name or file")
    parser.add_argument("--twins", nargs="+", choices=TWINS, default=list(TWINS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=6, help="of 50 steps")
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, help="CSV file; the figure lies beside it")
    args = parser.parse_args()
    if args.output is None:
        args.output = RESULTS / f"fine_tune_{Path(args.model).stem}.csv"
    torch.set_num_threads(args.threads)
    warnings.simplefilter("ignore", FriedelWarning)
    study(args)
    summary(args.output)


if __name__ == "__main__":
    main()
