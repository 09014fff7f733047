"""The classical baseline: a matched field over all voltages, with the dispersion known.

At every pixel the two wave templates c and s (the real and imaginary part of H₀⁽¹⁾(kr)² for the LDOS around a
scatterer, of e^{2ikr}/(r+ε)² for Eq. 3 of arXiv 2006.15898) are fitted to each map by least squares. The energy they
explain, summed over voltages, is the generalised likelihood ratio

    T(r₀) = Σ_i (G_ss y_c² − 2 G_cs y_c y_s + G_cc y_s²) / (G_cc G_ss − G_cs²) / σ_i²,

where y_c, y_s are the correlations of map i with the templates and G the templates' products over the acquired
pixels; in white noise T is χ² with two degrees of freedom per voltage (matched-subspace detector: Scharf and
Friedlander, IEEE Trans. Signal Process. 42, 2146 (1994)). All sums are correlations, hence done by FFT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft
from scipy.special import hankel1

from friedel._util import chi2
from friedel._util.threads import cores, each
from friedel._util.voltage_bins import bins_by_width
from friedel.errors import PhysicsError
from friedel.progress import Progress, drain
from friedel.stack import normalise

if TYPE_CHECKING:
    from collections.abc import Generator

#: A template reaches this far [px]: beyond it little energy is left and the wave has lost its coherence.
REACH = 48

TEMPLATES = ("ldos", "eq3")


@dataclass(frozen=True)
class Template:
    """The wave around one scatterer, as a complex function of the distance.

    Parameters
    ----------
    kind : {"ldos", "eq3"}
        H₀⁽¹⁾(kr)², the single-energy LDOS (decays as 1/r), or the pair of Eq. 3 (1/(r+ε)²).
    core : float
        Within this distance [px] nothing is universal: the template is zero there and rises to its full size over
        one pixel.
    epsilon : float
        ε of Eq. 3 [px].
    """

    kind: str = "ldos"
    core: float = 0.5
    epsilon: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in TEMPLATES:
            raise PhysicsError(f"Unknown template {self.kind!r}; known are {', '.join(TEMPLATES)}.")

    def __call__(self, r: np.ndarray, k: float) -> np.ndarray:
        """Complex template at the distances `r` [px] for the wavevector `k` [rad/px]."""
        taper = np.clip(r - self.core, 0, 1)
        if self.kind == "eq3":
            return taper * np.exp(2j * k * r) / (r + self.epsilon) ** 2
        # r is floored where the taper has made the template zero anyway: H₀ diverges at 0.
        result: np.ndarray = taper * _hankel_squared(k * np.maximum(r, 0.25))
        return result


_X = np.concatenate([np.geomspace(1e-3, 0.5, 400, endpoint=False), np.arange(0.5, 400, 0.01)])
_ENVELOPE = (
    hankel1(0, _X) * np.exp(-1j * _X)
) ** 2 * _X  # varies slowly, so that a straight line between nodes is exact


def _hankel_squared(x: np.ndarray) -> np.ndarray:
    """H₀⁽¹⁾(x)² from a table; about ten times faster than `hankel1`."""
    x = np.asarray(x, dtype=float)
    envelope = np.interp(x, _X, _ENVELOPE.real) + 1j * np.interp(x, _X, _ENVELOPE.imag)
    result: np.ndarray = envelope * np.exp(2j * x) / x
    return result


def pool(
    maps: np.ndarray, k: np.ndarray, *, reach: float = 20.0, phase: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Average neighbouring voltages whose waves are still in step, by their phase at a distance.

    The refit bins by number instead: its model knows the wavevectors of every bin, so that bins may be wider; the
    templates here do not.

    A scatterer's phase moves slowly with energy, hence maps whose wavevectors differ by less than
    ``phase / (2 reach)`` show the same wave with independent noise. Their average keeps the wave and loses noise: the
    phase's continuity in energy, which is worth several times the signal energy. Not for Eq. 3 as published, whose
    phases are random from voltage to voltage.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
    k : array, shape (bias,)
        Wavevectors [rad/px].
    reach : float
        Distance [px] within which the waves must stay in step.
    phase : float
        Largest phase difference within a group at that distance [rad].

    Returns
    -------
    maps : array, shape (groups, rows, columns), float32
        Mean 0, root mean square 1; NaN stays NaN.
    k : array, shape (groups,)
        Mean wavevector of each group.
    """
    k = np.asarray(k, dtype=float)
    bins = bins_by_width(k, phase / (2 * reach))
    return normalise(np.stack([maps[one].mean(axis=0) for one in bins])), np.array(
        [k[one].mean() for one in bins]
    )


