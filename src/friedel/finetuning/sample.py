"""The opened sample as input of a network: rescaled to the network's wavevectors, with its noise measured."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from friedel.errors import FriedelWarning, StackError
from friedel.finetuning.noise_estimate import Noise, measure_noise
from friedel.physics.dispersion import Dispersion, required
from friedel.prepare.channel import choose
from friedel.prepare.run import clean, flatten
from friedel.prepare.settings import PrepareSettings
from friedel.resample import Scaling, plan
from friedel.stack import Area, crop, normalise, pixel_pitch
from friedel.training.patches import normalise_maps, symmetry

if TYPE_CHECKING:
    import xarray as xr

    from friedel.models.registry import Model


@dataclass(frozen=True)
class Sample:
    """A stack, ready for fine-tuning. "Network pixels" are those of `maps`.

    Parameters
    ----------
    maps : Tensor, shape (V, H, W)
        Whole maps with mean 0 and root mean square 1; 0 where not acquired.
    mask : Tensor, shape (H, W)
        1 where acquired.
    k : Tensor, shape (V,)
        Wavevectors [rad/network pixel].
    noise : Noise
        What is independent from voltage to voltage.
    scaling : Scaling
        From the pixels of the stack's area that `maps` covers to network pixels.
    origin : (int, int)
        Row and column of the stack at which that area begins.
    provenance : dict
        What the model's header records of the sample.
    """

    maps: Tensor
    mask: Tensor
    k: Tensor
    noise: Noise
    scaling: Scaling
    origin: tuple[int, int]
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the stack's area that `maps` covers."""
        return self.scaling.shape

    @property
    def zoom(self) -> tuple[float, float]:
        """Network pixels per pixel of the stack along rows and columns."""
        return 1 / self.scaling.step[0], 1 / self.scaling.step[1]

    def to_network(self, points: Any) -> np.ndarray:
        """Row and column in the stack → network pixels, shape (n, 2)."""
        points = np.asarray(points, dtype=float).reshape(-1, 2)
        return self.scaling.to_new(points - self.origin)

    def to_stack(self, points: Any) -> np.ndarray:
        """Network pixels → row and column in the stack, shape (n, 2)."""
        points = np.asarray(points, dtype=float).reshape(-1, 2)
        return self.scaling.to_old(points) + self.origin

    def patches(
        self, corners: Tensor, size: int, which: Tensor, symmetries: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Cut normalised patches out.

        Parameters
        ----------
        corners : Tensor of int, shape (B, 2)
            First row and column of each patch [network px].
        size : int
            Side of a patch, cut down to the field's if that is smaller.
        which : Tensor of int, shape (V',)
            Voltages.
        symmetries : Tensor of int, shape (B,)
            Which of the 8 symmetries of the square is applied to each patch.

        Returns
        -------
        maps (B, V', h, w), k (B, V'), mask (B, h, w)
        """
        chosen, cut, masks = self.maps[which], [], []
        for (row, column), one in zip(corners.tolist(), symmetries.tolist(), strict=True):
            window = (..., slice(row, row + size), slice(column, column + size))
            cut.append(symmetry(chosen[window], one))
            masks.append(symmetry(self.mask[window], one))
        mask = torch.stack(masks)
        return normalise_maps(torch.stack(cut), mask), self.k[which].expand(len(cut), -1), mask

    def random_corners(self, number: int, size: int, generator: torch.Generator) -> Tensor:
        """Corners of patches anywhere in the field, shape (number, 2); mostly acquired ones where there are any."""
        limits = torch.tensor([max(1, side - size + 1) for side in self.mask.shape])
        tries = (torch.rand(4 * number, 2, generator=generator) * limits).long()
        known = torch.tensor([self.mask[r : r + size, c : c + size].mean().item() for r, c in tries.tolist()])
        first = (known < 0.75).to(torch.int8).argsort(stable=True)  # tries come in random order
        return tries[first[:number]]


def prepare_sample(
    stack: xr.Dataset,
    k_range: tuple[float, float],
    dispersion: Dispersion | str | None,
    *,
    k_mean: tuple[float, float] | None = None,
    channel: str | None = None,
    area: Area | None = None,
    prepare: PrepareSettings | None = None,
) -> Sample:
    """Make a `Sample` of a stack.

    Parameters
    ----------
    stack : xarray.Dataset
    k_range : (float, float)
        Wavevectors that the network was trained for [rad/px]; the maps are resampled to them as `friedel.resample.plan`
        says, which detection follows, too.
    dispersion : Dispersion or str
        The sample's surface band.
    k_mean : (float, float), optional
        Where their mean should lie; see `friedel.resample.plan`.
    channel : str, optional
        Channel; the lock-in dI/dV by rule if None.
    area : ((row_start, row_stop), (column_start, column_stop)), optional
    prepare : PrepareSettings, optional
        What is done to the recorded maps before; the defaults if None.

    Raises
    ------
    PhysicsError
        If no dispersion is given, no bias lies inside the band, the waves are aliased, or too few pixels are left at
        the network's sampling.
    StackError
        If nothing was acquired.

    Warns
    -----
    FriedelWarning
        Of voltages that are left out.
    """
    band = required(dispersion, "Fine-tuning simulates your sample and needs its surface band.")
    part = crop(stack, area)
    # The detector's own rules, so that the network learns from the pixels that it will process.
    settings = (prepare or PrepareSettings()).in_force()
    chosen = choose(part, channel, settings)
    cleaned = clean(chosen.values, settings, didv=not settings.as_recorded and not chosen.topograph)
    if not len(cleaned.keep):
        raise StackError("No pixel of this area was acquired; nothing can be learned.")
    bias = chosen.bias_mv[cleaned.keep]
    shape = (cleaned.maps.shape[1], cleaned.maps.shape[2])
    scaling = plan(band.k(bias), pixel_pitch(part), shape, k_range, k_mean=k_mean)
    for remark in scaling.remarks:
        warnings.warn(remark, FriedelWarning, stacklevel=2)
    bias, k = bias[scaling.keep], scaling.k
    flat = flatten(cleaned.chosen(scaling.keep), k / scaling.pixel_nm, pixel_pitch(part), settings)
    everywhere = np.isfinite(flat.maps).all(axis=0)
    maps, known = scaling.resample(normalise(np.where(everywhere, flat.maps, np.nan)))
    if known.sum() < 64:
        raise StackError(
            "Fewer than 64 pixels of this area were acquired at every bias; nothing can be learned."
        )
    mask = torch.from_numpy(known.astype(np.float32))
    tensor = normalise_maps(torch.from_numpy(maps)[None], mask[None])[0]
    # Resampling averages noise over new, larger pixels or smears it over smaller ones: measured afterwards.
    noise = measure_noise(np.where(known, maps, np.nan), k)
    measured = {
        "source": str(stack.attrs.get("source", "")),
        "channel": chosen.name,
        "area": [[int(v) for v in side] for side in area] if area else None,
        "shape": [*scaling.shape],
        "pixel_nm": [float(v) for v in pixel_pitch(part)],
    }
    provenance = measured | _provenance(bias, k, noise, band)
    origin = (int(area[0][0]), int(area[1][0])) if area else (0, 0)
    return Sample(tensor, mask, torch.from_numpy(k).float(), noise, scaling, origin, provenance)


def _provenance(bias: np.ndarray, k: np.ndarray, noise: Noise, band: Dispersion) -> dict[str, Any]:
    return {
        "bias_mv": [float(bias.min()), float(bias.max())],
        "voltages": len(bias),
        "k": [float(k.min()), float(k.max())],
        "noise": round(noise.share, 4),
        "noise_correlation": [round(r, 3) for r in noise.correlation],
        "dispersion": {"onset_mev": band.onset_mev, "mass": band.mass, "name": band.name},
    }


def model_sample(
    model: Model, stack: xr.Dataset, dispersion: Dispersion | str | None, **options: Any
) -> Sample:
    """Make the `Sample` of a stack for this model; see `prepare_sample`."""
    return prepare_sample(stack, model.k_range, dispersion, k_mean=model.k_mean, **options)
