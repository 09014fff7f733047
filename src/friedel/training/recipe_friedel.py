"""How the `friedel` network is trained: endless multiple-scattering scenes and the loss of a localiser.

Clean scenes are dear (a T-matrix and a few million Hankel functions), noise is cheap. A rolling pool keeps the latest
clean scenes; every step adds `fresh` new ones and draws a batch, turned by a symmetry of the square and measured anew,
so that no two batches are alike.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch.nn import functional as F

from friedel.models.base import Output
from friedel.models.friedel_net import WaveConfig, WaveNet
from friedel.models.registry import load_model
from friedel.physics.scene import Scene, SceneConfig, clean_scene, measure, turn
from friedel.training.confounders import ConfounderConfig, confound, spoil
from friedel.training.patches import normalise_maps

#: Where the mean wavevector of a stack should lie [rad/px]: the middle of the scenes'.
K_MEAN = (0.7, 0.9)
#: Wavevectors [rad/px] to which a stack is rescaled: scenes reach from 0.44 to 1.3, most of them lie in here.
K_RANGE = (0.5, 1.15)
#: The scenes that are drawn where nothing else is said.
SCENE = SceneConfig(size=40, margin=12.0, extended=0.10, p_wave=0.10, clustered=0.10)
#: Weight of positions beside detection, in what is learned from the truth and from a teacher.
POSITION_WEIGHT = 0.2
_KEPT = ("batch_size", "pool", "fresh", "sparse", "learning_rate", "weight_decay", "average")


@dataclass(frozen=True)
class Target:
    """What is true of a batch.

    present : (B, H, W), 1 in the pixel that holds an impurity's centre;
    leniency : (B, H, W), weight of a false alarm, small beside an impurity;
    offset : (B, 2, H, W), shift (row, column) from the pixel to the nearest impurity [px];
    near : (B, H, W), weight of the offset's loss.
    """

    present: torch.Tensor
    leniency: torch.Tensor
    offset: torch.Tensor
    near: torch.Tensor


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


def make_target(points: torch.Tensor, present: torch.Tensor, mask: torch.Tensor) -> Target:
    """Lay the true positions on the pixel grid.

    Parameters
    ----------
    points : Tensor, shape (B, N, 2)
        Row and column [px]; points outside the acquired field count for nothing.
    present : Tensor, shape (B, N), bool
    mask : Tensor, shape (B, H, W)
    """
    b, h, w = mask.shape
    cell = points.round().long()
    inside = present & (cell[..., 0] >= 0) & (cell[..., 0] < h) & (cell[..., 1] >= 0) & (cell[..., 1] < w)
    label = torch.zeros(b, h, w)
    which, where = inside.nonzero(as_tuple=True)
    label[which, cell[which, where, 0], cell[which, where, 1]] = 1.0
    grid = (
        torch.stack(torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij"), -1)
        .float()
        .view(1, -1, 2)
    )
    far = torch.where(inside[..., None], points, torch.full_like(points, 1e4))
    distance, nearest = torch.cdist(grid.expand(b, -1, -1), far).min(dim=2)
    offset = torch.gather(far, 1, nearest[..., None].expand(-1, -1, 2)) - grid
    offset = offset.clamp(-1.5, 1.5).transpose(1, 2).reshape(b, 2, h, w)
    distance = distance.view(b, h, w)
    leniency = (1 - torch.exp(-(distance**2) / (2 * 0.5**2))) ** 2
    near = torch.where(label > 0, 1.0, 0.25 * (distance < 1.0).float())
    return Target(label * mask, leniency * mask, offset, near * mask)


def localisation_loss(
    output: Output, target: Target, *, focus: float = 1.0, position_weight: float = POSITION_WEIGHT
) -> tuple[torch.Tensor, dict[str, float]]:
    """Focal cross-entropy of the probability plus the Gaussian likelihood of the position.

    Both are divided by the number of impurities in the batch; `position_weight` is the second one's. `focus` is γ
    of the focal loss (Lin et al., DOI 10.1109/ICCV.2017.324): 0 is the plain cross-entropy.

    Returns
    -------
    loss : Tensor
    values : dict
        ``detection`` and ``position``, for display.
    """
    s = output.s
    p = torch.sigmoid(s)
    count = target.present.sum().clamp_min(1)
    hit = target.present * (1 - p) ** focus * F.softplus(-s)
    alarm = (1 - target.present) * target.leniency * p**focus * F.softplus(s)
    detection = (hit + alarm).sum() / count
    assert output.offset is not None and output.log_sigma is not None
    square = ((output.offset - target.offset) ** 2).sum(dim=1)
    likelihood = 0.5 * square * torch.exp(-2 * output.log_sigma) + 2 * output.log_sigma
    position = (target.near * likelihood).sum() / target.near.sum().clamp_min(1)
    return detection + position_weight * position, {
        "detection": detection.item(),
        "position": position.item(),
    }


def teaching_loss(output: Output, teacher: Output, mask: torch.Tensor) -> torch.Tensor:
    """How far an answer is from a teacher's: cross-entropy of p beyond the teacher's own, and the position's error.

    Both are divided by the number of impurities that the teacher sees; positions count as much as the teacher is sure
    of an impurity there, in units of its σ.

    Parameters
    ----------
    output, teacher : Output
        The teacher's without gradients.
    mask : Tensor, shape (B, H, W)
    """
    p = torch.sigmoid(teacher.s.float())
    count = (p * mask).sum().clamp_min(1)
    s, known = output.s.float(), teacher.s.float()
    # KL(p ‖ q) of two coins, from their logits
    detection = p * (known - s) + F.softplus(s) - F.softplus(known)
    assert output.offset is not None and teacher.offset is not None
    assert output.log_sigma is not None and teacher.log_sigma is not None
    gap = ((output.offset - teacher.offset) ** 2).sum(dim=1) * torch.exp(-2 * teacher.log_sigma)
    position = 0.5 * gap + (output.log_sigma - teacher.log_sigma) ** 2
    position = position.clamp_max(10)  # a guess far from the teacher's must not outweigh all others
    return ((detection + POSITION_WEIGHT * p * position) * mask).sum() / count


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
        New clean scenes a step.
    teacher : str
        A model, by name or file, whose answers are learned beside the truth, see `teaching_loss`; none if empty. It is
        asked about scenes without confounders only.
    confounders : ConfounderConfig
        What is added to a share of the scenes.
    sparse : float
        Share of the clean scenes with one to three impurities and none outside.
    """

    scene: SceneConfig = SCENE
    confounders: ConfounderConfig = field(default_factory=ConfounderConfig)
    network: WaveConfig = field(default_factory=WaveConfig)
    batch_size: int = 6
    pool: int = 3000
    fresh: int = 2
    sparse: float = 0.06
    name: str = "friedel"
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    average: float = 0.998
    teacher: str = ""

    def __post_init__(self) -> None:
        self._pool: deque[Scene] = deque(maxlen=self.pool)
        # Loaded at once, so that a mistaken name is told before the first step, and only on the CPU: batches may be
        # made in other processes.
        self._teacher = load_model(self.teacher, "cpu") if self.teacher else None

    def make_network(self) -> WaveNet:
        """Return an untrained network."""
        return WaveNet(self.network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def batch(self, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        """Draw the next batch; the pool fills up on the way."""
        missing = max(self.fresh, 4 * self.batch_size - len(self._pool))
        for _ in range(missing):
            few = torch.rand(1, generator=rng).item() < self.sparse
            self._pool.append(clean_scene(1, _sparse(self.scene) if few else self.scene, rng))
        chosen = torch.randint(0, len(self._pool), (self.batch_size,), generator=rng)
        confused = confound(_concatenate([self._pool[i] for i in chosen]), self.confounders, rng)
        measured = measure(confused.scene, self.scene, rng, confused.waves)
        scene = turn(spoil(replace(confused, scene=measured), self.confounders, rng), rng)
        maps, k = _choose_voltages(scene.maps, scene.k, rng)
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
        assert output.offset is not None and output.log_sigma is not None
        mine = Output(output.s[plain], output.offset[plain], output.log_sigma[plain])
        taught = teaching_loss(mine, answer, batch.mask[plain])
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

    def calibrate(self, network: torch.nn.Module, device: torch.device) -> dict[str, Any]:
        """Probability, threshold and scale of σ from scenes that training never saw."""
        from friedel.training.calibrate_friedel import calibrate_wave

        return calibrate_wave(network, self.scene, device, self.confounders)


def _choose_voltages(
    maps: torch.Tensor, k: torch.Tensor, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """In half of the batches keep only some of the voltages, from 1 up; five and fewer as often as all others."""
    v = maps.shape[1]
    if torch.rand(1, generator=rng).item() < 0.5 or v < 3:
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
