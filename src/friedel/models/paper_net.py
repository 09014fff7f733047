"""The network of arXiv 2006.15898 (Chin. Phys. B 29, 116805): attention over bias voltages.

One convolutional network makes of each map X_i a query, a key and a value of the map's own size,

    Q_i, K_i, V_i = CNN(X_i),                                            (a)

each voltage gathers what the other voltages know,

    Ṽ_i = (1/Z_i) Σ_j V_j exp⟨Q_i, K_j⟩,   Z_i = Σ_j exp⟨Q_i, K_j⟩,      (b)

the voltages are summed and projected to one number per pixel,

    V_T = Σ_i Ṽ_i,   S = P · V_T,                                        (c)

and Y_net = Softmax(S) over the patch says where an impurity is likely. No layer knows the number of voltages or the
size of the patch, so both are free.

The paper leaves these open; they are this implementation's choices:

- ⟨Q, K⟩ is one inner product of whole tensors (``"global"``) or taken pixel by pixel (``"pixel"``). The global one is
  averaged over pixels, so that it does not grow with the patch.
- Both are divided by √d_q. The paper has no such factor; without it the exponentials saturate and learning stalls.
- The sum over voltages is divided by `reference_voltages`, a constant (126, the paper's number). This only sets the
  scale of S: the signal still adds up over voltages, and ten maps speak less loudly than a hundred.
- A Softmax does not see a constant added to S. The constant is chosen so that the median of S over a field is 0: then
  a threshold on S means the same in every field.
- The CNN: one 5×5 convolution and residual 3×3 convolutions with dilations 1, 2, 4, 2, 1; it sees 25 pixels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from friedel.models.base import Output, check_dilations, check_whole


@dataclass(frozen=True)
class AttentionConfig:
    """Settings of the paper's network.

    Parameters
    ----------
    width : int
        Channels of the CNN.
    d_q, d_v : int
        Channels of queries and keys, and of values.
    dilations : tuple of int
        One residual 3×3 convolution each.
    inner_product : {"pixel", "global"}
        How ⟨Q_i, K_j⟩ is read.
    reference_voltages : int
        Divides the sum over voltages.
    """

    width: int = 16
    d_q: int = 8
    d_v: int = 8
    dilations: tuple[int, ...] = (1, 2, 4, 2, 1)
    inner_product: str = "pixel"
    reference_voltages: int = 126

    def __post_init__(self) -> None:
        for name in ("width", "d_q", "d_v"):
            check_whole(name, getattr(self, name), 1, 65_536)
        check_whole("reference_voltages", self.reference_voltages, 1, 1_000_000)
        check_dilations(self.dilations)
        if self.inner_product not in ("pixel", "global"):
            raise ValueError(f"inner_product must be 'pixel' or 'global', not {self.inner_product!r}")
        object.__setattr__(self, "dilations", tuple(self.dilations))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types, for a model's header."""
        return {**asdict(self), "dilations": list(self.dilations)}


