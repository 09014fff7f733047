"""What each ingredient of the `friedel` model gives: train variants alike and short, judge them on the standard scenes.

    python benchmarks/ablation.py --steps 400 --seeds 2 -o benchmarks/results

Every variant sees the same number of scenes. Figures of such short trainings rank the ingredients; they are not those
of the bundled model, except in the last rows. Trained with another seed, "full" shows how much chance there is in a
row. Finished variants are kept in the CSV and skipped when the command is run again.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from friedel._util.atomic_write import write_beside
from friedel.benchmark.scenes import scene
from friedel.models.friedel_net import NetworkInput, WaveNet
from friedel.models.registry import Model, load_model
from friedel.physics.dispersion import Dispersion
from friedel.pipeline import detect
from friedel.scoring.matching import match
from friedel.training.recipe_friedel import WaveRecipe, recipe

SCENES = ("like-60", "unlike-60", "unlike-120", "drift", "cu111", "unlike-60-no-cores")


class _Blind(torch.nn.Module):
    """A matched field that sees nothing."""

    def __init__(self, rings: int) -> None:
        super().__init__()
        self.rings = rings

    def forward(self, maps: torch.Tensor, k: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        b, g, h, w = maps.shape
        return maps.new_zeros(b, g, self.rings, 2, h, w)


class _SelfOnly(WaveNet):
    """Attention switched off: every voltage keeps its own values."""

    def features(self, given: NetworkInput) -> torch.Tensor:
        last = self.encoder[-1]
        with torch.no_grad():  # equal queries make the weights uniform
            last.weight[: self.config.d_q] = 0
            last.bias[: self.config.d_q] = 0
        return super().features(given)


def _no_matched_field(made: WaveRecipe) -> torch.nn.Module:
    network = made.make_network()
    network.matched_field = _Blind(len(made.network.rings))
    return network


def _uniform(made: WaveRecipe) -> torch.nn.Module:
    return _SelfOnly(made.network).to(memory_format=torch.channels_last)


def _plain(made: WaveRecipe) -> torch.nn.Module:
    return made.make_network()


def _variants() -> dict[str, tuple[WaveRecipe, Callable[[WaveRecipe], torch.nn.Module]]]:
    full = recipe()
    scenes, network = full.scene, full.network
    return {
        "full": (full, _plain),
        "no matched field": (full, _no_matched_field),
        "one ring": (recipe(network=replace(network, rings=(network.rings[-1],))), _plain),
        "uniform instead of attention": (full, _uniform),
        "small cores only": (recipe(scene=replace(scenes, core=(0.5, 1.5))), _plain),
        "the formula's own cores": (recipe(scene=replace(scenes, core_kept=1.0)), _plain),
        "no scatterers outside": (recipe(scene=replace(scenes, margin=0.0)), _plain),
        "three head blocks": (recipe(network=replace(network, dilations=(1, 4, 1))), _plain),
        "white noise only": (
            recipe(
                scene=replace(
                    scenes, jitter=(0, 0), rows=(0, 0), drift=(0, 0), tip_change=0.0, map_drift=0.0,
                    herringbone=0.0, set_point=0.0,
                )
            ),
            _plain,
        ),
    }  # fmt: skip


#: Variants that are trained as "full" with another seed.
AGAIN = {"full, second seed": 1, "full, third seed": 2}
#: Rows of the bundled model and the looks that it takes.
BUNDLED = {"bundled model, one look": 1, "bundled model, two looks": 2}


def train(made: WaveRecipe, network: torch.nn.Module, steps: int, seed: int) -> torch.nn.Module:
    """Train for a number of steps with the recipe's learning rate on half a cosine."""
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=made.learning_rate, weight_decay=made.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, made.learning_rate, total_steps=steps, pct_start=0.1
    )
    for _ in range(steps):
        loss, _values = made.loss(network, made.batch(rng))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return network.eval()


@dataclass(frozen=True)
class Field:
    """A field of a scene, simulated once for all variants."""

    stack: xr.Dataset
    dispersion: Dispersion
    truth: np.ndarray
    optional: np.ndarray
    tolerance_px: float


@cache
def fields(name: str, seeds: int) -> list[Field]:
    """The first fields of a standard scene."""
    one = scene(name)
    fields = [one.field(seed) for seed in range(seeds)]
    return [
        Field(simulated.stack, simulated.dispersion, *simulated.truth(), one.tolerance_px)
        for simulated in fields
    ]


def best_f1(network: torch.nn.Module, made: WaveRecipe, name: str, seeds: int) -> float:
    """F1 of a scene's fields together, at the best common cut."""
    plain = {"threshold": 0.5, "calibration": {"slope": 1.0, "intercept": 0.0}}
    model = Model(network, {**made.header(), **plain}, "ablation")
    cuts = np.linspace(0.02, 0.98, 49)
    right, false, missed = np.zeros((3, len(cuts)))
    for one in fields(name, seeds):
        options = {"model": model, "device": "cpu", "refit": "none"}  # of the network itself
        table = detect(one.stack, dispersion=one.dispersion, **options).table
        positions, probability = table[["row", "column"]].to_numpy(), table["probability"].to_numpy()
        for i, cut in enumerate(cuts):
            pairs = match(positions[probability >= cut], one.truth, one.tolerance_px, optional=one.optional)
            right[i] += len(pairs.found)
            false[i] += len(pairs.false)
            missed[i] += len(pairs.missed)
    return float((2 * right / np.maximum(2 * right + false + missed, 1)).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=2, help="fields per scene")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / "ablation.csv"
    rows = list(csv.DictReader(path.open())) if path.exists() else []
    variants = _variants()
    variants |= dict.fromkeys(AGAIN, variants["full"])
    for name, (made, make) in variants.items():
        if any(row["variant"] == name and int(row["steps"]) == args.steps for row in rows):
            continue
        seed = AGAIN.get(name, 0)
        torch.manual_seed(seed)
        start = time.monotonic()
        network = train(made, make(made), args.steps, seed=seed)
        minutes = (time.monotonic() - start) / 60
        rows.append(_row(name, args.steps, minutes, network, made, args.seeds))
        _write(rows, path)
        print(rows[-1], flush=True)
    bundled = load_model("friedel", "cpu")
    rows = [row for row in rows if row["variant"] not in BUNDLED]
    for name, passes in BUNDLED.items():
        network = bundled.network
        network.config = replace(network.config, n_augment=passes)
        header = bundled.header
        rows.append(_row(name, header["steps"], header["minutes"], network, recipe(), args.seeds))
        _write(rows, path)
        print(rows[-1], flush=True)


def _row(
    name: str, steps: int, minutes: float, network: torch.nn.Module, made: WaveRecipe, seeds: int
) -> dict[str, str]:
    figures = {one: f"{best_f1(network, made, one, seeds):.3f}" for one in SCENES}
    return {"variant": name, "steps": str(steps), "minutes": f"{minutes:.1f}", **figures}


def _write(rows: list[dict[str, str]], path: Path) -> None:
    """Keep the rows as CSV, and as a table for the documentation."""
    with write_beside(path) as beside, beside.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    names = [name for name in rows[0] if name != "minutes"]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(row[name] for name in names) + " |" for row in rows]
    with write_beside(path.with_suffix(".md")) as beside:
        beside.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
