"""From a stack to impurities: channel, sampling, network or matched field, points with physical positions.

`iter_detect` is the one way in: docks, the command line and `detect` drain the same generator.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

import friedel
from friedel._util.malloc import keep_freed_memory
from friedel.candidates.peaks import candidates
from friedel.classical import detect as classical
from friedel.detections import COLUMNS, Detections
from friedel.dispersion_fit.fourier_ring import fit_dispersion
from friedel.errors import FriedelError, FriedelWarning, ModelError, PhysicsError, StackError
from friedel.physics.dispersion import Dispersion, resolve
from friedel.progress import Progress, drain, share
from friedel.resample import Scaling, plan
from friedel.stack import Area, crop, didv, normalise, pixel_pitch, tip_position, validate

if TYPE_CHECKING:
    from friedel.models.registry import Model
    from friedel.refit.fitted_waves import FittedWaves

METHODS = ("network", "matched-field", "omp")
REFITS = ("none", "quick", "full")

#: Half wavelengths a field should hold along its shorter side; the paper's patches of 20 px hold 4 to 6.
LEAST_WAVES = 4
#: Candidates less probable than this are not listed.
FLOOR = 0.01


@dataclass
class _Field:
    """The maps as a method takes them, with how they came to be."""

    maps: np.ndarray  # (bias, rows, columns), mean 0, rms 1, 0 where not acquired
    mask: np.ndarray
    scaling: Scaling
    channel: str
    derived: bool
    bias: np.ndarray
    band: dict[str, Any]
    recorded: np.ndarray  # (bias, rows, columns), NaN where not acquired


class _Remarks(list[str]):
    """Remarks for the provenance, each also a `FriedelWarning`."""

    def add(self, text: str) -> None:
        self.append(text)
        warnings.warn(text, FriedelWarning, stacklevel=2)


def iter_detect(
    stack: xr.Dataset,
    *,
    channel: str | None = None,
    dispersion: Dispersion | str | None = None,
    model: str | Model = "friedel",
    method: str = "network",
    area: Area | None = None,
    tiles: str = "blend",
    threshold: float | None = None,
    device: str = "auto",
    refit: str | None = None,
) -> Generator[Progress, None, Detections]:
    """Find impurities; a generator that can be stopped between any two steps.

    Parameters
    ----------
    stack : xarray.Dataset
        See `friedel.stack`.
    channel : str, optional
        The dI/dV channel; the lock-in channel by rule if None, else the numerical derivative of the current.
    dispersion : Dispersion or str, optional
        The surface band, or a material's name; fitted to the ring in the data's own FFT if None.
    model : str or Model
        A network's name or file, for ``method="network"``.
    method : {"network", "matched-field", "omp"}
        The network; the matched field over all voltages; the matched field with a joint refit.
    area : ((int, int), (int, int)), optional
        Rows and columns ``((start, stop), (start, stop))`` to look at; everything if None.
    tiles : {"blend", "paper"}
        Overlapping tiles without seams, or disjoint patches as in arXiv 2006.15898 (for the network).
    threshold : float, optional
        Probability from which on a candidate is an impurity; the model's own, or 0.95 for the classical methods.
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:0`` or ``mps``.
    refit : {"none", "quick", "full"}, optional
        Whether what was found is fitted once more, all together, by waves that scatter many times
        (`friedel.refit.candidates`). With a network the fit also judges: candidates below the threshold that the
        waves need rise above it, impurities that they do not need fall below. "quick" is for that and takes up to twice
        as long as the network; "full" takes ten to forty seconds for 80×80 px and places the points better still. By
        default quick with a network that knows how far it can be trusted (it gives a σ), in a field of enough waves of
        a known band, and none otherwise.

    Yields
    ------
    Progress
        At least once a tile or round.

    Returns
    -------
    Detections
        Positions in pixels of `stack` and in nm, candidates below the threshold included. For the classical
        methods `s` is the matched field T and `probability` its significance over the whole field.

    Raises
    ------
    StackError, PhysicsError, ModelError
        If the stack, the band or the model cannot be used; the message says what to do.

    Warns
    -----
    FriedelWarning
        For every remark; also kept in ``provenance["warnings"]``.
    """
    if method not in METHODS:
        raise ModelError(f"Unknown method {method!r}; known are {', '.join(METHODS)}.")
    if threshold is not None and not 0 <= threshold <= 1:
        raise ModelError(f"The threshold is a probability from 0 to 1, not {threshold}.")
    if refit is not None and refit not in REFITS:
        raise ModelError(f"Unknown refit {refit!r}; known are {', '.join(REFITS)}.")
    validate(stack)
    whole: Area = ((0, stack.sizes["y"]), (0, stack.sizes["x"]))
    area = area or whole
    remarks = _Remarks()
    band = resolve(dispersion)
    keep_freed_memory()
    yield Progress(0.0, "reading")

    network: Model | None = None
    if method == "network":
        from friedel.models.registry import load_model

        network = load_model(model, device)
        k_range, k_mean = network.k_range, network.k_mean
    else:
        k_range, k_mean = classical.K_RANGE, None
    yield Progress(0.02, "sampling")
    field = _prepare(crop(stack, area), channel, band, k_range, k_mean, remarks)
    yield Progress(0.1, "looking for impurities")

    last = {"none": 0.95, "full": 0.3}.get(refit or "quick", 0.6)
    if network is not None:
        found = yield from share(_by_network(field, network, tiles), 0.1, last)
        threshold = network.threshold if threshold is None else threshold
    else:
        work = classical.iter_matched_field if method == "matched-field" else classical.iter_omp
        found = yield from share(work(field.maps, field.scaling.k, field.mask), 0.1, last)
        threshold = classical.THRESHOLD if threshold is None else threshold
    table, s, probability, extra = found
    # In a field of hardly any waves a fit explains everything, and tells nothing.
    judge = network is not None and _half_waves(field.scaling) >= LEAST_WAVES
    waves: FittedWaves | None = None
    if refit is None:
        knows = judge and "mass" in field.band and bool(np.isfinite(table["sigma_px"]).any())
        refit = "quick" if knows else "none"
    if refit != "none":
        again = _second_look(field, found, refit, threshold, remarks, judge=judge)
        table, extra["refit"], waves = yield from share(again, last, 0.99)
    result = Detections(
        table=_physical(table, field.scaling, stack, area),
        threshold=float(threshold),
        s=field.scaling.back(s),
        probability=field.scaling.back(probability),
        area=area,
        provenance={
            "version": friedel.__version__,
            "method": method,
            **extra,
            "source": str(stack.attrs.get("source", "")),
            "channel": field.channel,
            "derived": field.derived,
            "dispersion": field.band,
            "bias_mv": [float(v) for v in field.bias],
            "k_rad_per_px": [float(field.scaling.k.min()), float(field.scaling.k.max())],
            "rescale": [float(v) for v in field.scaling.step],
            "pixel_nm": float(field.scaling.pixel_nm),
            "area": [list(area[0]), list(area[1])],
            "threshold": float(threshold),
            "warnings": list(remarks),
        },
        waves=waves,
    )
    yield Progress(1.0, f"{len(result)} impurities")
    return result


def detect(stack: xr.Dataset, **options: Any) -> Detections:
    """Find impurities; takes what `iter_detect` takes and gives what it returns.

    Examples
    --------
    >>> stack = friedel.simulate(seed=1)                       # doctest: +SKIP
    >>> found = friedel.detect(stack, dispersion="au111")      # doctest: +SKIP
    >>> found.impurities[["x_nm", "y_nm", "probability"]]      # doctest: +SKIP
    """
    return drain(iter_detect(stack, **options))


def _prepare(
    stack: xr.Dataset,
    channel: str | None,
    band: Dispersion | None,
    k_range: tuple[float, float],
    k_mean: tuple[float, float] | None,
    remarks: _Remarks,
) -> _Field:
    """Choose the channel, drop empty voltages, find k, resample, normalise."""
    data = didv(stack, channel)
    name, derived = str(data.attrs["channel"]), bool(data.attrs["derived"])
    if derived:
        remarks.add(f"dI/dV is the numerical derivative of {name!r}: the stack has no lock-in channel.")
    values, bias = data.to_numpy(), stack["bias"].to_numpy()
    seen = np.isfinite(values).any(axis=(1, 2))
    values, bias = values[seen], bias[seen]
    if not len(bias):
        raise StackError(f"The channel {name!r} holds no acquired pixel in this area.")
    known = np.isfinite(values).all(axis=0)
    if not known.any():
        raise StackError(f"In no pixel of this area was {name!r} acquired at every voltage.")
    if known.mean() < 0.999:
        remarks.add(
            f"{100 * (1 - known.mean()):.0f} % of the pixels were not acquired; nothing is looked for there."
        )
    values = np.where(known, values, np.nan)
    pitch, shape = pixel_pitch(stack), (values.shape[1], values.shape[2])
    scaling, origin = _sampling(stack, name, bias, band, pitch, shape, k_range, k_mean, remarks)
    recorded = values[scaling.keep]
    maps, mask = scaling.resample(normalise(recorded))
    if not scaling.identity or not mask.all():
        maps = np.nan_to_num(normalise(np.where(mask, maps, np.nan)), copy=False)
    return _Field(maps, mask, scaling, name, derived, bias[scaling.keep], origin, recorded)


def _sampling(
    stack: xr.Dataset,
    channel: str,
    bias: np.ndarray,
    band: Dispersion | None,
    pitch: tuple[float, float],
    shape: tuple[int, int],
    k_range: tuple[float, float],
    k_mean: tuple[float, float] | None,
    remarks: _Remarks,
) -> tuple[Scaling, dict[str, Any]]:
    """Sampling that suits the method, and where k came from."""
    if band is not None:
        scaling = plan(band.k(bias), pitch, shape, k_range, k_mean=k_mean)
        _remark_on(scaling, remarks)
        return scaling, {**asdict(band), "origin": "given"}
    fit = fit_dispersion(stack, channel=channel)
    if fit.found:
        try:
            scaling = plan(fit.dispersion.k(bias), pitch, shape, k_range, k_mean=k_mean)
        except PhysicsError as error:
            remarks.add(f"The band fitted to the FFT ring cannot be used. {error}")
        else:
            remarks.add(
                "No surface band was given; the ring in the FFT gives "
                f"E₀ = {fit.onset_mev:.0f} ± {fit.onset_error:.0f} meV and m* = {fit.mass:.2f} ± {fit.mass_error:.2f}."
            )
            _remark_on(scaling, remarks)
            errors = {"onset_error_mev": float(fit.onset_error), "mass_error": float(fit.mass_error)}
            return scaling, {**asdict(fit.dispersion), **errors, "origin": "fitted to the FFT ring"}
    pixel = float(np.sqrt(pitch[0] * pitch[1]))
    middle = float(np.sqrt(k_range[0] * k_range[1]))
    remarks.add(
        "No surface band was given and the FFT shows no Friedel ring: the map is taken at its own sampling, as if its "
        f"wavevector were {middle / pixel:.3g} nm⁻¹ at every voltage. The data may lie outside the method's range; "
        "do not trust these probabilities. Give --material, or --onset-mev and --mass."
    )
    scaling = plan(np.full(len(bias), middle / pixel), (pixel, pixel), shape, k_range, least_pixels=1)
    return scaling, {"k_per_nm": middle / pixel, "origin": "assumed"}


def _remark_on(scaling: Scaling, remarks: _Remarks) -> None:
    """Say which voltages were left out, and whether the field shows enough waves to tell anything."""
    for text in scaling.remarks:
        remarks.add(text)
    waves = _half_waves(scaling)
    if waves < LEAST_WAVES:
        remarks.add(
            f"The field is only {waves:.1f} half Friedel wavelengths wide: the method was made for fields of "
            f"{LEAST_WAVES} and more, and these points deserve little trust."
        )


def _half_waves(scaling: Scaling) -> float:
    """Half wavelengths along the field's shorter side."""
    return min(scaling.new_shape) * float(np.median(scaling.k)) / np.pi


