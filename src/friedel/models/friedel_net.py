"""The `friedel` network: the paper's attention over voltages, fed with waves whose wavevector is known.

The design is that of arXiv 2006.15898, Sec. III: one small CNN makes of every map X_i Q_i, K_i, V_i, and attention
over the voltages mixes them. What is new:

1. each map brings its **matched field** along, the correlation with outgoing waves e^{2ikr}/(r + 1) at the wavevector
   k of its voltage. An impurity's phase in this field moves slowly with energy, so that voltages add up coherently
   (notes on detection: a factor of about four in signal energy). Three rings of r are kept apart: a true source is
   coherent in all of them, a chance crest is not;
2. the attended values are summed up by their mean **and** their spread over the voltages;
3. a head of dilated residual blocks sees the whole field and assigns waves to sources;
4. besides S it gives the sub-pixel offset and its standard deviation (the outputs of DECODE, Speiser et al.,
   Nat. Methods 18, 1082, 2021, DOI 10.1038/s41592-021-01236-x).

Voltages are pooled into at most `groups` means before anything else: within a group k changes by about a percent.

Shapes: B fields, V voltages, G ≤ `groups` pooled voltages, C channels, H × W pixels.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from friedel.models.base import Output, check_dilations, check_whole
from friedel.models.matched_field import MatchedField
from friedel.models.network_input import SYMMETRIES, NetworkInput, Symmetry, averaged, prepare

__all__ = [
    "SYMMETRIES",
    "NetworkInput",
    "Residual",
    "Symmetry",
    "WaveConfig",
    "WaveNet",
    "build",
    "config_of",
]


@dataclass(frozen=True)
class WaveConfig:
    """Sizes of the network and the scales of its inputs; lengths in pixels.

    Parameters
    ----------
    groups : int
        Pooled voltages at most.
    rings : tuple of float
        Outer radii of the matched field's rings, rising.
    width : int
        Channels of the per-map encoder.
    d_q, d_v : int
        Channels of queries and keys, and of values.
    head : int
        Channels of the head.
    dilations : tuple of int
        One residual block of the head each.
    n_augment : {1, 2, 4, 8}
        Test-time augmentation (inference only): the output is the mean over the field and its 180° rotation, over its
        four rotations, or over these and their mirror images.
    tile, overlap : int
        For tiled detection: the smallest field of one forward pass, and the overlap of neighbours.
    k_centre, k_scale : float
        The plane that holds the wavevector is ``(k − k_centre)·k_scale``, k in rad/px.
    """

    groups: int = 12
    rings: tuple[float, ...] = (5.0, 12.0, 28.0)
    width: int = 24
    d_q: int = 12
    d_v: int = 24
    head: int = 64
    dilations: tuple[int, ...] = (1, 2, 4, 8, 4, 2, 1)
    n_augment: int = 1
    tile: int = 96
    overlap: int = 24
    k_centre: float = 0.78
    k_scale: float = 4.0

    def __post_init__(self) -> None:
        for name in ("width", "d_q", "d_v", "head"):
            check_whole(name, getattr(self, name), 1, 65_536)
        check_whole("groups", self.groups, 1, 1024)
        check_whole("n_augment", self.n_augment, 1, 8)
        if self.n_augment not in (1, 2, 4, 8):
            raise ValueError(f"n_augment must be 1, 2, 4 or 8, not {self.n_augment!r:.40}")
        check_whole("tile", self.tile, 16, 65_536)
        check_whole("overlap", self.overlap, 0, self.tile // 2)
        check_dilations(self.dilations)
        edges = (0.0, *self.rings)
        if not 1 <= len(self.rings) <= 16 or not all(a < b <= 512 for a, b in pairwise(edges)):
            raise ValueError(f"rings must be 1 to 16 rising radii up to 512 px, not {self.rings!r:.60}")
        if not (math.isfinite(self.k_centre) and 0 < self.k_scale < 1000):
            raise ValueError("k_centre must be finite, k_scale between 0 and 1000")


class Residual(nn.Module):
    """x + conv(SiLU(conv(SiLU(x)))), the last convolution starting at zero."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) → the same shape."""
        out: torch.Tensor = x + self.second(F.silu(self.first(F.silu(x))))
        return out


