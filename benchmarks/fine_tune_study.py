"""Does fine-tuning on the sample help? F1 and the paper's share before, after α = 0 and after α = 0.03.

Five multiple-scattering twins (`fine_tune_fields.py`), whose short-range physics or noise the bundled models never saw,
with several seeds each: the seed makes the sample and steers the fine-tuning. Every finished run is a line of a CSV
file, so that an interrupted study goes on where it stopped; lines of other weights (by SHA-256) or of another length
of training are left aside. Two processes share a study as two parts, each with its own file, of which all are read:

    python benchmarks/fine_tune_study.py --part a --twins rings blobs noisy &
    python benchmarks/fine_tune_study.py --part b --twins rough dense
    python benchmarks/fine_tune_study.py --summary                  # tables (Markdown) and figure of all parts
    python benchmarks/fine_tune_study.py --model friedel paper --seeds 2
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from fine_tune_fields import TWINS
from scipy import stats

from friedel._util.atomic_write import write_beside
from friedel.errors import FriedelError, FriedelWarning
from friedel.finetuning.tuner import FineTuneConfig, FineTuner
from friedel.models.registry import Model, load_model
from friedel.pipeline import detect
from friedel.progress import drain
from friedel.scoring.metrics import evaluate
from friedel.stack import true_positions

RESULTS = Path(__file__).parent / "results"
FIELDS = (
    "model", "sha256", "twin", "seed", "alpha", "steps", "learning_rate", "f1", "precision", "recall", "paper_share",
    "average_precision", "impurities", "found", "entropy", "best_step", "noise", "seconds", "note",
)  # fmt: skip
ALPHAS = {"before": "before", "0": "α = 0", "0.03": "α = 0.03"}
FIGURES = {"f1": "F1 within 1 px", "paper_share": "the paper's share"}
Line = dict[str, str]


def score(stack: xr.Dataset, band: str, model: Model) -> dict[str, float]:
    """Detect with `model` and compare with the truth, within 1 px."""
    found = detect(stack, dispersion=band, model=model, device="cpu", refit="none")  # of the network itself
    truth = true_positions(stack)
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


def study(models: list[Model], args: argparse.Namespace) -> None:
    """Run what is missing."""
    path = args.output.with_name(f"{args.output.stem}{f'.{args.part}' if args.part else ''}.csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(args.seeds):
        for twin in args.twins:
            make, band = TWINS[twin]
            stack = None
            for model in models:
                done = {(x["twin"], int(x["seed"]), x["alpha"]) for x in lines_of(model, args)}
                for alpha in (a for a in ALPHAS if (twin, seed, a) not in done):
                    stack = make(seed + 500) if stack is None else stack
                    row = {
                        "model": model.name,
                        "sha256": model.sha256,
                        "twin": twin,
                        "seed": seed,
                        "alpha": alpha,
                    }
                    row |= run(model, stack, band, None if alpha == "before" else float(alpha), seed, args)
                    append(path, row)
                    print(*(row[key] for key in ("model", "twin", "seed", "alpha", "f1", "paper_share", "seconds")),
                          flush=True)  # fmt: skip


def run(
    model: Model, stack: xr.Dataset, band: str, alpha: float | None, seed: int, args: argparse.Namespace
) -> dict[str, object]:
    """Fine-tune, where α is given, detect and compare."""
    start, tuned = time.perf_counter(), model
    row: dict[str, object] = {}
    if alpha is not None:
        rate = {} if args.learning_rate is None else {"learning_rate": args.learning_rate}
        config = FineTuneConfig(
            alpha=alpha,
            epochs=args.epochs,
            steps_per_epoch=args.steps,
            seed=seed,
            device="cpu",
            patience=100_000,
            **rate,
        )
        tuner = FineTuner(model, stack, config, dispersion=band)
        try:
            tuned = drain(tuner.run())
        except FriedelError as error:  # divergence: the best state counts, as it does for a user
            tuned, row["note"] = tuner.best(), str(error)
        after = tuned.header["fine_tune"]["after"]
        row |= {"steps": config.steps, "learning_rate": config.learning_rate, "entropy": round(after["entropy"], 4),
                "best_step": int(after["step"]), "noise": tuned.header["fine_tune"]["noise_used"]}  # fmt: skip
    return row | score(stack, band, tuned) | {"seconds": round(time.perf_counter() - start, 1)}


def append(path: Path, row: dict[str, object]) -> None:
    """Write one line, with the heading if the file is new."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, FIELDS, restval="")
        if new:
            writer.writeheader()
        writer.writerow(row)


def lines_of(model: Model, args: argparse.Namespace) -> list[Line]:
    """Lines of all parts, of these weights, this length and rate of training."""
    found = []
    for path in sorted(args.output.parent.glob(f"{args.output.stem}*.csv")):
        with path.open(newline="", encoding="utf-8") as stream:
            found += list(csv.DictReader(stream))
    rate = args.learning_rate or FineTuneConfig.learning_rate
    return [
        x
        for x in found
        if x["sha256"] == model.sha256
        and (
            x["alpha"] == "before"
            or (int(x["steps"]), float(x["learning_rate"])) == (args.epochs * args.steps, rate)
        )
    ]


def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half width of its 95 % confidence interval (Student's t)."""
    if len(values) < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))


