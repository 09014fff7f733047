"""From a stack to impurities: channel, sampling, network or matched field, points with physical positions.

`iter_detect` is the one way in: docks, the command line and `detect` drain the same generator.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

import friedel
from friedel._util.malloc import keep_freed_memory
from friedel.candidates.peaks import candidates
from friedel.classical import detect as classical
from friedel.detections import COLUMNS, Check, Detections
from friedel.dispersion_fit.fourier_ring import fit_dispersion
from friedel.errors import FriedelError, FriedelWarning, ModelError, PhysicsError, StackError
from friedel.physics.dispersion import Dispersion, resolve
from friedel.prepare.channel import choose
from friedel.prepare.checks import Facts, check_all
from friedel.prepare.prepared import Prepared
from friedel.prepare.run import clean, flatten
from friedel.prepare.settings import PrepareSettings
from friedel.prepare.step import Step
from friedel.prepare.topograph import wave_of
from friedel.progress import Progress, drain, share
from friedel.resample import Scaling, plan
from friedel.stack import Area, crop, make_stack, normalise, pixel_pitch, tip_position, validate

if TYPE_CHECKING:
    from friedel.models.registry import Model

METHODS = ("network", "matched-field", "omp")
REFITS = ("none", "quick", "full")

#: Half wavelengths a field should hold along its shorter side; the paper's patches of 20 px hold 4 to 6.
LEAST_WAVES = 4
#: Candidates less probable than this are not listed.
FLOOR = 0.01
#: Checks whose failure the steps before have already said.
_REMARKED = ("field size",)
#: The preparation by default, and none.
_PREPARE = PrepareSettings()
_AS_RECORDED = PrepareSettings(bad_data=False, background="none", row_offsets=False, extended=False)


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
    energy: np.ndarray  # (bias,) [meV] at which k is taken; 0 for a topograph whose waves are at k_F
    fit_mask: np.ndarray  # `mask` without what was interpolated
    prepared: Prepared
    out_of_band: float  # share of the voltages outside the band


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
    prepare: PrepareSettings | bool = True,
) -> Generator[Progress, None, Detections]:
    """Find impurities; a generator that can be stopped between any two steps.

    Parameters
    ----------
    stack : xarray.Dataset
        See `friedel.stack`.
    channel : str, optional
        The dI/dV channel, or an image such as the topograph "Z". If None, the lock-in channel by rule, else the
        topograph of a stack of one voltage, else the numerical derivative of the current.
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
        (`friedel.detection.second_look`). With a network the fit also judges: candidates below the threshold that the
        waves need rise above it, impurities that they do not need fall below. "quick" is for that and takes up to twice
        as long as the network; "full" takes ten to forty seconds for 80×80 px and places the points better still. By
        default quick with a network that knows how far it can be trusted (it gives a σ), in a field of enough waves of
        a known band, and none otherwise. With a single voltage it does not run by default: measured fields have
        more false points with it.
    prepare : PrepareSettings or bool
        What is done to the maps before: bad data, background, lock-in phase (`friedel.prepare`). True for the
        defaults, False for the maps as recorded.

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
    settings = PrepareSettings() if prepare is True else prepare or None
    field = _prepare(crop(stack, area), channel, band, k_range, k_mean, remarks, settings)
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
    if refit is None:
        knows = judge and "mass" in field.band and bool(np.isfinite(table["sigma_px"]).any())
        knows = knows and len(field.bias) > 1
        refit = "quick" if knows else "none"
    if refit != "none":
        again = _second_look(field, found, refit, threshold, remarks, judge=judge)
        table, extra["refit"] = yield from share(again, last, 0.99)
    if network is not None and field.band.get("origin") == "assumed":
        # Without a band and a ring S is no probability: candidates are listed by S alone.
        table, probability = table.assign(probability=np.nan), np.full_like(probability, np.nan)
    checks = check_all(_facts(field, table, float(threshold), extra, method == "network"))
    for check in checks:
        if not check.passed and check.name not in _REMARKED:
            remarks.add(check.sentence)
    result = Detections(
        checks=checks,
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
            "energy_mev": [float(v) for v in field.energy],
            "prepare": field.prepared.summary() if settings else None,
            "checks": [_plain(check) for check in checks],
            "k_rad_per_px": [float(field.scaling.k.min()), float(field.scaling.k.max())],
            "rescale": [float(v) for v in field.scaling.step],
            "pixel_nm": float(field.scaling.pixel_nm),
            "area": [list(area[0]), list(area[1])],
            "threshold": float(threshold),
            "warnings": list(remarks),
        },
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
    settings: PrepareSettings | None = _PREPARE,
) -> _Field:
    """Choose the channel, drop bad data and empty voltages, find k, flatten, resample, normalise."""
    given = settings or _AS_RECORDED
    chosen = choose(stack, channel, given)
    if chosen.derived:
        remarks.add(
            f"dI/dV is the numerical derivative of {chosen.name!r}: the stack has no lock-in channel."
        )
    steps = [Step("channel", 0, chosen.sentence)] if chosen.sentence else []
    if not np.isfinite(chosen.values).any():
        raise StackError(f"The channel {chosen.name!r} holds no acquired pixel in this area.")
    cleaned = clean(chosen.values, given, didv=settings is not None and not chosen.topograph)
    if not len(cleaned.keep):
        raise StackError(f"In no pixel of this area was {chosen.name!r} acquired at every voltage.")
    pitch, bias = pixel_pitch(stack), chosen.bias_mv[cleaned.keep]
    energy = bias
    if chosen.topograph and len(bias) == 1 and band is not None:
        wave = wave_of(cleaned.maps[0], float(bias[0]), band, pitch)
        energy = np.array([wave.energy_mev])
        steps.append(Step("wavevector", wave.energy_mev, wave.sentence))
    shape = (cleaned.maps.shape[1], cleaned.maps.shape[2])
    scaling, origin = _sampling(cleaned.maps, energy, band, pitch, shape, k_range, k_mean, remarks)
    used = scaling.keep
    cleaned = cleaned.chosen(used)
    k = scaling.k / scaling.pixel_nm if "mass" in origin else None
    prepared = flatten(cleaned, k, pitch, given)
    prepared = replace(prepared, steps=(*steps, *prepared.steps))
    for step in prepared.steps:
        if step.notable:
            remarks.add(step.sentence)
    known = np.isfinite(prepared.maps).all(axis=0)
    if not known.any():
        raise StackError(f"In no pixel of this area was {chosen.name!r} acquired at every voltage.")
    if known.mean() < 0.999:
        remarks.add(
            f"{100 * (1 - known.mean()):.0f} % of the pixels were not acquired; nothing is looked for there."
        )
    values = normalise(np.where(known, prepared.maps, np.nan))
    maps, mask = scaling.resample(values)
    fit_mask = (
        mask & scaling.resample(np.where(prepared.filled, np.nan, values))[1]
        if prepared.filled.any()
        else mask
    )
    if not scaling.identity or not mask.all():
        maps = np.nan_to_num(normalise(np.where(mask, maps, np.nan)), copy=False)
    return _Field(
        maps, mask, scaling, chosen.name, chosen.derived, bias[used], origin, energy[used], fit_mask,
        prepared, _out_of_band(band, energy),
    )  # fmt: skip


