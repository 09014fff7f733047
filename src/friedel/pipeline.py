"""From a stack to impurities, in stages: prepare → find candidates → refit → assemble.

Each stage is a function from one frozen dataclass to the next (`Prepared`, `Candidates`, `FittedCandidates`,
`Detections`). `iter_detect` runs all of them: docks, the command line and `detect` drain the same
generator.
"""

from __future__ import annotations

from dataclasses import replace
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from friedel._util.malloc import keep_freed_memory
from friedel._util.remarks import Remarks
from friedel._util.torch_defaults import with_torch_defaults
from friedel._util.work import Work
from friedel.assembly import assemble
from friedel.channels import need_voltage
from friedel.errors import SettingsError
from friedel.physics.dispersion import Dispersion, as_settings, resolve
from friedel.prepare.stage import prepare
from friedel.progress import Progress, drain, share
from friedel.settings import DetectSettings, PrepareSettings
from friedel.settings.detection import Method, Refit, Tiles, devices_of
from friedel.stack import Area, crop, validate
from friedel.stages import (
    Finder,
    default_refit,
    find_candidates,
    refit_candidates,
    shows_no_waves,
    without_probability,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from concurrent.futures import Executor

    import xarray as xr

    from friedel.detections import Detections
    from friedel.models.registry import Model
    from friedel.models.runtime import DetectionModel

__all__ = [
    "Finder",
    "assemble",
    "detect",
    "find_candidates",
    "iter_detect",
    "iter_detect_with",
    "prepare",
    "refit_candidates",
]


def iter_detect(  # noqa: PLR0913 - the promised keywords, each a setting
    stack: xr.Dataset,
    *,
    channel: str | None = None,
    dispersion: Dispersion | str | None = None,
    model: str | PathLike[str] | Model = "friedel",
    method: Method = "network",
    area: Area | None = None,
    tiles: Tiles = "blend",
    threshold: float | None = None,
    device: str = "auto",
    refit: Refit | None = None,
    prepare: PrepareSettings | bool = True,
    demote_lines: bool = True,
    demote_doubles: bool = True,
    executor: Executor | None = None,
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
        Rows and columns ``((start, stop), (start, stop))`` to search; everything if None.
    tiles : {"blend", "paper"}
        Overlapping tiles without seams, or disjoint patches as in arXiv 2006.15898 (for the network).
    threshold : float, optional
        Probability from which on a candidate is an impurity; the model's own, or 0.95 for the classical methods.
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:0`` or ``mps``; of several, as for `friedel.detect_many`, the first.
    refit : {"none", "quick", "full"}, optional
        Whether what was found is fitted once more, all together, by waves that scatter many times
        (`friedel.refit.candidates`). With a network the fit also revises probabilities: candidates below the threshold
        that the data support (Δχ²) rise above it, impurities that they do not support fall below. "quick" is for
        that and takes up to twice as long as the network; "full" takes ten to forty seconds for 80×80 px and places
        the points better still. By default quick with a network that predicts its position uncertainty σ, in a field
        of enough waves of a known band, and none otherwise. With a single voltage it does not run by default:
        measured fields have more false points with it.
    prepare : PrepareSettings or bool
        What is done to the maps before: bad data, background, lock-in phase (`friedel.prepare`). True for the
        defaults, False for the maps as recorded.
    demote_lines : bool
        Whether points on a line, as of a step edge, are listed with the probability that chance leaves to them.
    demote_doubles : bool
        Whether points that repeat others, as of a double tip, are listed with the probability that chance leaves them.
    executor : concurrent.futures.Executor, optional
        Where maps and tiles are computed: a process pool, or ``dask.distributed.Client(...).get_executor()``; in this
        process if None. The result is the same.

    Yields
    ------
    Progress
        At least once per tile or round.

    Returns
    -------
    Detections
        Positions in pixels of `stack` and in nm, candidates below the threshold included. For the classical
        methods `s` is the matched field T and `probability` its significance over the whole field.

    Raises
    ------
    StackError, PhysicsError, ModelError, SettingsError
        If the stack, the band, the model or a setting cannot be used; the message says what to do.

    Warns
    -----
    FriedelWarning
        For every remark; also kept in ``provenance["warnings"]``.
    """
    settings = DetectSettings(
        method=method, model=_model_text(model), tiles=tiles,
        threshold=threshold, device=_device_text(device), refit=refit, area=area, channel=channel,
        prepare=PrepareSettings.of(prepare), demote_lines=demote_lines, demote_doubles=demote_doubles,
    )  # fmt: skip
    return iter_detect_with(stack, settings, dispersion=dispersion, model=model, executor=executor)


@with_torch_defaults
def iter_detect_with(
    stack: xr.Dataset,
    settings: DetectSettings,
    *,
    dispersion: Dispersion | str | None = None,
    model: str | PathLike[str] | DetectionModel | None = None,
    executor: Executor | None = None,
) -> Generator[Progress, None, Detections]:
    """Find impurities as `iter_detect` does, with all settings in one object.

    Parameters
    ----------
    stack : xarray.Dataset
    settings : DetectSettings
    dispersion : Dispersion or str, optional
        Instead of the settings' band.
    model : str, path or model, optional
        Instead of the settings' model; one of ONNX Runtime is for this process only.
    executor : concurrent.futures.Executor, optional
        Where maps and tiles are computed; in this process if None.

    Yields
    ------
    Progress

    Returns
    -------
    Detections
    """
    validate(stack)
    need_voltage(stack)
    area: Area = settings.area or ((0, stack.sizes["y"]), (0, stack.sizes["x"]))
    band = resolve(settings.band if dispersion is None else dispersion)
    settings = replace(settings, band=as_settings(band))
    remarks = Remarks()
    keep_freed_memory()
    yield Progress(0.0, "reading")
    finder, work = _finder(settings, model, here=executor is None), Work(executor)
    yield Progress(0.02, "sampling")
    prepared = prepare(
        crop(stack, area), settings.channel, band, finder.sampling, settings.prepare, remarks, work
    )
    yield Progress(0.1, "detecting impurities")

    last = {"none": 0.95, "full": 0.3}.get(settings.refit or "quick", 0.6)
    found = yield from share(find_candidates(prepared, finder, work), 0.1, last)
    if settings.threshold is not None:
        found = replace(found, threshold=settings.threshold)
    kind = settings.refit or default_refit(prepared, found)
    fitted = yield from share(
        refit_candidates(prepared, found, kind, remarks, work, finder.refit_device), last, 0.99
    )
    if found.calibrated and prepared.band.origin == "assumed":
        fitted = replace(fitted, candidates=without_probability(fitted.candidates))
    elif shows_no_waves(prepared, fitted):
        fitted = replace(fitted, candidates=without_probability(fitted.candidates))
        remarks.add(
            "The Fourier transform shows no clear Friedel ring of this band, no fit of waves explains the maps, "
            "and no impurity is sure: no probability is listed."
        )
    result = assemble(stack, area, prepared, fitted, settings, remarks)
    yield Progress(1.0, f"{len(result)} impurities")
    return result


def _model_text(model: str | PathLike[str] | Model) -> str:
    """Name or path of a model, for the settings."""
    if isinstance(model, (str, PathLike)):
        return fspath(model)
    name = getattr(model, "name", None)
    if not isinstance(name, str):
        raise SettingsError(f"model must be a name, a path or a Model, not {model!r:.60}.", settings="model")
    return name


def _finder(
    settings: DetectSettings, model: str | PathLike[str] | DetectionModel | None, *, here: bool
) -> Finder:
    if settings.method != "network":
        return Finder(settings.method)
    from friedel.models.light import LightModel
    from friedel.models.runtime import load_for_detection

    chosen, device = settings.model if model is None else model, devices_of(settings.device)[0]
    if not isinstance(chosen, LightModel):
        chosen = load_for_detection(chosen, device, here=here)
    return Finder(settings.method, chosen, settings.tiles)


def detect(  # noqa: PLR0913 - those of iter_detect
    stack: xr.Dataset,
    *,
    channel: str | None = None,
    dispersion: Dispersion | str | None = None,
    model: str | PathLike[str] | Model = "friedel",
    method: Method = "network",
    area: Area | None = None,
    tiles: Tiles = "blend",
    threshold: float | None = None,
    device: str = "auto",
    refit: Refit | None = None,
    prepare: PrepareSettings | bool = True,
    demote_lines: bool = True,
    demote_doubles: bool = True,
    executor: Executor | None = None,
) -> Detections:
    """Find impurities; takes what `iter_detect` takes and gives what it returns.

    Examples
    --------
    >>> stack = friedel.simulate(seed=1)                       # doctest: +SKIP
    >>> found = friedel.detect(stack, dispersion="au111")      # doctest: +SKIP
    >>> found.impurities[["x_nm", "y_nm", "probability"]]      # doctest: +SKIP
    """
    return drain(
        iter_detect(
            stack, channel=channel, dispersion=dispersion, model=model, method=method, area=area, tiles=tiles,
            threshold=threshold, device=device, refit=refit, prepare=prepare,
            demote_lines=demote_lines, demote_doubles=demote_doubles, executor=executor,
        )
    )  # fmt: skip


def _device_text(device: Any) -> str:
    """A `torch.device` as its name."""
    return device if isinstance(device, str) else str(device)
