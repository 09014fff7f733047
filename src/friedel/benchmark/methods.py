"""Every method behind one call, so that one run compares them all.

Each method is told the surface band, as a user who knows the material would tell it. It gives all its
candidates with a score, and the threshold it would use by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from friedel.errors import FriedelError
from friedel.progress import drain
from friedel.stack import didv, normalise, pixel_pitch

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from friedel.detections import Detections
    from friedel.physics.dispersion import Dispersion
    from friedel.resample import Scaling
    from friedel.settings.detection import Method, Refit


@dataclass(frozen=True)
class Found:
    """Candidates of one field.

    Parameters
    ----------
    positions : array, shape (n, 2)
        (row, column) [px] of the file.
    score : array, shape (n,)
        What the method ranks by.
    probability : array, shape (n,)
        NaN where the method has none.
    sigma_px : array, shape (n,)
        Standard deviation of the position per axis [px]; NaN where the method has none.
    threshold : float
        Default threshold of `probability`; NaN where the method has none.
    """

    positions: np.ndarray
    score: np.ndarray
    probability: np.ndarray
    sigma_px: np.ndarray
    threshold: float

    @property
    def accepted(self) -> np.ndarray:
        """Which candidates the default threshold takes."""
        with np.errstate(invalid="ignore"):
            return self.probability >= self.threshold


def by_network(model: str, *, refit: Refit | None = None) -> Callable[[xr.Dataset, Dispersion], Found]:
    """Return the network of that name as a method, with the refit that `detect` takes by default or with another one.

    It ranks by S, or, where a refit has revised it, by the probability; a point of which none is known comes last.
    """

    def find(stack: xr.Dataset, dispersion: Dispersion) -> Found:
        from friedel.pipeline import detect

        return _of(detect(stack, dispersion=dispersion, model=model, refit=refit), stack)

    return find


def by_classical(name: Method) -> Callable[[xr.Dataset, Dispersion], Found]:
    """Return a classical method on maps that were prepared as for the network, with the rule of fields without a ring.

    `matched_field` and `by_omp` see the maps as they were recorded.
    """

    def find(stack: xr.Dataset, dispersion: Dispersion) -> Found:
        from friedel.pipeline import detect

        return _of(detect(stack, dispersion=dispersion, method=name), stack)

    return find


def _of(found: Detections, stack: xr.Dataset) -> Found:
    """What a detection found."""
    table = found.table
    rank = table["probability" if "refit" in found.provenance else "s"].to_numpy(float)
    return Found(
        table[["row", "column"]].to_numpy(float),
        np.nan_to_num(rank, nan=0.0),
        table["probability"].to_numpy(float),
        table["sigma_nm"].to_numpy(float) / float(np.sqrt(np.prod(pixel_pitch(stack)))),
        found.threshold,
    )


def laplacian(stack: xr.Dataset, dispersion: Dispersion) -> Found:
    """Laplacian of Gaussian: blobs of the size of half a Friedel wavelength, of either sign, over all maps.

    The usual blob finder, which knows nothing of waves. Its statistic is the root mean square over the maps.
    """
    maps = normalise(didv(stack).to_numpy())
    half = (
        np.pi / float(np.nanmean(dispersion.k(stack["bias"].to_numpy()))) / float(np.mean(pixel_pitch(stack)))
    )
    width = max(0.8, 0.33 * half)
    known = np.isfinite(maps).all(axis=0)
    filtered = np.stack([ndimage.gaussian_laplace(np.where(known, one, 0), width) for one in maps])
    return _maxima(np.sqrt((filtered**2).mean(axis=0)), np.where(known, 0.0, np.nan))


def matched_field(stack: xr.Dataset, dispersion: Dispersion) -> Found:
    """Matched field over all voltages; every local maximum is a candidate, however weak."""
    from friedel.candidates.peaks import candidates
    from friedel.classical import detect as classical

    maps, mask, scaling = _sampled(stack, dispersion, classical.K_RANGE)
    found = drain(classical.iter_matched_field(maps, scaling.k, mask))
    table = candidates(found.s, found.probability)
    return Found(
        scaling.to_old(table[["row", "column"]].to_numpy(float).reshape(-1, 2)),
        table["s"].to_numpy(float),
        table["probability"].to_numpy(float),
        np.full(len(table), np.nan),
        classical.THRESHOLD,
    )


#: OMP goes on below its default significance, so that its best cut can lie there too.
OMP_SIGNIFICANCE = 0.5


def by_omp(*, pooling: bool = True) -> Callable[[xr.Dataset, Dispersion], Found]:
    """Return the matched field with a joint least-squares refit as a method.

    With `pooling` maps whose waves are in step are averaged first, a short cut of ours; without, every map is fitted.
    """

    def find(stack: xr.Dataset, dispersion: Dispersion) -> Found:
        from friedel.classical import detect as classical

        maps, mask, scaling = _sampled(stack, dispersion, classical.K_RANGE)
        work = classical.iter_omp(maps, scaling.k, mask, least_significance=OMP_SIGNIFICANCE, pooling=pooling)
        table = drain(work).table
        return Found(
            scaling.to_old(table[["row", "column"]].to_numpy(float).reshape(-1, 2)),
            table["s"].to_numpy(float),
            table["probability"].to_numpy(float),
            table["sigma_px"].to_numpy(float) * float(np.mean(scaling.step)),
            classical.THRESHOLD,
        )

    return find


#: Name → method, in the order of the tables.
METHODS: dict[str, Callable[[xr.Dataset, Dispersion], Found]] = {
    "log": laplacian,
    "matched-field": matched_field,
    "omp": by_omp(),
    "omp-each": by_omp(pooling=False),
    "matched-field-prepared": by_classical("matched-field"),
    "omp-prepared": by_classical("omp"),
    "paper": by_network("paper"),
    "friedel": by_network("friedel"),
    "friedel-network": by_network("friedel", refit="none"),
    "friedel+refit": by_network("friedel", refit="full"),
}


def method(name: str) -> Callable[[xr.Dataset, Dispersion], Found]:
    """Return a method by name; any other name is that of a model or its file.

    Raises
    ------
    FriedelError
        If there is neither.
    """
    if name in METHODS:
        return METHODS[name]
    from friedel.models.registry import load_model

    try:
        load_model(name, "cpu")
    except FriedelError as error:
        raise FriedelError(
            f"{name!r} is neither a method ({', '.join(METHODS)}) nor a model: {error}"
        ) from error
    return by_network(name)


def _sampled(
    stack: xr.Dataset, dispersion: Dispersion, k_range: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, Scaling]:
    from friedel.resample import plan

    values = didv(stack).to_numpy()
    shape = (values.shape[1], values.shape[2])
    scaling = plan(dispersion.k(stack["bias"].to_numpy()), pixel_pitch(stack), shape, k_range)
    maps, mask = scaling.resample(normalise(values[scaling.keep]))
    return np.nan_to_num(normalise(np.where(mask, maps, np.nan))), mask, scaling


def _maxima(statistic: np.ndarray, hole: np.ndarray) -> Found:
    from friedel._util.local_maxima import local_maxima
    from friedel.candidates.peaks import refine

    statistic = statistic + hole
    peaks = local_maxima(statistic)
    nothing = np.full(len(peaks), np.nan)
    score = statistic[peaks[:, 0], peaks[:, 1]]
    return Found(refine(statistic, peaks), score, nothing, nothing, float("nan"))