def _plain(check: Check) -> dict[str, Any]:
    """A check as JSON types; a value that could not be measured is None."""
    return {name: None if value != value else value for name, value in asdict(check).items()}


def _out_of_band(band: Dispersion | None, energy: np.ndarray) -> float:
    return 0.0 if band is None else float((~np.isfinite(band.k(energy))).mean())


def _facts(
    field: _Field, table: pd.DataFrame, threshold: float, extra: dict[str, Any], calibrated: bool
) -> Facts:
    """What the checks rest on."""
    sure = table[table["probability"].to_numpy(float) >= threshold]
    about = extra.get("refit") or {}
    reported = max(int(about.get("reported", 0)), 1)
    return Facts(
        positions=sure[["row", "column"]].to_numpy(float),
        probability=sure["probability"].to_numpy(float),
        shape=(int(field.mask.shape[0]), int(field.mask.shape[1])),
        area_px=float(field.mask.sum()),
        half_px=float(np.pi / np.median(field.scaling.k)),
        recorded_half_px=float(np.pi / np.median(field.scaling.k) * min(field.scaling.step)),
        voltages=len(field.bias),
        voltages_out=field.out_of_band,
        lost=field.prepared.lost,
        band_given="mass" in field.band,
        ring=field.prepared.ring,
        dropped=about["dropped_sure"] / reported if "dropped_sure" in about else float("nan"),
        calibrated=calibrated,
    )


def _sampling(
    maps: np.ndarray,
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
    fit = fit_dispersion(make_stack({"dI/dV": maps}, bias_mv=bias, pixel_nm=pitch))
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
        "no probability is listed. Give --material, or --onset-mev and --mass."
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
) -> Generator[Progress, None, tuple[pd.DataFrame, dict[str, Any] | None]]:
    """Fit the candidates by multiple scattering, if there is a band to make waves of."""
    from friedel.detection.second_look import iter_second_look

    if "mass" not in field.band:
        remarks.add("The positions were not refitted: without a surface band there are no waves to fit.")
        return found[0], None
    scaling = field.scaling
    band = Dispersion(*(field.band[name] for name in ("onset_mev", "mass", "broadening_mev")))
    table, about, texts = yield from iter_second_look(
        *found[:3],
        field.maps,
        band.complex_k(field.energy) * scaling.pixel_nm,
        field.fit_mask,
        kind=kind,
        threshold=threshold,
        pixel_nm=scaling.pixel_nm,
        judge=judge,
    )
    for text in texts:
        remarks.add(text)
    return table, about


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
    return pd.DataFrame({name: columns[name] for name in COLUMNS})
