"""Significance of the matched field T over a field, with the null distribution taken from the data themselves.

Real noise is neither white nor independent from map to map: height jitter is common to all voltages, rows and drift
correlate neighbours, the waves of distant scatterers are everywhere. Surrogates keep all of that: the Fourier phases of
the maps are replaced by random ones, the same for every map, so that each power spectrum and every correlation between
maps stays, and only what is concentrated at a place is lost (Prichard and Theiler, Phys. Rev. Lett. 73, 951 (1994)).

The maxima of T in the surrogates have an exponential tail (Pickands, Ann. Stat. 3, 119 (1975), with shape 0). With m
maxima above the level u, which exceed it by β on average, in S surrogates, a field without scatterers has on average
N(T) = (m/S) exp(−(T − u)/β) maxima as high as T, and the significance is exp(−N).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from friedel._util.local_maxima import local_maxima
from friedel.classical.matched_field import Template, iter_statistic
from friedel.progress import Progress, share
from friedel.stack import normalise

if TYPE_CHECKING:
    from collections.abc import Generator


@dataclass(frozen=True)
class SurrogateConstants:
    """Numbers of the null distribution.

    Parameters
    ----------
    count : int
        Surrogates: S.
    tail : int
        Maxima per surrogate that the tail is fitted to.
    seed : int
        Of their phases: the same data give the same answer.
    """

    count: int = 4
    tail: int = 12
    seed: int = 0


SURROGATES = SurrogateConstants()


@dataclass(frozen=True)
class SurrogateNull:
    """Tail of the maxima of T without scatterers.

    Parameters
    ----------
    level, excess : float
        u and β.
    per_field : float
        m/S, maxima above `level` per field.
    """

    level: float
    excess: float
    per_field: float

    def significance(self, t: np.ndarray) -> np.ndarray:
        """Probability that a field without scatterers has no maximum as high as `t`, 0 to 1, float32; NaN stays NaN.

        Below `level` it is that of `level`, which is next to 0.
        """
        above = np.maximum(np.asarray(t, float) - self.level, 0)
        return np.asarray(np.exp(-self.per_field * np.exp(-above / self.excess)), np.float32)

    @classmethod
    def of(cls, heights: list[np.ndarray]) -> SurrogateNull:
        """From the maxima of each surrogate, highest first."""
        most = min(SURROGATES.tail * len(heights), sum(len(one) for one in heights) - 1)
        every = np.sort(np.concatenate(heights))[::-1]
        if most < 1:  # a field without a maximum
            return cls(float(every.max(initial=0.0)), 1.0, float(len(every)) / max(len(heights), 1))
        level = float(every[most])
        excess = max(float((every[:most] - level).mean()), 1e-9)
        return cls(level, excess, most / len(heights))


def iter_surrogate_null(
    maps: np.ndarray, k: np.ndarray, mask: np.ndarray, template: Template | None = None
) -> Generator[Progress, None, SurrogateNull]:
    """Null distribution of the statistic of these maps.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        Mean 0, root mean square 1.
    k : array, shape (bias,)
        Wavevectors [rad/px].
    mask : array of bool, shape (rows, columns)
        Pixels that count.
    template : Template, optional

    Yields
    ------
    Progress
    """
    random = np.random.default_rng(SURROGATES.seed)
    heights = []
    for number in range(SURROGATES.count):
        surrogate = normalise(np.where(mask, phases_drawn(np.where(mask, maps, 0), random), np.nan))
        work = iter_statistic(surrogate, k, mask, template=template)
        t = yield from share(work, number / SURROGATES.count, (number + 1) / SURROGATES.count)
        t = np.where(mask, t, np.nan)
        peaks = local_maxima(t, min_distance=2)
        heights.append(t[tuple(peaks.T)].astype(float))
    return SurrogateNull.of(heights)


def phases_drawn(maps: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Maps of the same power and cross spectra with other phases; every map's phases change by the same."""
    shape = maps.shape[1:]
    # Those of noise have the symmetry that a real map needs.
    phase = np.fft.rfft2(random.normal(size=shape))
    phase /= np.maximum(np.abs(phase), 1e-30)
    phase[0, 0] = 1
    return np.asarray(np.fft.irfft2(np.fft.rfft2(maps) * phase, s=shape))
