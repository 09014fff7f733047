"""Which adjacent voltages are averaged: so many maps, or maps whose wavevectors lie within a width."""

from __future__ import annotations

from typing import Any

import numpy as np


def bins_by_count(k: Any, count: int, *, spread: bool = False) -> list[np.ndarray]:
    """Voltages in the order of k, in bins of equally many.

    Parameters
    ----------
    k : array, shape (bias,)
        Wavevectors; of complex ones the real part counts.
    count : int
        Number of bins; as many as there are voltages, if fewer.
    spread : bool
        Whether bins of one voltage more lie between the others, as the networks were trained, or come first.

    Returns
    -------
    list of array of int
        Indices of the voltages in each bin.
    """
    order = np.argsort(np.real(k), kind="stable")
    count = max(1, min(count, len(order)))
    if not spread:
        return np.array_split(order, count)
    edges = [round(i * len(order) / count) for i in range(1, count)]
    return np.split(order, edges)


def bins_by_width(k: Any, width: float) -> list[np.ndarray]:
    """Voltages in the order of k, in bins of wavevectors that lie within about `width`; none is empty.

    Parameters
    ----------
    k : array, shape (bias,)
        Wavevectors [rad/px].
    width : float
        Largest width of a bin [rad/px]; all are of equal width.

    Returns
    -------
    list of array of int
        Indices of the voltages in each bin.
    """
    k = np.real(k)
    order = np.argsort(k, kind="stable")
    span = max(float(np.ptp(k)), 1e-12)
    count = max(1, int(np.ceil(span / width)))
    number = np.minimum(((k[order] - k.min()) / span * count).astype(int), count - 1)
    return [order[number == one] for one in np.unique(number)]
