"""Structures that are larger than an atom: pits, islands, ridges and the edges of terraces.

They scatter along their whole rim, and no list of points describes them. So they are left out with their rim.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from friedel.prepare.step import Step

#: Height of a structure above the slow background, in robust standard deviations of the map.
HEIGHT = 8.0
#: Where it ends.
FOOT = 4.0
#: A structure is larger than an atom if a disc of this radius fits into its upper half: in half wavelengths, and at
#: least so many nm (an adatom of an STM image has a half width of 0.3 to 0.7 nm).
RADIUS, RADIUS_NM = 0.35, 0.8
#: What is left out reaches so far beyond the foot [half wavelengths].
RIM = 0.25
#: A larger share of a map is not left out: then the threshold says nothing about this map.
MOST = 0.5


def find_extended(high: np.ndarray, half: float, pixel_nm: float) -> np.ndarray:
    """Find extended structures.

    Parameters
    ----------
    high : array, shape (rows, columns)
        Height above or below the slow background, in robust standard deviations of a map: the usual one of all maps.
    half : float
        Half wavelength [px].
    pixel_nm : float
        Pixel pitch.

    Returns
    -------
    array of bool, shape (rows, columns)
        Where most of the maps show one.
    """
    radius = max(RADIUS * half, RADIUS_NM / pixel_nm)
    out = np.zeros(high.shape, dtype=bool)
    label, count = ndimage.label(high > HEIGHT)
    peak = np.asarray(ndimage.maximum(high, label, np.arange(1, count + 1))).reshape(-1)
    for number, box in enumerate(ndimage.find_objects(label, count), start=1):
        mine = label[box] == number
        upper = np.pad(mine & (high[box] > peak[number - 1] / 2), 1)
        if ndimage.distance_transform_edt(upper).max() > radius:
            out[box] |= mine
    if not out.any():
        return out
    foot, _ = ndimage.label(high > FOOT)
    out = np.isin(foot, np.unique(foot[out]))
    out = ndimage.distance_transform_edt(~out) <= RIM * half
    return out if out.mean() <= MOST else np.zeros_like(out)


def report(extended: np.ndarray) -> Step:
    """Say how much is left out."""
    share = float(extended.mean())
    count = ndimage.label(extended)[1]
    what = "structure" if count == 1 else "structures"
    text = f"{count} {what} larger than an atom, {100 * share:.2g} % of the area, left out with the rim."
    return Step("extended structures", share, text, notable=True)
