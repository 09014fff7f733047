"""The first stage, from a stack to `Prepared`: channel, bad data, band, background, sampling, normalisation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from friedel._util.big_maps import allocate, parts, release
from friedel._util.work import HERE, Work
from friedel.dispersion_fit.fourier_ring import fit_ring
from friedel.errors import PhysicsError, StackError
from friedel.prepare.band import middle_of
from friedel.prepare.channel import Chosen, choose
from friedel.prepare.prepared import Band, Prepared
from friedel.prepare.run import Cleaned, clean, flatten
from friedel.prepare.step import Step
from friedel.prepare.topograph import wave_of
from friedel.resample import Scaling, plan
from friedel.stack import make_stack, normalise, pixel_pitch

if TYPE_CHECKING:
    import xarray as xr

    from friedel._util.remarks import Remarks
    from friedel.physics.dispersion import Dispersion
    from friedel.prepare.cleaning import Maps
    from friedel.prepare.flattened import Flattened
    from friedel.settings import PrepareSettings

#: Half wavelengths a field should hold along its shorter side; the paper's patches of 20 px hold 4 to 6.
MIN_HALF_WAVELENGTHS = 4


@dataclass(frozen=True)
class Sampling:
    """The wavevectors that a method takes.

    Parameters
    ----------
    k_range : (float, float)
        Range of k·pixel [rad/px].
    k_mean : (float, float), optional
        Range of the mean of its lowest and highest value.
    """

    k_range: tuple[float, float]
    k_mean: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Energies:
    """Cleaned maps with the energy at which each map's wavevector is taken."""

    cleaned: Cleaned
    bias_mv: np.ndarray
    energy_mev: np.ndarray
    steps: tuple[Step, ...]


def prepare(
    stack: xr.Dataset,
    channel: str | None,
    band: Dispersion | None,
    wanted: Sampling,
    settings: PrepareSettings,
    remarks: Remarks,
    work: Work = HERE,
) -> Prepared:
    """Prepare the maps of a stack.

    Parameters
    ----------
    stack : xarray.Dataset
    channel : str, optional
        The dI/dV channel or an image; by rule if None.
    band : Dispersion, optional
        The surface band; fitted to the FFT ring if None.
    wanted : Sampling
    settings : PrepareSettings
    remarks : Remarks
        Takes what the user should know.
    work : Work
        Where the work is done.

    Raises
    ------
    StackError
        If no pixel holds data.
    PhysicsError
        If no voltage lies inside the band.
    """
    given = settings.in_force()
    chosen = choose(stack, channel, given)
    if chosen.derived:
        remarks.add(
            f"dI/dV is the numerical derivative of {chosen.name!r}: the stack has no lock-in channel."
        )
    separate = bool(stack.attrs.get("separate_scans", 0))
    cleaned = clean(chosen.values, given, didv=not chosen.topograph, separate=separate, work=work)
    _refuse_empty(cleaned, chosen)
    found = _energies(cleaned, chosen, band, pixel_pitch(stack))
    scaling, source = _sampling(found, band, pixel_pitch(stack), wanted, remarks)
    used = scaling.keep
    k = None if source.dispersion is None else scaling.k / scaling.pixel_nm
    flat = flatten(found.cleaned.chosen(used), k, pixel_pitch(stack), given, work)
    flat = replace(flat, steps=(*found.steps, *flat.steps))
    for step in flat.steps:
        if step.notable:
            remarks.add(step.sentence)
    recorded = _recorded(flat, chosen.name, remarks)
    maps, mask, fit_mask = _resampled(recorded, flat, scaling, work)
    out = 0.0 if band is None else float((~np.isfinite(band.k(found.energy_mev))).mean())
    return Prepared(
        maps, mask, fit_mask, recorded, scaling, chosen.name, chosen.derived, found.bias_mv[used],
        found.energy_mev[used], source, flat, out, found.cleaned.shifts,
    )  # fmt: skip


def _refuse_empty(cleaned: Cleaned, chosen: Chosen) -> None:
    """Refuse a channel without any good map, and say why."""
    if len(cleaned.keep):
        return
    if not _any_known(chosen.values):
        raise StackError(f"The channel {chosen.name!r} holds no acquired pixel in this area.")
    if not _any_varies(chosen.values):
        raise StackError(
            f"Each map of the channel {chosen.name!r} holds one and the same value in this area: it shows nothing. "
            "Choose another channel."
        )
    raise StackError(f"In no pixel of this area was {chosen.name!r} acquired at every voltage.")


def _energies(
    cleaned: Cleaned, chosen: Chosen, band: Dispersion | None, pitch: tuple[float, float]
) -> _Energies:
    """Decide at which energy the waves of each map are."""
    steps = [Step("channel", 0, chosen.sentence)] if chosen.sentence else []
    bias = chosen.bias_mv[cleaned.keep]
    energy = bias
    if chosen.topograph and len(bias) == 1 and band is not None:
        wave = wave_of(cleaned.maps[0], float(bias[0]), band, pitch)
        energy = np.array([wave.energy_mev])
        steps.append(Step("wavevector", wave.energy_mev, wave.sentence))
    return _Energies(cleaned, bias, energy, tuple(steps))


def _any_known(values: Maps) -> bool:
    return any(np.isfinite(values[part]).any() for part in parts(values.shape))