class WaveNet(nn.Module):
    """The `friedel` network.

    Parameters
    ----------
    config : WaveConfig
    """

    def __init__(self, config: WaveConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or WaveConfig()
        n_rings = len(c.rings)
        self.matched_field = MatchedField(c.rings)
        self.encoder = nn.Sequential(
            nn.Conv2d(4 + 2 * n_rings, c.width, 3, padding=1),
            Residual(c.width),
            nn.SiLU(),
            nn.Conv2d(c.width, 2 * c.d_q + c.d_v, 1),
        )
        self.mix = nn.Conv2d(2 * c.d_v + 4 * n_rings + 2, c.head, 3, padding=1)
        self.head = nn.Sequential(*[Residual(c.head, dilation) for dilation in c.dilations], nn.SiLU())
        self.project = nn.Conv2d(c.head, 4, 1)
        nn.init.zeros_(self.project.weight)
        with torch.no_grad():  # one pixel in some hundred holds an impurity
            self.project.bias.copy_(torch.tensor([-4.0, 0.0, 0.0, -1.0]))  # type: ignore[union-attr]

    def prepare(self, maps: torch.Tensor, k: torch.Tensor, mask: torch.Tensor) -> NetworkInput:
        """Pool the voltages, normalise, and add the matched fields."""
        return prepare(maps, k, mask, self.config.groups, self.matched_field)

    def features(self, given: NetworkInput) -> torch.Tensor:
        """Input of the head, (B, 2·d_v + 4·R + 2, H, W)."""
        c, maps, waves, k, known = self.config, given.maps, given.waves, given.k, given.mask[:, None]
        b, g, h, w = maps.shape
        common = maps.mean(dim=1, keepdim=True)
        planes = torch.cat(
            [
                maps[:, :, None],
                common[:, :, None].expand(-1, g, -1, -1, -1),
                ((k - c.k_centre) * c.k_scale)[:, :, None, None, None].expand(-1, -1, 1, h, w),
                known[:, None].expand(-1, g, -1, -1, -1),
                waves.flatten(2, 3) * 0.5,
            ],
            dim=2,
        )  # (B, G, 4 + 2R, H, W)
        # Every pixel is a sequence of G voltages; with the pixels in front the products are plain small matrices.
        qkv = self.encoder(planes.flatten(0, 1)).permute(0, 2, 3, 1).reshape(b, g, h * w, -1)
        q, key, value = qkv.transpose(1, 2).reshape(b * h * w, g, -1).split([c.d_q, c.d_q, c.d_v], dim=2)
        # ⟨Q_i K_j⟩ pixel by pixel; 1/√d keeps the exponent of order one.
        score = q @ key.transpose(1, 2) / math.sqrt(c.d_q)  # (pixels, G, G)
        # Sums over a dozen voltages are quick on a CPU if they run over the first axes, with the pixels side by side.
        weight = torch.softmax(score.permute(1, 2, 0).contiguous(), dim=1).permute(2, 0, 1).contiguous()
        attended = weight @ value  # (pixels, G, d_v)
        mean = attended.mean(dim=1)
        spread = torch.sqrt((attended.transpose(0, 1) - mean).square().mean(dim=0) + 1e-6)
        mean, spread = (x.view(b, h, w, c.d_v).permute(0, 3, 1, 2) for x in (mean, spread))
        # The number of voltages is summed up, not read from a shape: an exported graph keeps it free.
        voltages = torch.ones_like(k).sum(dim=1)[:, None, None, None]
        coherent = waves.sum(dim=1) / voltages.sqrt()[..., None]  # (B, R, 2, H, W)
        energy = waves.square().mean(dim=(1, 3))  # (B, R, H, W)
        follow = (waves[:, 1:] * waves[:, :-1]).sum(dim=(1, 3)) / (voltages - 1).clamp_min(1)
        few = torch.ones_like(known) / voltages.sqrt()
        return torch.cat(
            [mean, spread, coherent.flatten(1, 2) * 0.4, energy * 0.3, follow * 0.3, known, few], dim=1
        )

    def forward(self, maps: torch.Tensor, k: torch.Tensor, mask: torch.Tensor) -> Output:
        """Find the sources of the waves.

        Parameters
        ----------
        maps : (B, V, H, W), normalised, 0 where not acquired
        k : (B, V) [rad/px]
        mask : (B, H, W)

        Returns
        -------
        Output
            S (the logit of the probability), offset within ±1.5 px, log σ.
        """
        given = self.prepare(maps, k, mask)
        if self.training or self.config.n_augment == 1:
            return self._forward_once(given)
        return averaged(self._forward_once, given, self.config.n_augment)

    def _forward_once(self, given: NetworkInput) -> Output:
        """One forward pass: S, offset and log σ; see `forward`."""
        out = self.project(self.head(self.mix(self.features(given))))
        return Output(out[:, 0], 1.5 * torch.tanh(out[:, 1:3]), out[:, 3].clamp(-4, 1))


def build(config: dict[str, Any]) -> WaveNet:
    """Make the network from the configuration kept in a weights file; channels last is a third faster on a CPU."""
    known: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in config.items()
    }
    if "views" in known:  # the name in headers of format 1
        known["n_augment"] = known.pop("views")
    network = WaveNet(WaveConfig(**known))
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def config_of(network: WaveNet) -> dict[str, Any]:
    """Give the configuration to keep in a weights file."""
    return asdict(network.config)
