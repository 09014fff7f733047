"""Does fine-tuning help on measured fields? Scores before, after α = 0 and after α = 0.03, for both bundled models.

The measured fields of `friedel.benchmark.measured` (as measured and from the waves alone) and three confounded ones;
the seed steers the fine-tuning. Nothing is told but the material or the band. The scores are those of the default
method with that network. A run that is in the CSV (by the model's SHA-256) is not done again.

    python benchmarks/fine_tune_measured.py ../shared/data/measured --seeds 3
    python benchmarks/fine_tune_measured.py --summary
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from friedel._util.atomic_write import write_beside
from friedel.benchmark.confounders import confounded
from friedel.benchmark.measured import MeasuredField, measured_stack, read_measured, score_measured
from friedel.errors import FriedelError, FriedelWarning
from friedel.finetuning.tuner import FineTuneConfig, FineTuner
from friedel.models.registry import Model, load_model
from friedel.physics.dispersion import Dispersion
from friedel.pipeline import detect
from friedel.progress import drain
from friedel.scoring.intervals import bootstrap
from friedel.scoring.matching import match

OUTPUT = Path(__file__).parent / "results" / "fine_tune_measured.csv"
#: Name, level and seed of the confounded fields.
CONFOUNDED = (("p-wave", "strong", 7), ("edge", "strong", 7), ("smooth-noise", "strong", 7))
ALPHAS = {"before": None, "0": 0.0, "0.03": 0.03}
KEYS = ["sha256", "field", "seed", "alpha", "steps"]


@dataclass(frozen=True)
class Sample:
    """A field, what is told of it, and what its points are compared with."""

    name: str
    stack: xr.Dataset
    band: Dispersion | str
    measured: MeasuredField | None = None
    positions: np.ndarray | None = None
    optional: np.ndarray | None = None

    def score(self, model: Model) -> dict[str, Any]:
        """Precision and recall of the default method with this network."""
        found = detect(self.stack, dispersion=self.band, model=model, device="cpu")
        if self.measured is not None:
            return asdict(score_measured(self.measured, found))
        pairs = match(found.positions, self.positions, 1.0, optional=self.optional)
        right, false, missed = len(pairs), len(pairs.false), len(pairs.missed)
        return {
            "points": len(found),
            "precision": right / max(right + false, 1),
            "recall": right / max(right + missed, 1),
            "f1": 2 * right / max(2 * right + false + missed, 1),
        }


def samples(folder: Path | None) -> list[Sample]:
    """Measured fields, where there are some, and confounded ones."""
    measured = read_measured(folder) if folder is not None else []
    out = [
        Sample(f"{one.name}, {one.variant}", measured_stack(one), one.material, measured=one)
        for one in measured
    ]
    for name, level, seed in CONFOUNDED:
        field = confounded(name, level, seed)
        out.append(
            Sample(
                f"{name}, {level}",
                field.stack,
                field.band,
                positions=field.positions,
                optional=field.optional,
            )
        )
    return out


def run(sample: Sample, model: Model, alpha: float | None, seed: int, steps: int) -> dict[str, Any]:
    """Fine-tune, where α is given, and score."""
    start, tuned, note = time.process_time(), model, ""
    about: dict[str, Any] = {}
    if alpha is not None:
        config = FineTuneConfig(alpha=alpha, epochs=1, steps_per_epoch=steps, seed=seed, device="cpu")
        tuner = FineTuner(model, sample.stack, config, dispersion=sample.band)
        try:
            tuned = drain(tuner.run())
        except FriedelError as error:  # divergence: the best state counts, as it does for a user
            tuned, note = tuner.best(), str(error)
        after = tuned.header["fine_tune"]["after"]
        about = {"entropy": round(after["entropy"], 4), "best_step": int(after["step"])}
    return sample.score(tuned) | about | {"seconds": round(time.process_time() - start, 1), "note": note}


def study(args: argparse.Namespace) -> pd.DataFrame:
    """Do what the CSV does not hold yet."""
    rows = pd.read_csv(args.output).to_dict("records") if args.output.exists() else []
    have = {tuple(str(row[key]) for key in KEYS) for row in rows}
    everything = samples(args.folder)
    for seed in range(args.seeds):
        for model in (load_model(name, "cpu") for name in args.models):
            for sample in everything:
                for name, alpha in ALPHAS.items():
                    values = (
                        model.sha256[:12],
                        sample.name,
                        seed if alpha is not None else 0,
                        name,
                        args.steps,
                    )
                    if tuple(map(str, values)) in have:
                        continue
                    have.add(tuple(map(str, values)))
                    row = dict(zip(KEYS, values, strict=True)) | {"model": model.name}
                    rows.append(row | run(sample, model, alpha, seed, args.steps))
                    print(rows[-1], flush=True)
                    with write_beside(args.output) as beside:
                        pd.DataFrame(rows).to_csv(beside, index=False, float_format="%.4g")
    return pd.DataFrame(rows)


def table(rows: pd.DataFrame) -> str:
    """Markdown: F1 (recall where the reference is incomplete) before and after, with the range over the seeds."""
    lines = ["| model | field | before | α = 0 | α = 0.03 |", "|---|---|---|---|---|"]
    for (model, field), part in rows.groupby(["model", "field"], sort=False):
        key = "f1" if part["f1"].notna().any() else "recall"
        cells = []
        for alpha in ALPHAS:
            values = part[part["alpha"].astype(str) == alpha][key].to_numpy(float)
            span = f" ({values.min():.3f} to {values.max():.3f})" if len(values) > 1 else ""
            cells.append(f"{values.mean():.3f}{span}" if len(values) else "–")
        lines.append(f"| {model} | {field}{'' if key == 'f1' else ' (recall)'} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_changes(rows)]) + "\n"


def _changes(rows: pd.DataFrame) -> list[str]:
    """Mean change over all runs of a model, with a bootstrap interval over the runs."""
    out = []
    figure = rows["f1"].where(rows["f1"].notna(), rows["recall"])
    for model, part in rows.assign(figure=figure).groupby("model", sort=False):
        alpha = part["alpha"].astype(str)
        before = part[alpha == "before"].set_index("field")["figure"]
        for name in ("0", "0.03"):
            after = part[alpha == name]
            change = (after["figure"].to_numpy() - before.loc[after["field"]].to_numpy()).astype(float)
            if len(change):
                low, high = bootstrap(change)
                out.append(
                    f"- `{model}`, α = {name}: {change.mean():+.3f} [{low:+.3f}, {high:+.3f}] over {len(change)} runs."
                )
    return out


def main() -> None:
    """Read the arguments, run, write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", help="measured fields (.npz); none if left out")
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    parser.add_argument("--models", type=lambda t: t.split(","), default=["friedel", "paper"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--summary", action="store_true", help="run nothing")
    args = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FriedelWarning)
        rows = pd.read_csv(args.output) if args.summary else study(args)
    text = table(rows)
    args.output.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