def paired(after: dict[str, float], before: dict[str, float]) -> str:
    """Mean change of the runs that have both, its interval, and p of the paired t-test."""
    change = np.array([after[run] - before[run] for run in after if run in before])
    if not len(change):
        return ""
    mean, width = interval(change)
    if len(change) < 2:
        return f"{mean:+.3f}"
    p = 1.0 if np.ptp(change) == 0 and mean == 0 else float(stats.ttest_1samp(change, 0.0).pvalue)
    return f"{mean:+.3f} ± {width:.3f} (p {'< 0.001' if p < 0.001 else f'= {p:.3f}'})"


def values_of(lines: list[Line], key: str, twin: str, alpha: str) -> dict[str, float]:
    """Figure `key` of every run, by twin and seed; of all twins if `twin` is ``all``."""
    return {
        f"{x['twin']} {x['seed']}": float(x[key])
        for x in lines
        if x["alpha"] == alpha and twin in (x["twin"], "all")
    }


def table(lines: list[Line], key: str) -> str:
    """Markdown: means with their intervals, and paired changes."""
    twins = [twin for twin in TWINS if any(x["twin"] == twin for x in lines)]
    text = "| kind of field | n | before | α = 0 | α = 0.03 | change, α = 0 | change, α = 0.03 | α = 0.03 against 0 |\n"
    text += "|---|---|---|---|---|---|---|---|\n"
    for twin in [*twins, *(["all"] if len(twins) > 1 else [])]:
        values = {alpha: values_of(lines, key, twin, alpha) for alpha in ALPHAS}
        means = [interval(np.array(list(v.values()))) if v else None for v in values.values()]
        cells = [
            "" if m is None else f"{m[0]:.3f}" + ("" if np.isnan(m[1]) else f" ± {m[1]:.3f}") for m in means
        ]
        changes = [
            paired(values["0"], values["before"]),
            paired(values["0.03"], values["before"]),
            paired(values["0.03"], values["0"]),
        ]
        text += f"| {' | '.join([twin, str(len(values['before'])), *cells, *changes])} |\n"
    return text


def summary(models: list[Model], args: argparse.Namespace) -> None:
    """Print and write the tables, and draw the figure, of the lines of these weights."""
    known = [(model, lines) for model in models if (lines := lines_of(model, args))]
    if not known:
        print("There is no line of these weights yet.")
        return
    text = (
        f"Mean ± 95 % confidence interval; changes are paired by sample, p of the paired t-test, not corrected for the "
        f"number of kinds. {args.epochs * args.steps} steps.\n"
    )
    for model, lines in known:
        seconds = [float(x["seconds"]) for x in lines if x["alpha"] != "before"]
        text += f"\n`{model.name}` (SHA-256 {model.sha256[:12]})"
        text += f", {np.mean(seconds):.0f} s a run" if seconds else ""
        for key, title in FIGURES.items():
            text += f"\n\n{title}:\n\n{table(lines, key).rstrip()}"
        text += "\n"
    print(text)
    with write_beside(args.output.with_suffix(".md"), overwrite=True) as beside:
        beside.write_text(text, encoding="utf-8")
    draw(known, args.output.with_suffix(".png"))


def draw(known: list[tuple[Model, list[Line]]], path: Path) -> None:
    """Bars of what is missing to 1, with intervals: a row a model, a column a figure."""
    figure, axes = plt.subplots(
        len(known),
        len(FIGURES),
        figsize=(9, 3.0 * len(known) + 0.4),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for row, (model, lines) in zip(axes, known, strict=True):
        twins = [twin for twin in TWINS if any(x["twin"] == twin for x in lines)]
        for axis, (key, title) in zip(row, FIGURES.items(), strict=True):
            for place, ((alpha, label), colour) in enumerate(
                zip(ALPHAS.items(), ("0.6", "tab:blue", "tab:orange"), strict=True)
            ):
                found = [np.array(list(values_of(lines, key, twin, alpha).values())) for twin in twins]
                points = [interval(v) if len(v) else (np.nan, np.nan) for v in found]
                means, widths = np.array(points).T
                axis.bar(
                    np.arange(len(twins)) + 0.22 * (place - 1), 1 - means, 0.2,
                    yerr=np.nan_to_num(widths), color=colour, label=label, capsize=2,
                )  # fmt: skip
            axis.set_xticks(range(len(twins)), twins)
            axis.set_title(f"1 − {title}, {model.name}")
            axis.set_ylim(bottom=0)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--model", nargs="+", default=["friedel"], help="names or files")
    parser.add_argument("--twins", nargs="+", choices=TWINS, default=list(TWINS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--steps", type=int, default=50, help="steps per epoch")
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--part", default="", help="name of this process's own file, where several work on one study"
    )
    parser.add_argument(
        "--summary", action="store_true", help="run nothing; table and figure of what is there"
    )
    parser.add_argument(
        "--output", type=Path, default=RESULTS / "fine_tune.csv", help="table and figure lie beside it"
    )
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    warnings.simplefilter("ignore", FriedelWarning)
    models = [load_model(name, "cpu") for name in args.model]
    if not args.summary:
        study(models, args)
    summary(models, args)


if __name__ == "__main__":
    main()