_Found = tuple[pd.DataFrame, np.ndarray, np.ndarray, dict[str, Any]]


def _by_network(field: _Field, model: Model, mode: str) -> Generator[Progress, None, _Found]:
    """Run the network and list the maxima of S."""
    from friedel.candidates.tiling import iter_run, layout

    cut = layout(model, mode)
    try:
        out = yield from iter_run(model, field.maps, field.scaling.k, field.mask, cut)
    except FriedelError:
        raise
    except RuntimeError as error:  # torch's out-of-memory and shape errors
        raise ModelError(f"The model {model.name!r} failed on this stack: {error}") from error
    probability = np.asarray(model.probability(out.s), dtype=np.float32)
    # The scale that makes σ cover its share of the errors, from the model's calibration.
    sigma = None if out.sigma is None else float(model.header.get("sigma_scale", 1.0)) * out.sigma
    table = candidates(out.s, probability, offset=out.offset, sigma=sigma, floor=min(FLOOR, model.threshold))
    extra = {
        "model": model.name,
        "model_sha256": model.sha256,
        "architecture": str(model.header.get("architecture", "")),
        "k_range": [float(v) for v in model.k_range],
        "tiles": asdict(cut),
        "device": str(model.device),
    }
    return table, out.s, probability, extra


def _second_look(
    field: _Field, found: _Found, kind: str, threshold: float, remarks: _Remarks, *, judge: bool
) -> Generator[Progress, None, tuple[pd.DataFrame, dict[str, Any] | None, FittedWaves | None]]:
    """Fit the candidates by multiple scattering, if there is a band to make waves of."""
    from friedel.refit.candidates import (
        DetectedCandidates,
        RefitMaps,
        RefitOptions,
        iter_refit_candidates,
    )
    from friedel.refit.columns import energy_scale, fit_columns
    from friedel.refit.fitted_waves import FittedWaves

    if "mass" not in field.band:
        remarks.add("The positions were not refitted: without a surface band there are no waves to fit.")
        return found[0], None, None
    scaling = field.scaling
    band = Dispersion(*(field.band[name] for name in ("onset_mev", "mass", "broadening_mev")))
    result = yield from iter_refit_candidates(
        DetectedCandidates(*found[:3]),
        RefitMaps(field.maps, band.complex_k(field.bias) * scaling.pixel_nm, field.mask, scaling.pixel_nm),
        RefitOptions(kind, threshold, judge),
    )
    for text in result.remarks:
        remarks.add(text)
    if not result.used:
        return result.table, result.summary(), None
    waves = FittedWaves(
        result.fitted, field.recorded, field.bias, band.complex_k(field.bias) * scaling.pixel_nm, scaling
    )
    energy_ev, per_ev = energy_scale(result.fitted, band, scaling.pixel_nm)
    extra = fit_columns(result.fitted, result.point, result.start, field.mask.shape, per_ev)
    about = result.summary() | {"phase_shift_bias_mv": band.onset_mev + 1e3 * energy_ev}
    return pd.concat([result.table, extra], axis=1), about, waves