def iter_statistic(
    maps: np.ndarray,
    k: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    template: Template | None = None,
    noise: np.ndarray | None = None,
    reach: int = REACH,
) -> Generator[Progress, None, np.ndarray]:
    """Compute T at every pixel; see `statistic`. As many maps at a time as there are cores."""
    template = template or Template()
    maps = np.asarray(maps, dtype=np.float32)
    count, rows, columns = maps.shape
    known = np.isfinite(maps).all(axis=0) if mask is None else np.asarray(mask, dtype=bool)
    weight = known.astype(np.float32)
    noise = np.ones(count) if noise is None else np.asarray(noise, dtype=float)
    reach = int(min(reach, np.hypot(rows, columns)))
    shape = (fft.next_fast_len(rows + reach, real=True), fft.next_fast_len(columns + reach, real=True))
    y_axis, x_axis = (np.minimum(np.arange(n), n - np.arange(n)) for n in shape)
    # A radial template is even: a quarter of it holds everything.
    quarter = np.hypot(*np.mgrid[: reach + 1, : reach + 1])
    inside = quarter <= reach
    y_index, x_index = np.minimum(y_axis, reach + 1), np.minimum(x_axis, reach + 1)

    def spectrum(values: np.ndarray) -> np.ndarray:
        padded = np.zeros((reach + 2, reach + 2), dtype=np.float32)
        padded[:-1, :-1] = np.where(inside, values, 0)
        result: np.ndarray = fft.rfft2(padded[y_index[:, None], x_index[None, :]]).real
        return result

    def correlate(field: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        result: np.ndarray = fft.irfft2(field * kernel, s=shape)[:rows, :columns]
        return result

    mask_spectrum = fft.rfft2(weight, s=shape)
    total = np.zeros((rows, columns), dtype=np.float32)
    at_once = cores()
    some = np.empty((at_once, rows, columns), dtype=np.float32)

    def fill(index: int) -> None:
        wave = template(quarter, float(k[index]))
        map_spectrum = fft.rfft2(np.where(known, maps[index], 0), s=shape)
        y_c = correlate(map_spectrum, spectrum(wave.real))
        y_s = correlate(map_spectrum, spectrum(wave.imag))
        g_cc = correlate(mask_spectrum, spectrum(wave.real**2))
        g_ss = correlate(mask_spectrum, spectrum(wave.imag**2))
        g_cs = correlate(mask_spectrum, spectrum(wave.real * wave.imag))
        determinant = g_cc * g_ss - g_cs**2
        # Where almost no acquired pixel lies within reach the fit is void.
        fair = determinant > 0.01 * determinant.max()
        explained = g_ss * y_c**2 - 2 * g_cs * y_c * y_s + g_cc * y_s**2
        some[index % at_once] = (
            np.where(fair, explained / np.where(fair, determinant, 1), 0) / noise[index] ** 2
        )

    for first in range(0, count, at_once):
        after = min(first + at_once, count)
        each(fill, range(first, after))
        total += some[: after - first].sum(axis=0)
        yield Progress(after / count, "matched field")
    return total


def statistic(
    maps: np.ndarray,
    k: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    template: Template | None = None,
    noise: np.ndarray | None = None,
    reach: int = REACH,
) -> np.ndarray:
    """Energy that a scatterer's waves at a pixel explain, summed over voltages.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        Mean 0, root mean square 1 (`friedel.stack.normalise`).
    k : array, shape (bias,)
        Wavevectors [rad/px].
    mask : array of bool, shape (rows, columns), optional
        Pixels to use; those finite at every voltage if None.
    template : Template, optional
        The LDOS around a scatterer by default.
    noise : array, shape (bias,), optional
        Standard deviation of each map's noise; 1, the whole map, if None. That is too much where there is signal,
        and `significance` does not rely on it.
    reach : int
        The template's radius [px].

    Returns
    -------
    array, shape (rows, columns), float32
        T; also between the acquired pixels, where the waves around allow it.
    """
    return drain(iter_statistic(maps, k, mask, template=template, noise=noise, reach=reach))


def significance(t: np.ndarray, dof: int, mask: np.ndarray | None = None) -> np.ndarray:
    """Probability that nowhere in an empty field T gets as high as here.

    In white noise of known size T is χ²(dof). In a real field rows, drift and the waves of the other scatterers
    raise T everywhere, and make it vary more. Scale and degrees of freedom are therefore fitted to the lower 40 %
    of the field's own T, where no scatterer sits (never below the scale of white noise and never above `dof`), and
    the tail beyond T is multiplied by the number of pixels (Bonferroni): ``exp(−pixels · p)``.

    Parameters
    ----------
    t : array, shape (rows, columns)
    dof : int
        Degrees of freedom in white noise: two per voltage.
    mask : array of bool, optional
        Pixels that count.

    Returns
    -------
    array, shape (rows, columns), float32, 0 to 1
        It is a significance over the whole field, not the share of true points among those with this value.
    """
    values = np.asarray(t, dtype=float)
    known = np.isfinite(values) & (values > 0) if mask is None else np.asarray(mask, bool) & (values > 0)
    if known.sum() < 16:
        return np.zeros(values.shape, dtype=np.float32)
    scale, effective = null_distribution(values[known], dof)
    tail = chi2.sf(values / scale, effective)
    result: np.ndarray = np.exp(-known.sum() * tail).astype(np.float32)
    return result


def null_distribution(values: np.ndarray, dof: int) -> tuple[float, float]:
    """Scale and degrees of freedom of the scaled χ² that the lower 40 % of `values` follow."""
    low, high = np.quantile(values, [0.1, 0.4])
    grid = np.geomspace(1, dof, 60)
    ratio = chi2.ppf(0.4, grid) / chi2.ppf(0.1, grid)  # falls with the degrees of freedom
    effective = float(np.interp(-high / max(low, 1e-12), -ratio, grid))
    return max(1.0, float(high / chi2.ppf(0.4, effective))), effective
