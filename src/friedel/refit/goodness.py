"""Local goodness of fit: how much of the structure around a scatterer the fitted waves explain.

What a fit leaves unexplained (edges, islands, patterns, smoothed noise) is correlated from pixel to pixel; white noise
is not. With m the fitted waves and r the residual over the noise, both at the pixels outside the cores, and a bar for
the mean over the maps and over the two neighbours (next row, next column)::

    explained share = Σ m m' / (Σ m m' + max(0, Σ r r'))

The sums go over a disc around the scatterer or over the whole field; primes mark the neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree

from friedel.refit.joint_fit.evaluation import all_pixels, compare, nuisance, wave_model

if TYPE_CHECKING:
    from friedel.refit.joint_fit.data import FitData
    from friedel.refit.joint_fit.state import FitState


@dataclass(frozen=True)
class GoodnessConstants:
    """Numbers of the local goodness of fit.

    Parameters
    ----------
    half_wavelengths : float
        Radius of the disc around a scatterer.
    clip_sigma : float
        Residuals are clipped at so many standard deviations.
    min_pixels : int
        Pixels that a disc must hold for its share to be known.
    max_maps : int
        Maps that are used.
    """

    half_wavelengths: float = 1.5
    clip_sigma: float = 8.0
    min_pixels: int = 8
    max_maps: int = 4


GOODNESS = GoodnessConstants()


@dataclass(frozen=True, eq=False)
class Goodness:
    """How well a fit explains its field.

    Parameters
    ----------
    explained : float
        Explained share of the structure outside the cores; 1 where there is no structure at all.
    local : array, shape (N,)
        The same in a disc around each scatterer; NaN where it holds too few pixels.
    misfit : array, shape (N,)
        Mean squared residual in the disc, over the noise variance.
    """

    explained: float
    local: np.ndarray
    misfit: np.ndarray

    def take(self, index: np.ndarray) -> Goodness:
        """The same of some of the scatterers."""
        return Goodness(self.explained, self.local[index], self.misfit[index])


def goodness(data: FitData, state: FitState) -> Goodness:
    """Goodness of the present fit on some maps of its last iteration, at all pixels outside the cores."""
    position, maps = state.scatterers.position, state.subset.maps
    maps = maps[:: -(-len(maps) // GOODNESS.max_maps)]
    with all_pixels(state):
        weights = compare(data, state, wave_model(data, state, maps).density(), nuisance(data, state), maps)
        place = data.pixels[state.used].astype(int)
        root = np.maximum(np.sqrt(state.errors.weight[state.used]), 1e-6)
    clip = GOODNESS.clip_sigma
    structure = _neighbour_products(weights.seen / root, place, data.mask.shape)
    residual = np.clip(weights.left / root, -clip, clip)
    rest = _neighbour_products(residual, place, data.mask.shape)
    square = (residual**2).mean(axis=0)
    half = np.pi / float(data.k.real.mean())
    discs = KDTree(place).query_ball_point(position, GOODNESS.half_wavelengths * half)
    local, misfit = np.full(len(position), np.nan), np.full(len(position), np.nan)
    for i, disc in enumerate(discs):
        if len(disc) >= GOODNESS.min_pixels:
            local[i] = _share(structure[disc].sum(), rest[disc].sum())
            misfit[i] = square[disc].mean()
    return Goodness(_share(structure.sum(), rest.sum()), local, misfit)


def _share(structure: float, rest: float) -> float:
    structure, rest = max(float(structure), 0.0), max(float(rest), 0.0)
    return structure / (structure + rest) if structure + rest > 0 else 1.0


def _neighbour_products(values: np.ndarray, place: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Mean over the maps of each pixel's product with those below and to the right, summed, (p,)."""
    grid = np.zeros((len(values), shape[0] + 1, shape[1] + 1), np.float32)
    grid[:, place[:, 0], place[:, 1]] = values
    centre = grid[:, :-1, :-1]
    product = (centre * (grid[:, 1:, :-1] + grid[:, :-1, 1:])).mean(axis=0)
    return np.asarray(product[place[:, 0], place[:, 1]])
