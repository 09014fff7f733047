"""Terraces levelled: plateaus that differ by a constant, as on a stepped surface.

A step stands out of a map as a jump that is far larger than anything else in it, along a curve that cuts the field into
plateaus. So the map is cut where its smoothed gradient is an outlier. Each piece that is large enough is a plateau, and
its plane is subtracted: a plane through the whole field is tilted by its steps. Waves, atoms and lattices bound no
plateaus: a field of waves has no outliers in its gradient, and no jump at a border that is larger than the structure
beside it. The edge itself, a narrow band, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from friedel._util.big_maps import release, row_parts
from friedel._util.robust import MAD, nanmedian, spread
from friedel.prepare.step import Step

#: Width of the smoothing before the gradient is taken [px].
SMOOTH_PX = 1.5
#: A gradient of so many times its median is that of a step; a lower one is tried where a higher one leaves gaps.
STEEP = (5.0, 4.0, 3.0)
#: A plateau takes at least this share of the field.
LEAST = 0.06
#: Plateaus together take at least this share of the field.
COVER = 0.7
#: The jump between neighbours, in robust standard deviations of what is on them, and how far from the border [px].
APART, BESIDE_PX = 1.5, 7.0
#: Values are clipped at so many robust standard deviations before a plane is fitted, to so many pixels or more.
CLIP, MIN_PX = 3.0, 30
#: Half width of the band that is left out at an edge [px].
BAND_PX = 2.0


@dataclass(frozen=True)
class Terraces:
    """Plateaus of a field.

    Parameters
    ----------
    label : array of int, shape (rows, columns)
        Number of the plateau, from 1; 0 on the edge band. All 1 where there is one terrace.
    count : int
    """

    label: np.ndarray
    count: int


def find_terraces(maps: np.ndarray, which: np.ndarray | None = None) -> Terraces:
    """Segment a field into plateaus.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns)
        Without plane and line offsets; NaN where not known.
    which : array of int, optional
        Indices of the maps that tell; all if None.

    Returns
    -------
    Terraces
        One terrace unless the plateaus stand out in the mean of the maps.
    """
    one = Terraces(np.ones(maps.shape[1:], dtype=int), 1)
    picture = _picture(maps, np.arange(len(maps)) if which is None else which)
    if picture is None or min(picture.shape) < 16:
        return one
    gradient = ndimage.gaussian_gradient_magnitude(picture, SMOOTH_PX, mode="nearest")
    usual = float(np.median(gradient))
    if not usual > 0:
        return one
    for steep in STEEP:
        found = _plateaus(picture, gradient > steep * usual)
        if found.count > 1:
            return found
    return one


def _plateaus(picture: np.ndarray, wall: np.ndarray) -> Terraces:
    """Plateaus between the walls, those that do not lie apart taken together."""
    one = Terraces(np.ones(picture.shape, dtype=int), 1)
    label, count = ndimage.label(~wall)
    size = np.bincount(label.ravel(), minlength=count + 1)[1:]
    large = np.flatnonzero(size >= LEAST * label.size) + 1
    if len(large) < 2 or size[large - 1].sum() < COVER * label.size:
        return one
    # Every pixel belongs to the nearest plateau; what is near two of them is the edge.
    plateau = np.where(np.isin(label, large), label, 0)
    index = ndimage.distance_transform_edt(plateau == 0, return_distances=False, return_indices=True)
    owner = plateau[tuple(index)]
    number = np.zeros(count + 1, dtype=int)
    number[large] = _merged(picture, owner, large)
    owner = number[owner]
    if owner.max() < 2:
        return one
    return Terraces(np.where(_border(owner), 0, owner), int(owner.max()))


def level_terraces(maps: np.ndarray, terraces: Terraces) -> np.ndarray:
    """Subtract the plane of each plateau from each map; NaN on the edge band."""
    if terraces.count < 2:
        return maps
    out = np.where(terraces.label == 0, np.nan, maps)
    for number in range(1, terraces.count + 1):
        on = terraces.label == number
        plane = _plane(on)
        for one in out:
            one[on] = _flat(one[on], plane)
    return out


def _flat(values: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """Values without their plane, which atoms and pits do not tilt."""
    known = np.isfinite(values)
    if known.sum() < MIN_PX:
        return values
    rest = values - np.median(values[known])
    reach = CLIP * MAD * float(np.median(np.abs(rest[known])))
    fit, *_ = np.linalg.lstsq(plane[known], np.clip(rest[known], -reach, reach), rcond=None)
    rest = rest - plane @ fit
    return np.asarray(rest - np.median(rest[known]))


def report(terraces: Terraces) -> Step:
    """Say how many terraces were levelled."""
    band = float((terraces.label == 0).mean())
    text = (
        f"{terraces.count} terraces are levelled; their edges, {100 * band:.2g} % of the area, are left out."
    )
    return Step("terraces", float(terraces.count), text, notable=True)


def _picture(maps: np.ndarray, which: np.ndarray) -> np.ndarray | None:
    """Median over some maps, each in its robust standard deviations and upright to the first, without gaps."""
    known = np.ones(maps.shape[1:], dtype=bool)
    for index in which:
        known &= np.isfinite(maps[index])
        release(maps)
    if known.mean() < 0.5:
        return None
    # One map at a time, then some rows of all: a large stack does not fit into memory.
    centre, width = np.zeros(len(which)), np.zeros(len(which))
    mean = np.zeros(maps.shape[1:])
    for number, index in enumerate(which):
        centre[number] = nanmedian(maps[index])
        width[number] = spread(maps[index], centre=centre[number])
        mean += np.where(known, _scaled(maps[index], centre[number], width[number]), 0.0)
        release(maps)
    # An offset has the same sign at all voltages or turns over: either way the maps agree but for the sign.
    sign = np.zeros(len(which))
    for number, index in enumerate(which):
        flat = np.where(known, _scaled(maps[index], centre[number], width[number]), 0.0)
        sign[number] = np.sign(np.vdot(flat, mean)) or 1.0
        release(maps)
    picture = np.empty(maps.shape[1:])
    for rows in row_parts((len(which), *picture.shape)):
        some = [
            _scaled(maps[i, rows], c, w) * s for i, c, w, s in zip(which, centre, width, sign, strict=True)
        ]
        picture[rows] = np.median(some, axis=0)
        release(maps)
    if not known.all():
        index = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
        picture = picture[tuple(index)]
    return np.asarray(ndimage.median_filter(picture, 3))


def _scaled(plane: np.ndarray, centre: float, width: float) -> np.ndarray:
    """A map in its robust standard deviations; 0 where it has none."""
    return (plane - centre) / (width if width > 0 else np.inf)


def _merged(picture: np.ndarray, owner: np.ndarray, large: np.ndarray) -> np.ndarray:
    """Numbers of the plateaus, the same for neighbours without a jump between them.

    The jump is taken beside the border: a plane through the whole field leaves terraces tilted, as a saw's teeth.
    """
    width = {one: _roughness(picture, owner == one) for one in large}
    number = np.arange(len(large))
    for i, one in enumerate(large):
        for j, other in enumerate(large[:i]):
            sides = [_beside(owner, a, b) for a, b in ((one, other), (other, one))]
            if min(side.sum() for side in sides) < MIN_PX:
                continue  # no border in common
            jump = abs(float(np.median(picture[sides[0]]) - np.median(picture[sides[1]])))
            if jump < APART * max(width[one], width[other], 1e-12):
                number[number == number[i]] = number[j]
    return np.asarray(np.unique(number, return_inverse=True)[1]) + 1


def _roughness(picture: np.ndarray, on: np.ndarray) -> float:
    """Robust standard deviation of a plateau about its plane."""
    return MAD * float(np.median(np.abs(_flat(picture[on], _plane(on)))))


def _beside(owner: np.ndarray, one: int, other: int) -> np.ndarray:
    """Pixels of a plateau beside its border with another, the edge band left out."""
    away = ndimage.distance_transform_edt(owner != other)
    return np.asarray((owner == one) & (away > BAND_PX) & (away <= BESIDE_PX))


def _plane(on: np.ndarray) -> np.ndarray:
    """Constant, row and column of some pixels, shape (pixels, 3)."""
    place = np.argwhere(on) / max(on.shape)
    return np.column_stack([np.ones(len(place)), place - place.mean(axis=0)])


def _border(owner: np.ndarray) -> np.ndarray:
    """Pixels within `BAND_PX` of another plateau."""
    edge = np.zeros(owner.shape, dtype=bool)
    down, right = owner[1:] != owner[:-1], owner[:, 1:] != owner[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return np.asarray(ndimage.distance_transform_edt(~edge) < BAND_PX)
