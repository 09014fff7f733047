"""Every method on confounded fields: one CSV of results, one table with intervals.

    python benchmarks/confounders.py --quick                 # one seed of every field
    python benchmarks/confounders.py --seeds 0:4 --methods friedel,friedel-network,matched-field,omp --jobs 16

A run that is in the CSV is not done again. The fields are those of `friedel.benchmark.confounders`; their family
`HELD_OUT` is only reported, never used to choose anything.
"""

from __future__ import annotations

import argparse
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

from friedel._util.atomic_write import write_beside
from friedel._util.work import Work, process_pool
from friedel.benchmark.confounders import CONFOUNDERS, HELD_OUT, LEVELS, Confounded, confounded
from friedel.benchmark.methods import Found, by_network, method
from friedel.errors import FriedelWarning
from friedel.scoring.intervals import bootstrap, wilson
from friedel.scoring.matching import match

RESULTS = Path(__file__).parent / "results"
KEYS = ["name", "level", "impurities", "seed", "method"]
TOLERANCE_PX = 1.0
#: Columns of the CSV that count points by their probability: name, from, below.
BINS = (("p50", 0.5, 0.9), ("p90", 0.9, 0.99), ("p99", 0.99, 1.01))


def fields(names: list[str]) -> Iterator[tuple[str, str, bool]]:
    """Every (name, level, impurities) that there is; a level that changes nothing comes once."""
    for name in names:
        one = CONFOUNDERS[name]
        for level in LEVELS if one.moderate != one.strong else LEVELS[:1]:
            if not one.alone:
                yield name, level, True
            if one.without:
                yield name, level, False


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise `TimeoutError` in the main thread after so much processor time, where there are such signals."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def score(field: Confounded, found: Found) -> dict[str, Any]:
    """Counts of one run at the default threshold, by probability, and how many errors are within one σ."""
    taken = found.accepted
    points, p = found.positions[taken].reshape(-1, 2), found.probability[taken]
    pairs = match(points, field.positions, TOLERANCE_PX, optional=field.optional)
    wrong = np.zeros(len(points), bool)
    wrong[pairs.false] = True
    counts = {"truth": int((~field.optional).sum()), "found": len(points), "right": len(pairs)}
    counts |= {"false": len(pairs.false), "missed": len(pairs.missed)}
    for name, low, high in BINS:
        within = (p >= low) & (p < high)
        counts |= {name: int(within.sum()), f"{name}_false": int((wrong & within).sum())}
    sigma = found.sigma_px[taken][pairs.found]
    error = np.abs(points[pairs.found] - field.positions[pairs.truth]) if len(pairs) else np.zeros((0, 2))
    known = np.isfinite(sigma)
    counts |= {"axes": 2 * int(known.sum()), "within": int((error[known] <= sigma[known, None]).sum())}
    return counts


@dataclass(frozen=True)
class Run:
    """One method on one field; `model` is a file in the place of the bundled model, or empty."""

    name: str
    level: str
    impurities: bool
    seed: int
    method: str
    model: str
    cap: float

    @property
    def key(self) -> tuple[str, str, bool, int, str]:
        """What tells this run from all others in the CSV."""
        return self.name, self.level, self.impurities, self.seed, self.method


@cache
def finder(name: str, model: str) -> Any:
    """A method, loaded once a process."""
    if not model:
        return method(name)
    return {"friedel": by_network(model), "friedel-network": by_network(model, refit="none")}[name]


def do(one: Run) -> dict[str, Any]:
    """One row of the CSV."""
    field = confounded(one.name, one.level, one.seed, impurities=one.impurities)
    row: dict[str, Any] = dict(zip(KEYS, one.key, strict=True))
    return row | {"family": field.family, **measured(field, finder(one.method, one.model), one.cap)}


def run(args: argparse.Namespace) -> pd.DataFrame:
    """Do what the CSV does not hold yet."""
    done = pd.read_csv(args.output) if args.output.exists() else pd.DataFrame(columns=KEYS)
    have = set(done[KEYS].itertuples(index=False, name=None))
    model = str(Path(args.model).resolve()) if args.model else ""
    runs = [
        Run(name, level, impurities, seed, one, model, args.cap)
        for seed in args.seeds
        for name, level, impurities in fields(args.names)
        for one in args.methods
    ]
    rows = done.to_dict("records")
    with ExitStack() as stack:
        pool = stack.enter_context(process_pool(args.jobs)) if args.jobs > 1 else None
        for row in Work(pool, ahead=2 * args.jobs).each(do, [(one,) for one in runs if one.key not in have]):
            rows.append(row)
            print(*row.values(), flush=True)
            with write_beside(args.output) as beside:
                pd.DataFrame(rows).to_csv(beside, index=False, float_format="%.4g")
    return pd.DataFrame(rows)


def measured(field: Confounded, find: Any, cap: float) -> dict[str, Any]:
    """Run one method; its counts are NaN where it took longer than `cap` seconds."""
    start = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with limit(cap):
                counts = score(field, find(field.stack, field.band))
        except TimeoutError:
            counts = {"truth": int((~field.optional).sum())}
    remarks = sum(issubclass(w.category, FriedelWarning) for w in caught)
    return {"seconds": time.process_time() - start, "capped": len(counts) == 1, "remarks": remarks, **counts}


def f1(rows: pd.DataFrame) -> pd.Series:
    """F1 of each run."""
    return 2 * rows["right"] / (2 * rows["right"] + rows["false"] + rows["missed"])


