"""Binning of adjacent bias voltages: fewer maps, of less noise, that hold nearly as much information."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from friedel._util.big_maps import allocate, release
from friedel._util.voltage_bins import bins_by_count


@dataclass(frozen=True)
class BinningConstants:
    """Numbers of the binning.

    Parameters
    ----------
    max_width_rad_per_px : float
        Bins are made narrower than this, if need be, by up to twice as many of them: four half waves off, a map over
        so wide a range of wavevectors still has three quarters of its amplitude.
    """

    max_width_rad_per_px: float = 0.08


BINNING = BinningConstants()


@dataclass(frozen=True, eq=False)
class BinnedMaps:
    """Maps of several voltages each.

    Parameters
    ----------
    maps : array, shape (V, rows, columns)
    k : array of complex, shape (V,)
        Their mean wavevectors [rad/px].
    blur : array, shape (V,)
        Standard deviation of the wavevectors of each [rad/px]: far from a scatterer its waves wash out in the mean.
    time : array, shape (V,)
        When they were taken: 0 half-way through all maps, in the order of k, and 1 at the last of these.
    """

    maps: np.ndarray
    k: np.ndarray
    blur: np.ndarray
    time: np.ndarray

    @classmethod
    def unbinned(cls, maps: np.ndarray, k: np.ndarray) -> BinnedMaps:
        """One voltage per map, taken at equal intervals."""
        return cls(maps, np.asarray(k, complex), np.zeros(len(k)), even_times(np.asarray(k)))

    def crop(self, area: tuple[slice, slice]) -> BinnedMaps:
        """The same of some rows and columns."""
        part = np.ascontiguousarray(self.maps[(slice(None), *area)])
        return BinnedMaps(np.asarray(part), self.k, self.blur, self.time)


def bin_bias(maps: np.ndarray, k: np.ndarray, bins: int) -> BinnedMaps:
    """Average adjacent voltages, in the order of k, into at most `bins` maps of equally many.

    Into up to twice as many, if bins were wider than `BinningConstants.max_width_rad_per_px` otherwise.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
    k : array of complex, shape (bias,)
        Wavevectors [rad/px].
    bins : int
    """
    width = BINNING.max_width_rad_per_px
    return average_into(maps, k, int(np.clip(np.ceil(np.ptp(np.real(k)) / width), bins, 2 * bins)))


def average_into(maps: np.ndarray, k: np.ndarray, count: int) -> BinnedMaps:
    """Average adjacent voltages into `count` maps, or as many as there are; other parameters as `bin_bias`."""
    parts = bins_by_count(k, count)
    mean = allocate((len(parts), *maps.shape[1:]), np.float32)
    for number, part in enumerate(parts):
        mean[number] = maps[part].mean(axis=0)
        release(maps, mean)
    wavevector, blur = np.array([(k[part].mean(), k[part].real.std()) for part in parts]).T
    rank = np.array([part.mean() for part in np.array_split(np.arange(len(k)), len(parts))])
    rank -= (len(k) - 1) / 2
    return BinnedMaps(mean, wavevector, blur.real, rank / max(rank.max(), 1e-9))


def even_times(k: np.ndarray) -> np.ndarray:
    """When maps of these wavevectors are taken at equal intervals: from −1 to 1; a single one is half-way."""
    rank = np.argsort(np.argsort(np.real(k), kind="stable"), kind="stable")
    return np.asarray(2 * rank / max(len(k) - 1, 1) - (len(k) > 1))
