"""Figure 4 of arXiv 2006.15898 on a synthetic field: whether noise in training and the confidence regulariser help.

Four curves against the epoch: L₀ or L₀ + α L_reg, with or without white noise of η = 0.8 in the simulated
patches. Every training number uses the same first weights and the same simulated impurities in all four
curves, so that the curves can be compared pair by pair. Published: L = 20, 126 voltages, η = 0.8, α = 0.03,
ten trainings, Eq. 3, the share of reference points with a peak within one pixel. Not published and chosen
here: the length of an epoch, their number (with fewer voltages nothing moves after the sixth), the optimiser,
the network's sizes, and what counts as a peak.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from friedel._util.atomic_write import write_beside
from friedel.errors import FriedelError
from friedel.paper.figure3 import paper_field
from friedel.progress import Progress
from friedel.reference import bound_state_positions
from friedel.scoring.metrics import evaluate

if TYPE_CHECKING:
    from collections.abc import Generator

    import torch

    from friedel.benchmark.synthetic import SyntheticField

#: Curve → (regulariser on, noise on).
CURVES: dict[str, tuple[bool, bool]] = {
    "L0": (False, False),
    "L0+reg": (True, False),
    "L0, noise": (False, True),
    "L0+reg, noise": (True, True),
}
#: A local maximum of Y_net = Softmax(S) is a peak if it holds so many times an even share, 1/L².
PEAK = 8.0


@dataclass(frozen=True)
class Plan:
    """Settings of the study.

    Parameters
    ----------
    trainings, epochs, steps : int
        Trainings per curve, epochs per training, steps per epoch.
    voltages : int
        Of the 126, evenly spaced.
    maps : int
        Patches times voltages per step.
    experimental : int
        Patches of the sample per step, for L_reg.
    noise, alpha : float
        η and α.
    learning_rate : float
        Of AdamW; half a cosine down to nothing.
    inner_product : {"global", "pixel"}
        How ⟨Q, K⟩ is read.
    """

    trainings: int = 10
    epochs: int = 10
    steps: int = 60
    voltages: int = 126
    maps: int = 504
    experimental: int = 2
    noise: float = 0.8
    alpha: float = 0.03
    learning_rate: float = 4e-3
    inner_product: str = "global"

    def quick(self) -> Plan:
        """Return a short version, some ten minutes on two cores: two trainings, every fifth voltage."""
        return replace(self, trainings=2, epochs=6, voltages=26, maps=208)


def iter_figure4(
    folder: str | Path, plan: Plan | None = None, *, sample: int = 0, device: str = "auto"
) -> Generator[Progress, None, pd.DataFrame]:
    """Train what is not there yet; one file a training, so that a stopped study goes on.

    Parameters
    ----------
    folder : path
        Gets ``fig4/CURVE-N.csv`` and ``fig4/plan.json``.
    plan : Plan, optional
    sample : int
        Which synthetic field.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Yields
    ------
    Progress
        Once per step.

    Returns
    -------
    pandas.DataFrame
        One row a (curve, training, epoch): paper's share, precision, recall, F1 against the reference and the
        truth, number of peaks, chance, L₀ and L_reg.

    Raises
    ------
    FriedelError
        If the folder holds trainings of another plan.
    """
    plan = plan or Plan()
    target = Path(folder) / "fig4"
    target.mkdir(parents=True, exist_ok=True)
    _same_plan(target / "plan.json", {**asdict(replace(plan, trainings=0)), "sample": sample})
    jobs = [(curve, n) for n in range(plan.trainings) for curve in CURVES]
    missing = [(curve, n) for curve, n in jobs if not _file(target, curve, n).exists()]
    done = len(jobs) - len(missing)
    if missing:
        yield Progress(done / len(jobs), "simulating the sample")
        field = paper_field(sample)
        reference = bound_state_positions(
            field.stack["bound_state"].to_numpy(), pixel_nm=field.setting.pixel_nm
        )
        scorer = _Scorer(field, reference[["row", "column"]].to_numpy(float), plan.voltages)
        for curve, n in missing:
            if _file(target, curve, n).exists():  # another process works in the same folder
                done += 1
                continue
            rows = yield from _train(scorer, plan, curve, n, device, done / len(jobs), 1 / len(jobs))
            with write_beside(_file(target, curve, n)) as beside:
                pd.DataFrame(rows).to_csv(beside, index=False, float_format="%.6g")
            done += 1
    yield Progress(1.0, "all trainings done")
    return pd.concat([pd.read_csv(_file(target, *job)) for job in jobs], ignore_index=True)


class _Scorer:
    """The synthetic field of the study: sixteen patches, and what S on them is worth."""

    size = 20

    def __init__(self, field: SyntheticField, reference: np.ndarray, voltages: int) -> None:
        import torch

        from friedel.training.patches import normalise_maps

        count = len(field.k)
        if not 1 <= voltages <= count:
            raise FriedelError(f"voltages must lie between 1 and {count}.", settings="voltages")
        self.chosen = np.linspace(0, count - 1, voltages).round().astype(int)
        maps = torch.as_tensor(field.stack["LockinX"].to_numpy()[self.chosen])
        l, (rows, columns) = self.size, field.setting.shape
        self.corners = [(r, c) for r in range(0, rows - l + 1, l) for c in range(0, columns - l + 1, l)]
        self.patches = normalise_maps(torch.stack([maps[:, r : r + l, c : c + l] for r, c in self.corners]))
        self.k = torch.as_tensor(field.k.real[self.chosen], dtype=torch.float32)
        self.shape, self.reference = field.setting.shape, reference
        self.truth, self.optional = field.truth()

    def peaks(self, s: torch.Tensor) -> np.ndarray:
        """Peaks of S, shape (n, 2), in pixels of the whole field; patches have seams, as published."""
        from friedel._util.local_maxima import local_maxima
        from friedel.candidates.peaks import refine

        y = s.float().flatten(1).softmax(1).view_as(s).cpu().numpy()
        points = []
        for field, share, corner in zip(s.float().cpu().numpy(), y, self.corners, strict=True):
            at = local_maxima(field)
            at = at[share[at[:, 0], at[:, 1]] >= PEAK / self.size**2]
            points.append(refine(field, at) + np.array(corner))
        return np.concatenate(points) if points else np.zeros((0, 2))

    def score(self, network: torch.nn.Module, device: torch.device) -> dict[str, float]:
        """Figures of the network on the sample."""
        import torch

        from friedel.training.losses import regulariser

        network.eval()
        with torch.no_grad():
            mask = torch.ones(1, self.size, self.size, device=device)
            k = self.k[None].to(device)
            s = torch.cat([network(patch[None].to(device), k, mask).s for patch in self.patches])
        network.train()
        found = self.peaks(s)
        with_reference = evaluate(found, self.reference, 1.0, self.shape)
        with_truth = evaluate(found, self.truth, 1.0, self.shape, optional=self.optional)
        return {
            "peaks": float(len(found)),
            "share": with_reference.paper_share,
            "chance": with_reference.chance_recall,
            "precision": float(np.nan_to_num(with_reference.precision)),
            "recall": with_reference.recall,
            "f1": with_reference.f1,
            "truth_precision": float(np.nan_to_num(with_truth.precision)),
            "truth_recall": with_truth.recall,
            "truth_f1": with_truth.f1,
            "l_reg": float(regulariser(s)),
        }


def _train(
    scorer: _Scorer, plan: Plan, curve: str, number: int, device: str, start: float, width: float
) -> Generator[Progress, None, list[dict[str, Any]]]:
    """One training of one curve; rows of figures, epoch 0 (untrained) first."""
    import torch

    from friedel.models.paper_net import AttentionConfig, AttentionNetwork
    from friedel.models.registry import resolve_device
    from friedel.physics.eq3 import FriedelConfig
    from friedel.training.loop import schedule
    from friedel.training.losses import prediction_loss, regulariser, total_loss
    from friedel.training.patches import friedel_batch

    regularised, noisy = CURVES[curve]
    where = resolve_device(device)
    torch.manual_seed(number)
    network = AttentionNetwork(AttentionConfig(inner_product=plan.inner_product)).to(where)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a fifth faster on a CPU
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.learning_rate, weight_decay=1e-4)
    scene = FriedelConfig(noise=plan.noise if noisy else 0.0)
    draw, pick = torch.Generator().manual_seed(1000 + number), torch.Generator().manual_seed(5000 + number)
    batch_size, total = max(1, plan.maps // plan.voltages), plan.epochs * plan.steps
    rows: list[dict[str, Any]] = [
        {"curve": curve, "training": number, "epoch": 0, **scorer.score(network, where)}
    ]
    for epoch in range(1, plan.epochs + 1):
        losses = []
        for step in range(plan.steps):
            done = ((epoch - 1) * plan.steps + step) / total
            for group in optimiser.param_groups:
                group["lr"] = plan.learning_rate * schedule(done)
            batch = friedel_batch(scene, scorer.k.expand(batch_size, -1), draw)
            s = network(batch.maps.to(where), batch.k.to(where), batch.mask.to(where)).s
            l0 = prediction_loss(s, batch.label.to(where))
            loss = l0
            if regularised:
                some = torch.randint(len(scorer.patches), (plan.experimental,), generator=pick)
                patches = scorer.patches[some].to(where)
                mask = torch.ones(len(some), scorer.size, scorer.size, device=where)
                own = network(patches, scorer.k.expand(len(some), -1).to(where), mask).s
                loss = total_loss(l0, regulariser(own), plan.alpha)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            losses.append(l0.item())
            message = f"{curve}, training {number + 1}, epoch {epoch}"
            yield Progress(start + width * done, message, {"L0": losses[-1]})
        figures = scorer.score(network, where)
        rows.append(
            {"curve": curve, "training": number, "epoch": epoch, **figures, "l0": float(np.mean(losses))}
        )
    return rows


def _file(folder: Path, curve: str, number: int) -> Path:
    short = curve.replace(", ", "-").replace("+", "-").lower()
    return folder / f"{short}-{number}.csv"


def _same_plan(path: Path, plan: dict[str, Any]) -> None:
    """Refuse to mix trainings of different plans in one folder."""
    if not path.exists():
        with write_beside(path) as beside:
            beside.write_text(json.dumps(plan, indent=2), encoding="utf-8")
        return
    there = json.loads(path.read_text(encoding="utf-8"))
    differ = [name for name, value in plan.items() if there.get(name) != value]
    if differ:
        raise FriedelError(
            f"{path.parent} holds trainings with other settings ({', '.join(differ)}); choose another folder."
        )