def table(rows: pd.DataFrame) -> str:
    """Markdown: F1 with impurities and false points without, 95 % intervals over the seeds where there are several."""
    methods = list(dict.fromkeys(rows["method"]))
    lines = [
        "| family | confounder | level | impurities | " + " | ".join(methods) + " |",
        "|---" * (4 + len(methods)) + "|",
    ]
    for (name, level, impurities), part in rows.groupby(["name", "level", "impurities"], sort=False):
        cells = []
        for one in methods:
            mine = part[part["method"] == one]
            kept = mine[~mine["capped"].astype(bool)]
            figures = f1(kept) if impurities else kept["found"]
            cells.append(cell(figures.to_numpy(float), len(mine) - len(kept), 3 if impurities else 1))
        family = CONFOUNDERS[name].family
        family += " (held out)" if family == HELD_OUT else ""
        lines.append(
            f"| {family} | {CONFOUNDERS[name].title} | {level} | {'yes' if impurities else 'no'} | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join([*lines, "", *summary(rows, methods)]) + "\n"


def cell(figures: np.ndarray, capped: int, digits: int) -> str:
    """Mean, bootstrap interval, and how many runs took too long."""
    late = f" ({capped} too slow)" if capped else ""
    if not len(figures):
        return "–" + late
    low, high = bootstrap(figures)
    between = f" [{low:.{digits}f}, {high:.{digits}f}]" if np.isfinite(low) and high > low else ""
    return f"{np.nanmean(figures):.{digits}f}{between}{late}"


def summary(rows: pd.DataFrame, methods: list[str]) -> list[str]:
    """Means over all fields, and how many of the points of a probability are true (Wilson's interval)."""
    lines = [
        "| method | F1 moderate | F1 strong | points in empty fields | true of p .9–.99 | true of p ≥ .99 | within σ |",
        "|---" * 7 + "|",
    ]
    for one in methods:
        mine = rows[(rows["method"] == one) & ~rows["capped"].astype(bool)]
        full = mine[mine["impurities"].astype(bool)]
        cells = [cell(f1(full[full["level"] == level]).to_numpy(float), 0, 3) for level in LEVELS]
        cells.append(cell(mine[~mine["impurities"].astype(bool)]["found"].to_numpy(float), 0, 2))
        pairs = [
            (mine[a].sum() - mine[b].sum(), mine[a].sum())
            for a, b in (("p90", "p90_false"), ("p99", "p99_false"))
        ]
        pairs.append((mine["within"].sum(), mine["axes"].sum()))
        for part, whole in pairs:
            low, high = wilson(int(part), int(whole))
            cells.append(f"{part / whole:.3f} [{low:.3f}, {high:.3f}]" if whole else "–")
        lines.append(f"| {one} | " + " | ".join(cells) + " |")
    return lines


def reliability(rows: pd.DataFrame) -> pd.DataFrame:
    """How many of the points of a range of probability are true, over all fields of a method, with Wilson intervals."""
    lines = []
    for name, mine in rows[~rows["capped"].astype(bool)].groupby("method", sort=False):
        for column, low, high in BINS:
            whole = int(mine[column].sum())
            true = whole - int(mine[f"{column}_false"].sum())
            if whole:
                least, most = wilson(true, whole)
                line = {"method": name, "from": low, "to": min(high, 1.0), "points": whole}
                lines.append(line | {"true_share": true / whole, "low": least, "high": most})
    return pd.DataFrame(lines)


def draw_reliability(lines: pd.DataFrame, path: Path) -> None:
    """Share of true points against the range of their probability, with the range as a grey box."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for place, (_, low, high) in enumerate(BINS):
        axes.fill_between([place - 0.45, place + 0.45], low, min(high, 1.0), color="0.9")
    methods = list(dict.fromkeys(lines["method"]))
    for number, name in enumerate(methods):
        mine = lines[lines["method"] == name]
        place = [[low for _, low, _ in BINS].index(low) for low in mine["from"]]
        share = mine["true_share"].to_numpy(float)
        error = np.abs(mine[["low", "high"]].to_numpy(float).T - share)
        x = np.array(place) + (number - (len(methods) - 1) / 2) * 0.18
        axes.errorbar(x, share, error, fmt="o", capsize=3, label=name)
    axes.set_xticks(range(len(BINS)), [f"{low:g} to {min(high, 1.0):g}" for _, low, high in BINS])
    axes.set(xlabel="probability", ylabel="share of true points", ylim=(0, 1.02))
    axes.legend(fontsize="small")
    with write_beside(path) as beside:
        figure.savefig(beside, dpi=110, format="png")


def main() -> None:
    """Read the arguments, run, write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "confounders.csv")
    parser.add_argument("--methods", type=lambda t: t.split(","), default=["friedel", "friedel-network"])
    parser.add_argument("--names", type=lambda t: t.split(","), default=list(CONFOUNDERS))
    parser.add_argument("--seeds", default="0:4", help="first:last+1")
    parser.add_argument("--quick", action="store_true", help="seed 0 only")
    parser.add_argument(
        "--cap", type=float, default=60.0, help="processor seconds after which a run is given up"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--model", help="a model's file in the place of the bundled one")
    args = parser.parse_args()
    args.seeds = range(1) if args.quick else range(*map(int, args.seeds.split(":")))
    rows = run(args)
    args.output.with_suffix(".md").write_text(table(rows), encoding="utf-8")
    lines = reliability(rows)
    name = f"{args.output.stem}-reliability"
    lines.to_csv(args.output.with_name(f"{name}.csv"), index=False, float_format="%.4g")
    draw_reliability(lines, args.output.with_name(f"{name}.png"))
    print(table(rows))


if __name__ == "__main__":
    main()