def _physical(table: pd.DataFrame, scaling: Scaling, stack: xr.Dataset, area: Area) -> pd.DataFrame:
    """Positions in pixels of the recorded array and in nm; what lies beyond the border is no impurity of this field."""
    corner = np.array([area[0][0], area[1][0]])
    positions = scaling.to_old(table[["row", "column"]].to_numpy(dtype=float).reshape(-1, 2))
    inside = ((positions >= -0.5) & (positions <= np.array(scaling.shape) - 0.5)).all(axis=1)
    table, positions = table.iloc[np.flatnonzero(inside)], positions[inside] + corner
    pitch_y, pitch_x = pixel_pitch(stack)
    y_nm = float(stack["y"][0]) + positions[:, 0] * pitch_y
    x_nm = float(stack["x"][0]) + positions[:, 1] * pitch_x
    tip_x, tip_y = tip_position(stack, x_nm, y_nm)
    columns = {
        "row": positions[:, 0],
        "column": positions[:, 1],
        "x_nm": x_nm,
        "y_nm": y_nm,
        "tip_x_nm": tip_x,
        "tip_y_nm": tip_y,
        "probability": table["probability"].to_numpy(dtype=float),
        "s": table["s"].to_numpy(dtype=float),
        "sigma_nm": table["sigma_px"].to_numpy(dtype=float) * scaling.pixel_nm,
    }
    rest = [name for name in table.columns if name not in ("row", "column", "probability", "s", "sigma_px")]
    return pd.DataFrame(
        {name: columns[name] for name in COLUMNS} | {name: table[name].to_numpy() for name in rest}
    )
