"""How the `friedel` network is trained: endless multiple-scattering scenes and the loss of a localiser.

Clean scenes are expensive (a T-matrix and a few million Hankel functions), noise is inexpensive. A rolling pool keeps
the latest clean scenes; every step adds `fresh` new ones and draws a batch, with a random symmetry of the square and
measured anew, so that no two batches are alike.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch.nn import functional as F

from friedel._util.work import HERE, Work
from friedel.models.base import Output
from friedel.models.friedel_net import WaveConfig, WaveNet
from friedel.models.registry import load_model
from friedel.physics.scene import Scene, SceneConfig, clean_scene, measure, random_symmetry
from friedel.training.confounder_config import ConfounderConfig
from friedel.training.confounders import confound, spoil
from friedel.training.localisation import (
    Target,
    distillation_loss,
    localisation_loss,
    make_target,
)
from friedel.training.patches import normalise_maps

#: Where the mean wavevector of a stack should lie [rad/px]: the middle of the scenes'.
K_MEAN = (0.7, 0.9)
#: Wavevectors [rad/px] to which a stack is rescaled: scenes reach from 0.44 to 1.3, most of them lie in here.
K_RANGE = (0.5, 1.15)
#: The scenes that are drawn where nothing else is said.
SCENE = SceneConfig(size=40, margin=12.0, extended=0.15, p_wave=0.15, clustered=0.10)
_KEPT = ("batch_size", "pool", "fresh", "sparse", "learning_rate", "weight_decay", "average")


@dataclass(frozen=True)
class Batch:
    """Input and truth of one step; see `friedel.models.base.Network` for the shapes.

    plain : (B,), bool, scenes without confounders, of which a teacher knows the answer; all of them if None.
    """

    maps: torch.Tensor
    k: torch.Tensor
    mask: torch.Tensor
    target: Target
    plain: torch.Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Move everything to `device`."""
        target = Target(*(getattr(self.target, name).to(device) for name in self.target.__dataclass_fields__))
        plain = None if self.plain is None else self.plain.to(device)
        return Batch(self.maps.to(device), self.k.to(device), self.mask.to(device), target, plain)


def _concatenate(scenes: list[Scene]) -> Scene:
    n = max(scene.points.shape[1] for scene in scenes)

    def pad(tensor: torch.Tensor) -> torch.Tensor:
        missing = n - tensor.shape[1]
        return F.pad(tensor, (0, 0) * (tensor.ndim - 2) + (0, missing))

    return Scene(
        torch.cat([scene.maps for scene in scenes]),
        torch.cat([scene.k for scene in scenes]),
        torch.cat([pad(scene.points) for scene in scenes]),
        torch.cat([pad(scene.present) for scene in scenes]),
    )