class MapEncoder(nn.Module):
    """Eq. (a): the CNN that is shared by all voltages."""

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        self.sizes = (config.d_q, config.d_q, config.d_v)
        self.first = nn.Conv2d(1, config.width, 5, padding=2)
        self.blocks = nn.ModuleList(
            nn.Conv2d(config.width, config.width, 3, padding=dilation, dilation=dilation)
            for dilation in config.dilations
        )
        self.heads = nn.Conv2d(config.width, sum(self.sizes), 1)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, 1, H, W) → Q and K (N, d_q, H, W), V (N, d_v, H, W)."""
        x = F.relu(self.first(maps))
        for block in self.blocks:
            x = x + F.relu(block(x))
        q, k, v = self.heads(x).split(self.sizes, dim=1)
        return q, k, v


class AttentionNetwork(nn.Module):
    """Q, K, V from each map; attention over voltages; sum; linear projection to S.

    Parameters
    ----------
    config : AttentionConfig
    """

    #: How many values one intermediate tensor may hold when no gradient is needed; bounds the memory.
    chunk = 4_000_000

    def __init__(self, config: AttentionConfig | None = None) -> None:
        super().__init__()
        self.config = config or AttentionConfig()
        self.encoder = MapEncoder(self.config)
        self.project = nn.Linear(self.config.d_v, 1, bias=False)  # a bias would vanish in the Softmax

    def forward(
        self,
        maps: Tensor,
        k: Tensor | None = None,  # noqa: ARG002 - every network takes it
        mask: Tensor | None = None,
    ) -> Output:
        """Give S for a batch of fields.

        Parameters
        ----------
        maps : Tensor, shape (B, V, H, W)
            Each map with mean 0 and root mean square 1, 0 where not acquired.
        k : Tensor, shape (B, V)
            Wavevectors [rad/px]; the paper's network does not use them.
        mask : Tensor, shape (B, H, W)
            1 where acquired, else 0.

        Returns
        -------
        Output
            `s` of shape (B, H, W).
        """
        q, key, v = self._encode(maps)
        attend = _attend_pixel if self.config.inner_product == "pixel" else _attend_global
        total = attend(q, key, v, self.chunk)  # V_T of Eq. (c), (B, H, W, d_v)
        s = self.project(total).squeeze(-1) / self.config.reference_voltages  # (B, H, W)
        return Output(s - _median(s, mask))

    def _encode(self, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Eq. (a) for all voltages: (B, V, H, W) → three tensors (B, V, d, H, W)."""
        b, v, h, w = maps.shape
        flat = maps.reshape(b * v, 1, h, w)
        if torch.is_grad_enabled():
            parts = [self.encoder(flat)]
        else:
            step = max(1, self.chunk // (self.config.width * h * w))
            parts = [self.encoder(piece) for piece in flat.split(step)]
        q, key, value = (torch.cat(tensors).unflatten(0, (b, v)) for tensors in zip(*parts, strict=True))
        return q, key, value


def _attend_pixel(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    """Eqs. (b) and (c), ⟨Q_i, K_j⟩ pixel by pixel: every pixel is a sequence of voltages. → (B, H, W, d_v)."""
    b, n, d, h, w = q.shape

    def by_pixel(x: Tensor) -> Tensor:
        flat = x.flatten(1, 2).flatten(2)  # (B, V·d, H·W)
        # One field at a time: a plain matrix transpose is several times faster than a permutation of five axes.
        rows = torch.stack([field.t().contiguous() for field in flat])
        return rows.reshape(b * h * w, n, -1)  # (pixels, V, d)

    q, k, v = by_pixel(q), by_pixel(k), by_pixel(v)
    # Small pieces stay in the processor's cache; where gradients are kept, nothing is gained by cutting.
    bound = 16 * chunk if q.is_cuda else chunk // 4
    step = b * h * w if torch.is_grad_enabled() else max(1, bound // (n * n))
    total = []
    for q_, k_, v_ in zip(q.split(step), k.split(step), v.split(step), strict=True):
        weights = (q_ @ k_.transpose(1, 2) / d**0.5).softmax(dim=-1)  # exp⟨Q_i, K_j⟩ / Z_i: (pixels, V, V)
        total.append(
            weights.sum(dim=1, keepdim=True) @ v_
        )  # Σ_i first, it commutes with Σ_j: (pixels, 1, d_v)
    return torch.cat(total).reshape(b, h, w, -1)


def _attend_global(q: Tensor, k: Tensor, v: Tensor, _chunk: int) -> Tensor:
    """Eqs. (b) and (c), ⟨Q_i, K_j⟩ one number for the whole maps. → (B, H, W, d_v)."""
    d, h, w = q.shape[2:]
    logits = torch.einsum("bidhw,bjdhw->bij", q, k) / (d**0.5 * h * w)
    weights = logits.softmax(dim=-1).sum(dim=1)  # Σ_i commutes with Σ_j: (B, V)
    return torch.einsum("bj,bjdhw->bhwd", weights, v)


def _median(s: Tensor, mask: Tensor | None) -> Tensor:
    """Median over the acquired pixels of each field, (B, 1, 1)."""
    values = s.detach().flatten(1).float()
    if mask is not None:
        values = values.masked_fill(mask.flatten(1) == 0, float("nan"))
    return values.nanmedian(dim=1).values.nan_to_num()[:, None, None].to(s.dtype)


def build(config: dict[str, Any]) -> AttentionNetwork:
    """Build the network from a model header's config."""
    known = {entry.name for entry in fields(AttentionConfig)}
    unknown = set(config) - known
    if unknown:
        raise ValueError(f"unknown settings {sorted(unknown)}")
    return AttentionNetwork(AttentionConfig(**config))