def _any_varies(values: Maps) -> bool:
    """Whether any map has two different values."""
    for part in parts(values.shape):
        for plane in np.asarray(values[part]):
            known = plane[np.isfinite(plane)]
            if known.size and known.max() > known.min():
                return True
    return False


def _recorded(flat: Flattened, name: str, remarks: Remarks) -> np.ndarray:
    """The flattened maps where every voltage is known."""
    maps = flat.maps
    known = np.ones(maps.shape[1:], dtype=bool)
    for part in parts(maps.shape):
        known &= np.isfinite(maps[part]).all(axis=0)
        release(maps)
    if not known.any():
        raise StackError(f"In no pixel of this area was {name!r} acquired at every voltage.")
    if known.mean() < 0.999:
        missing = 100 * (1 - known.mean())
        remarks.add(f"{missing:.0f} % of the pixels were not acquired; nothing is detected there.")
    if known.all():
        return maps
    out = allocate(maps.shape)
    for part in parts(maps.shape):
        out[part] = np.where(known, maps[part], np.nan)
        release(maps, out)
    return out


def _resampled(
    recorded: np.ndarray, flat: Flattened, scaling: Scaling, work: Work
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normalised maps at the method's sampling, the pixels that hold data, and those that a refit takes."""
    maps = allocate((len(recorded), *scaling.new_shape), np.float32)
    mask = fit_mask = np.ones(scaling.new_shape, dtype=bool)
    pieces = ((np.asarray(recorded[part]), scaling) for part in parts(recorded.shape))
    for part, (new, known) in zip(parts(recorded.shape), work.each(_at_new_pixels, pieces), strict=True):
        maps[part] = new
        mask = fit_mask = known
        release(recorded, maps)
    if flat.filled.any():
        one = np.where(flat.filled, np.nan, recorded[:1])
        fit_mask = mask & scaling.resample(one)[1]
    return maps, mask, fit_mask


def _at_new_pixels(recorded: np.ndarray, scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """Normalised maps at the method's sampling, and the pixels that hold data."""
    maps, mask = scaling.resample(normalise(recorded))
    if not scaling.identity or not mask.all():
        maps = np.nan_to_num(normalise(np.where(mask, maps, np.nan)), copy=False)
    return maps, mask


def _sampling(
    found: _Energies,
    band: Dispersion | None,
    pitch: tuple[float, float],
    wanted: Sampling,
    remarks: Remarks,
) -> tuple[Scaling, Band]:
    """Sampling that suits the method, and where k came from."""
    maps, energy = found.cleaned.maps, found.energy_mev
    shape = (maps.shape[1], maps.shape[2])
    if band is not None:
        scaling = plan(band.k(energy), pitch, shape, wanted.k_range, k_mean=wanted.k_mean)
        _remark_on(scaling, remarks)
        return scaling, Band("given", band)
    fit = fit_ring(make_stack({"dI/dV": middle_of(maps)}, bias_mv=energy, pixel_nm=pitch))
    if fit.found:
        try:
            scaling = plan(fit.dispersion.k(energy), pitch, shape, wanted.k_range, k_mean=wanted.k_mean)
        except PhysicsError as error:
            remarks.add(f"The band fitted to the FFT ring cannot be used. {error}")
        else:
            remarks.add(
                "No surface band was given; the ring in the FFT gives "
                f"E₀ = {fit.onset_mev:.0f} ± {fit.onset_error:.0f} meV and m* = {fit.mass:.2f} ± {fit.mass_error:.2f}."
            )
            _remark_on(scaling, remarks)
            errors = float(fit.onset_error), float(fit.mass_error)
            return scaling, Band("fitted to the FFT ring", fit.dispersion, *errors)
    return _assumed(len(energy), pitch, shape, wanted, remarks)


def _assumed(
    count: int,
    pitch: tuple[float, float],
    shape: tuple[int, int],
    wanted: Sampling,
    remarks: Remarks,
) -> tuple[Scaling, Band]:
    """The map at its own sampling, as if its wavevector were in the middle of the method's range."""
    pixel = float(np.sqrt(pitch[0] * pitch[1]))
    k_per_nm = float(np.sqrt(wanted.k_range[0] * wanted.k_range[1])) / pixel
    remarks.add(
        "No surface band was given and the FFT shows no Friedel ring: the map is taken at its own sampling, as if its "
        f"wavevector were {k_per_nm:.3g} nm⁻¹ at every voltage. The data may lie outside the method's range; "
        "no probability is listed. Give the surface band: a material, or its onset and effective mass.",
        settings=("dispersion",),
    )
    scaling = plan(np.full(count, k_per_nm), (pixel, pixel), shape, wanted.k_range, least_pixels=1)
    return scaling, Band("assumed", k_per_nm=k_per_nm)


def _remark_on(scaling: Scaling, remarks: Remarks) -> None:
    """Say which voltages were left out, and whether the field shows enough waves to tell anything."""
    for text in scaling.remarks:
        remarks.add(text)
    waves = min(scaling.new_shape) * float(np.median(scaling.k)) / np.pi
    if waves < MIN_HALF_WAVELENGTHS:
        remarks.add(
            f"The field is only {waves:.1f} half Friedel wavelengths wide: the method was made for fields of "
            f"{MIN_HALF_WAVELENGTHS} and more, and these points are unreliable."
        )
