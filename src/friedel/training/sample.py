"""The opened sample as a network sees it: rescaled to the network's wavevectors, with its noise measured."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from friedel.errors import FriedelWarning, PhysicsError, StackError
from friedel.models.registry import Model
from friedel.physics.dispersion import Dispersion, resolve
from friedel.rescale import Scaling
from friedel.stack import Area, crop, didv, normalise, pixel_pitch
from friedel.training.patches import normalise_maps, symmetry


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
    noise : float
        White noise as a share of each map's root mean square, from 0 to 1.
    scaling : Scaling
        From the pixels of the stack's area that `maps` covers to network pixels.
    origin : (int, int)
        Row and column of the stack at which that area begins.
    provenance : dict
        What the model's header will say of the sample.
    """

    maps: Tensor
    mask: Tensor
    k: Tensor
    noise: float
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
        self, corners: Tensor, size: int, which: Tensor, turns: Tensor
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
        turns : Tensor of int, shape (B,)
            Which of the 8 symmetries of the square each patch is put through.

        Returns
        -------
        maps (B, V', h, w), k (B, V'), mask (B, h, w)
        """
        chosen, cut, masks = self.maps[which], [], []
        for (row, column), turn in zip(corners.tolist(), turns.tolist(), strict=True):
            window = (..., slice(row, row + size), slice(column, column + size))
            cut.append(symmetry(chosen[window], turn))
            masks.append(symmetry(self.mask[window], turn))
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
    channel: str | None = None,
    area: Area | None = None,
) -> Sample:
    """Make a `Sample` of a stack.

    Parameters
    ----------
    stack : xarray.Dataset
    k_range : (float, float)
        Wavevectors that the network was trained for [rad/px]; the maps are resampled to them where needed.
    dispersion : Dispersion or str
        The sample's surface band.
    channel : str, optional
        Channel; the lock-in dI/dV by rule if None.
    area : ((row_start, row_stop), (column_start, column_stop)), optional

    Raises
    ------
    PhysicsError
        If no dispersion is given or no bias lies inside the band.
    StackError
        If nothing was acquired, or the area is too small for one patch.
    """
    band = resolve(dispersion)
    if band is None:
        raise PhysicsError(
            "Fine-tuning simulates your sample and needs its surface band: give a material, or band onset and "
            "effective mass (friedel.fit_dispersion(stack) fits them)."
        )
    part = crop(stack, area)
    data = didv(part, channel)
    bias = part["bias"].to_numpy()
    k_nm = band.k(bias)
    inside = np.isfinite(k_nm) & np.isfinite(data.to_numpy()).any(axis=(1, 2))
    if not inside.any():
        raise PhysicsError(
            f"None of the maps lies inside the band, which starts at {band.onset_mev:g} meV; "
            "check the band onset and the bias axis."
        )
    recorded, k_nm, bias = data.to_numpy()[inside], k_nm[inside], bias[inside]
    scaling = _scaling(k_nm, pixel_pitch(part), (recorded.shape[1], recorded.shape[2]), k_range)
    if min(scaling.new_shape) < 8:
        raise StackError(
            f"At the network's pixel size this area has {scaling.new_shape[0]}×{scaling.new_shape[1]} pixels; "
            "8 are needed."
        )
    maps, known = scaling.resample(normalise(recorded))
    if known.sum() < 64:
        raise StackError(
            "Fewer than 64 pixels of this area were acquired at every bias; nothing can be learned."
        )
    k = scaling.k
    if k.min() < 0.8 * k_range[0] or k.max() > 1.2 * k_range[1]:
        warnings.warn(
            f"The sample's wavevectors span {k.min():.2f} to {k.max():.2f} rad/px, the model was trained for "
            f"{k_range[0]:.2f} to {k_range[1]:.2f}; choose a narrower bias range.",
            FriedelWarning,
            stacklevel=2,
        )
    mask = torch.from_numpy(known.astype(np.float32))
    tensor = normalise_maps(torch.from_numpy(maps)[None], mask[None])[0]
    # Resampling averages white noise over new, larger pixels or smears it over smaller ones: measured afterwards.
    noise = measured_noise(np.where(known, maps, np.nan), k)
    provenance = {
        "source": str(stack.attrs.get("source", "")),
        "channel": str(data.attrs["channel"]),
        "area": [[int(v) for v in side] for side in area] if area else None,
        "shape": [*scaling.shape],
        "bias_mv": [float(bias.min()), float(bias.max())],
        "voltages": len(bias),
        "pixel_nm": [float(v) for v in pixel_pitch(part)],
        "k": [float(k.min()), float(k.max())],
        "noise": round(float(noise), 4),
        "dispersion": {"onset_mev": band.onset_mev, "mass": band.mass, "name": band.name},
    }
    origin = (int(area[0][0]), int(area[1][0])) if area else (0, 0)
    return Sample(tensor, mask, torch.from_numpy(k).float(), float(noise), scaling, origin, provenance)


def _scaling(
    k_nm: np.ndarray, pitch: tuple[float, float], shape: tuple[int, int], k_range: tuple[float, float]
) -> Scaling:
    """Keep the pixels where k times pixel lies in the network's range already; else put it in the range's middle."""
    own = float(np.sqrt(pitch[0] * pitch[1]))
    k = k_nm * own
    suits = k.min() >= 0.95 * k_range[0] and k.max() <= 1.05 * k_range[1]
    pixel = own if suits else float(np.sqrt(k_range[0] * k_range[1] / (k_nm.min() * k_nm.max())))
    step = (pixel / pitch[0], pixel / pitch[1])
    if np.allclose(step, 1.0, rtol=0.02):  # not worth the blur
        pixel, step = own, (1.0, 1.0)
    return Scaling(shape, step, np.arange(len(k_nm)), k_nm * pixel, pixel)


def measured_noise(maps: np.ndarray, k: np.ndarray) -> float:
    """White noise as a share of the maps' root mean square, from their Fourier power beyond the ring 2k.

    Parameters
    ----------
    maps : array, shape (V, H, W)
        NaN where not acquired.
    k : array, shape (V,)
        Wavevectors [rad/px].

    Returns
    -------
    float
        From 0.02 to 1, median over the maps. Where the ring fills the whole band, half of the root mean square.
    """
    rows, columns = maps.shape[1:]
    q = np.hypot(*np.meshgrid(np.fft.fftfreq(rows), np.fft.fftfreq(columns), indexing="ij")) * 2 * np.pi
    window = np.hanning(rows + 2)[1:-1, None] * np.hanning(columns + 2)[None, 1:-1]
    shares = []
    for one, wave in zip(maps, k, strict=True):
        known = np.isfinite(one)
        beyond = q > max(2.6 * wave, 1.0)
        if known.sum() < 100 or beyond.sum() < 20:
            continue
        values = np.where(known, one - one[known].mean(), 0)
        power = np.abs(np.fft.fft2(values * window)) ** 2
        # The median of an exponential distribution is ln 2 times its mean; peaks at cores do not count.
        floor = np.median(power[beyond]) / np.log(2) / ((window**2) * known).sum()
        shares.append(np.sqrt(floor / max(values[known].var(), 1e-30)))
    return float(np.clip(np.median(shares), 0.02, 1.0)) if shares else 0.5


def model_sample(
    model: Model, stack: xr.Dataset, dispersion: Dispersion | str | None, **options: Any
) -> Sample:
    """Make the `Sample` of a stack for this model; see `prepare_sample`."""
    return prepare_sample(stack, model.k_range, dispersion, **options)
