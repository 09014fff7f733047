"""From S to a probability: two kinds of calibration, told apart by what the header holds.

``{"slope": a, "intercept": b}``
    logit = a·s + b, for networks whose S is a log-odds already.
``{"spread": a, "noise": b, "alone": d, "intercept": c, ...}``
    logit = a·ln(s/spread) + b·ln(s/noise) + d·(noise/spread)⁴ + c, for networks trained with a Softmax. Their S means
    something only beside the S of the same field: it grows with the number of voltages and with the strength of the
    waves, and so do the side maxima between the impurities. `spread` is the standard deviation of S over the field
    (waves and noise alike), `noise` 1.4826 times the distance from its median to its lower quartile (which peaks
    hardly touch). Where both are the same the field is noise alone, and its highest peak is no impurity: that is what
    the third term says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from torch import Tensor

    Values = TypeVar("Values", Tensor, np.ndarray)

_LEAST = 1e-6


def scales(s: Tensor) -> tuple[Tensor, Tensor]:
    """Spread and noise of S over each field.

    Parameters
    ----------
    s : Tensor, shape (..., H, W)
        NaN where nothing is known.

    Returns
    -------
    spread, noise : Tensor, shape (..., 1, 1)
    """
    import torch

    # Differentiable: else a network that learns from probabilities would only scale S up, to no effect.
    flat = s.float().flatten(-2)
    known = flat.isfinite()
    flat = torch.where(known, flat, torch.full_like(flat, float("nan")))
    centre = flat.nanmean(dim=-1, keepdim=True)
    spread = (flat - centre).square().nanmean(dim=-1).clamp(min=_LEAST**2).sqrt()
    low, middle = flat.nanquantile(torch.tensor([0.25, 0.5], device=flat.device, dtype=flat.dtype), dim=-1)
    noise = 1.4826 * (middle - low)
    return tuple(one.nan_to_num(1.0).clamp(min=_LEAST)[..., None, None] for one in (spread, noise))  # type: ignore[return-value]


def is_relative(calibration: Mapping[str, float]) -> bool:
    """Whether S is compared with the rest of its field; else its log-odds are linear in S."""
    return "spread" in calibration


def logit(s: Values, calibration: Mapping[str, float]) -> Values:
    """Log-odds that a peak with this S is an impurity.

    Parameters
    ----------
    s : Tensor, or array for a linear calibration, shape (..., H, W)
        Whole fields. With fewer axes a relative calibration takes the scales of the calibration's own fields.
    calibration : mapping
        The header's; empty means that S is the log-odds.

    Returns
    -------
    Tensor or array, same shape
    """
    if not is_relative(calibration):
        return float(calibration.get("slope", 1.0)) * s + float(calibration.get("intercept", 0.0))
    return _relative_logit(s, calibration)  # type: ignore[return-value,arg-type]


def _relative_logit(s: Tensor, calibration: Mapping[str, float]) -> Tensor:
    """The logit of S beside its field's spread and noise."""
    if s.ndim >= 2:
        spread, noise = scales(s)
    else:
        import torch

        spread, noise = (
            torch.tensor(float(calibration[f"typical_{name}"]), dtype=s.dtype, device=s.device)
            for name in ("spread", "noise")
        )
    height = s.clamp(min=_LEAST)
    return (
        float(calibration["spread"]) * (height / spread).clamp(min=_LEAST).log()
        + float(calibration["noise"]) * (height / noise).clamp(min=_LEAST).log()
        + float(calibration.get("alone", 0.0)) * (noise / spread) ** 4
        + float(calibration["intercept"])
    )


def linear_logit(s: Tensor, calibration: Mapping[str, float]) -> Tensor:
    """`logit`, a relative one replaced by its tangent at even odds: to learn from, also where S is below 0.

    The logarithm's slope has no bound as S goes to 0, and below 0 there is none; the tangent has the same value and
    slope where it matters.
    """
    if not is_relative(calibration):
        return logit(s, calibration)
    a, b = float(calibration["spread"]), float(calibration["noise"])
    spread, noise = scales(s)
    c = float(calibration["intercept"]) + float(calibration.get("alone", 0.0)) * (noise / spread) ** 4
    even = ((a * spread.log() + b * noise.log() - c) / (a + b)).exp()  # the S whose odds are even
    return (a + b) * (s / even - 1)