@dataclass
class WaveRecipe:
    """Recipe of the `friedel` network.

    Parameters
    ----------
    scene : SceneConfig
        Ranges of the scenes.
    network : WaveConfig
    batch_size : int
    pool : int
        Clean scenes kept.
    fresh : int
        New clean scenes per step.
    teacher : str
        A model, by name or file, that is distilled beside the truth, see `distillation_loss`; none if empty. It is
        applied to scenes without confounders only.
    confounders : ConfounderConfig
        What is added to a share of the scenes.
    sparse : float
        Share of the clean scenes with one to three impurities and none outside.
    fewer : float
        Share of the batches that keep only some of the voltages.
    """

    scene: SceneConfig = SCENE
    confounders: ConfounderConfig = field(default_factory=ConfounderConfig)
    network: WaveConfig = field(default_factory=lambda: WaveConfig(n_augment=4))
    batch_size: int = 6
    pool: int = 3000
    fresh: int = 2
    sparse: float = 0.06
    name: str = "friedel"
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    average: float = 0.998
    teacher: str = ""
    fewer: float = 0.5

    def __post_init__(self) -> None:
        self._pool: deque[Scene] = deque(maxlen=self.pool)
        # Loaded at once, so that a mistaken name is told before the first step, and only on the CPU: batches may be
        # made in other processes.
        self._teacher = load_model(self.teacher, "cpu") if self.teacher else None

    def make_network(self) -> WaveNet:
        """Return an untrained network."""
        network = WaveNet(self.network)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network

    def batch(self, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        """Draw the next batch; the pool fills up on the way."""
        missing = max(self.fresh, 4 * self.batch_size - len(self._pool))
        for _ in range(missing):
            few = torch.rand(1, generator=rng).item() < self.sparse
            self._pool.append(clean_scene(1, _sparse(self.scene) if few else self.scene, rng))
        chosen = torch.randint(0, len(self._pool), (self.batch_size,), generator=rng)
        confused = confound(_concatenate([self._pool[i] for i in chosen]), self.confounders, rng)
        measured = measure(confused.scene, self.scene, rng, confused.waves)
        scene = random_symmetry(spoil(replace(confused, scene=measured), self.confounders, rng), rng)
        maps, k = _choose_voltages(scene.maps, scene.k, self.fewer, rng)
        mask = _acquired(maps, rng)
        maps = normalise_maps(maps, mask)
        target = make_target(scene.points, scene.present, mask)
        return Batch(maps, k, mask, target, confused.plain).to(torch.device(device))

    def loss(self, network: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
        """Loss of one batch and figures to show."""
        output = network(batch.maps, batch.k, batch.mask)
        loss, values = localisation_loss(output, batch.target)
        plain = torch.ones(len(batch.maps), dtype=torch.bool) if batch.plain is None else batch.plain
        if self._teacher is None:
            return loss, values
        if not plain.any():
            return loss, {**values, "teaching": 0.0}
        teacher = self._teacher.network.to(batch.maps.device)
        with torch.no_grad():
            answer = teacher(batch.maps[plain], batch.k[plain], batch.mask[plain])
        mine = Output(
            output.s[plain],
            None if output.offset is None else output.offset[plain],
            None if output.log_sigma is None else output.log_sigma[plain],
        )
        taught = distillation_loss(mine, answer, batch.mask[plain])
        # Each loss is a mean over its own scenes; the teacher's counts as much as it has a share of them.
        taught = taught * plain.float().mean()
        return loss + taught, {**values, "teaching": taught.item()}

    def header(self) -> dict[str, Any]:
        """Header of the trained model."""
        return {
            "architecture": "wave",
            "config": asdict(self.network),
            "k_range": list(K_RANGE),
            "k_mean": list(K_MEAN),
            "training": {
                "scene": {**asdict(self.scene), "kind": "multiple scattering"},
                "confounders": asdict(self.confounders),
                **{name: getattr(self, name) for name in _KEPT},
                **({} if self._teacher is None else {"teacher": self._teacher.sha256}),
            },
        }

    def calibrate(self, network: torch.nn.Module, device: torch.device, work: Work = HERE) -> dict[str, Any]:
        """Probability, threshold and scale of σ from scenes that training never saw."""
        from friedel.training.calibrate_friedel import calibrate_wave

        return calibrate_wave(network, self.scene, device, self.confounders, work=work)


def _choose_voltages(
    maps: torch.Tensor, k: torch.Tensor, share: float, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """In a share of the batches keep only some of the voltages, from 1 up; five and fewer as often as all others."""
    v = maps.shape[1]
    if torch.rand(1, generator=rng).item() >= share or v < 3:
        return maps, k
    most = min(6, v) if torch.rand(1, generator=rng).item() < 0.5 else v
    n = int(torch.randint(1, most, (1,), generator=rng))
    keep = torch.randperm(v, generator=rng)[:n].sort().values
    return maps[:, keep], k[:, keep]


def _acquired(maps: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """One field in ten was aborted: its last lines (or, turned, columns) are missing."""
    b, _, h, w = maps.shape
    mask = torch.ones(b, h, w)
    stopped = torch.rand(b, generator=rng) < 0.1
    last = torch.randint(h // 2, h, (b,), generator=rng)
    turned = torch.rand(b, generator=rng) < 0.5
    for i in stopped.nonzero().flatten().tolist():
        n = int(last[i])
        if turned[i]:
            mask[i, :, n:] = 0
        else:
            mask[i, n:] = 0
    return mask


def _sparse(config: SceneConfig) -> SceneConfig:
    """Fields of one to three impurities and none outside."""
    return replace(config, density=(1 / config.size**2, 3 / config.size**2), margin=0.0, empty=0.0)


def recipe(
    size: int | None = None, confounded: float | None = None, strength: float | None = None, **changes: Any
) -> WaveRecipe:
    """Make the recipe of the bundled `friedel` model, with `changes`.

    Parameters
    ----------
    size : int, optional
        Of its scenes [px].
    confounded : float, optional
        Share of scenes with confounders.
    strength : float, optional
        Factor of the confounders' heights.
    **changes
        Fields of `WaveRecipe`.
    """
    if size is not None:
        changes["scene"] = replace(changes.get("scene", SCENE), size=size)
    given = {"share": confounded, "strength": strength}
    settings = {name: value for name, value in given.items() if value is not None}
    if settings:
        changes["confounders"] = replace(changes.get("confounders", ConfounderConfig()), **settings)
    return WaveRecipe(**changes)
