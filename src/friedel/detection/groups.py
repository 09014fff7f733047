"""Neighbouring voltages averaged: fewer maps, of less noise, that hold nearly as much."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

#: Groups of voltages are made narrower than this [rad/px], if need be, by up to twice as many of them: four half waves
#: off, a map over so wide a range of wavevectors still has three quarters of its amplitude.
WIDEST = 0.08


class Groups(NamedTuple):
    """Maps of several voltages each.

    Attributes
    ----------
    maps : array, shape (groups, rows, columns)
    k : array of complex, shape (groups,)
        Their mean wavevectors [rad/px].
    blur : array, shape (groups,)
        Standard deviation of the wavevectors of each [rad/px]: far from a scatterer its waves wash out in the mean.
    time : array, shape (groups,)
        When they were taken: 0 half-way through all maps, in the order of k, and 1 at the last of these.
    """

    maps: np.ndarray
    k: np.ndarray
    blur: np.ndarray
    time: np.ndarray


def average(maps: np.ndarray, k: np.ndarray, groups: int) -> Groups:
    """Average neighbouring voltages, in the order of k, into at most `groups` maps of equally many.

    Into up to twice as many, if groups were wider than `WIDEST` otherwise.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
    k : array of complex, shape (bias,)
        Wavevectors [rad/px].
    groups : int
    """
    order = np.argsort(np.real(k), kind="stable")
    wanted = int(np.clip(np.ceil(np.ptp(np.real(k)) / WIDEST), groups, 2 * groups))
    parts = np.array_split(order, min(wanted, len(order)))
    mean = np.stack([maps[part].mean(axis=0) for part in parts]).astype(np.float32)
    wavevector, blur = np.array([(k[part].mean(), k[part].real.std()) for part in parts]).T
    rank = np.array([part.mean() for part in np.array_split(np.arange(len(order)), len(parts))])
    rank -= (len(order) - 1) / 2
    return Groups(mean, wavevector, blur.real, rank / max(rank.max(), 1e-9))


def even_times(k: np.ndarray) -> np.ndarray:
    """When maps of these wavevectors are taken at equal intervals: from −1 to 1; a single one is half-way."""
    rank = np.argsort(np.argsort(np.real(k), kind="stable"), kind="stable")
    return np.asarray(2 * rank / max(len(k) - 1, 1) - (len(k) > 1))
