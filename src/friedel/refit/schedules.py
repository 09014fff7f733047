"""Refit schedules: "quick" (selects the candidates) and "full" (positions at the Cramér–Rao level).

A step costs maps × pixels × scatterers². The positions that a network gives are good to a fraction of a wavelength, so
the first iterations use subsets of the maps and of the pixels, another subset every time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from friedel.refit.error_model import FULL_AMPLITUDES, QUICK_AMPLITUDES, AmplitudeErrors


@dataclass(frozen=True)
class Iteration:
    """A step, and what follows it.

    Parameters
    ----------
    maps : int
        Approximate number of bias maps used.
    pixel_stride : {1, 2, 4}
        Use every pixel, every second, every fourth.
    positions : bool
        Fit the positions, too; held at first, since waves from scatterers outside the field would bias them.
    shared : bool
        Fit the shared parameters, too: wavevector, drift, herringbone. They cost as much as all others.
    check : bool
        Take no step that raises the cost. Where each step uses other data the next one corrects an overshoot.
    search : {"outside", "everywhere"}, optional
        Where undetected scatterers are searched for; nowhere if None.
    ripple : bool
        Search for a herringbone.
    pool_amplitudes : bool
        Shrink the amplitudes towards those of the confident impurities.
    cores, prune : bool
        Fit the radius of the core masks; remove scatterers that the data do not support.
    unbinned : bool
        Correct the model for the averaging over voltages: without, amplitudes are 3 to 6 % too small.
    amplitudes_first : bool
        Of a final iteration: fit the amplitudes at the positions so far, then everything.
    """

    maps: int
    pixel_stride: Literal[1, 2, 4] = 1
    positions: bool = True
    shared: bool = False
    check: bool = False
    search: Literal["outside", "everywhere"] | None = None
    ripple: bool = False
    pool_amplitudes: bool = False
    cores: bool = False
    prune: bool = False
    unbinned: bool = False
    amplitudes_first: bool = False

    def subset(self, number: int, maps: int, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the maps that iteration `number` uses, and which of the `pixels`, (P, 2), bool."""
        apart = max(1, round(maps / self.maps))
        row, column = pixels.T.astype(int)
        if self.pixel_stride == 1:
            chosen = np.ones(len(pixels), bool)
        elif self.pixel_stride == 2:
            chosen = (row + column + number) % 2 == 0
        else:  # of every second row every second pixel, in neighbouring ones not the same
            chosen = ((row + number // 2) % 2 == 0) & ((column + row // 2 + number) % 2 == 0)
        if chosen.sum() < len(pixels) / (
            2 * self.pixel_stride
        ):  # where every second row or column is missing
            chosen = np.arange(len(pixels)) % self.pixel_stride == number % self.pixel_stride
        return np.arange(number % apart, maps, apart), chosen


@dataclass(frozen=True)
class Schedule:
    """All iterations of a refit.

    Parameters
    ----------
    iterations : tuple of Iteration
    bias_bins : int
        Maps are averaged to at most so many; to twice as many where the wavevectors lie so far apart that the waves
        would wash out (`friedel.refit.bias_binning`).
    max_added : int
        Undetected scatterers that are added: at most so many per iteration.
    tile_px, overlap_px : int
        Fields of up to so many pixels on a side are fitted at once. Others are cut into tiles of at most that, with
        this overlap of neighbours. The cost grows with pixels × points², the part in overlaps falls. A wave's amplitude
        falls as 1/r, so that what it tells grows with the logarithm of the tile: smaller tiles give other positions.
    sigma_scale, final_sigma_scale : float
        The curvature takes the model to be true; on simulated fields with every disturbance the errors are so many
        times as large, before and after `final_iteration`.
    score_test : bool
        Search for undetected scatterers by the score test of the whole fit, not by the residual of each map.
    fit_ripple_wavevector : bool
        Fit the herringbone's wavevector, too, which the search for it gives to about one degree.
    common_errors : bool
        Weight down errors that all maps share.
    widen_border_sigma : bool
        Give doubtful candidates at the border room to move (`friedel.refit.candidates.prior_sigma`).
    amplitude_errors : AmplitudeErrors
        The same for the amplitudes.
    final_iteration : Iteration, optional
        One more iteration after model selection, with the herringbone's wavevector and common errors, if it costs no
        more than `final_max_cost`.
    final_max_cost : float
        Maps × pixels × scatterers² below which the final iteration is run: a quarter of a second on two slow cores,
        some twenty impurities in 80×80 px.
    tiled_iteration : Iteration, optional
        The final iteration of fields that are cut into tiles, whatever it costs. With a part of the data two tilings
        of a field differ by a share of a larger σ.
    """

    iterations: tuple[Iteration, ...]
    bias_bins: int
    max_added: int
    tile_px: int
    overlap_px: int
    sigma_scale: float
    final_sigma_scale: float = 1.15
    score_test: bool = False
    fit_ripple_wavevector: bool = False
    common_errors: bool = False
    widen_border_sigma: bool = False
    amplitude_errors: AmplitudeErrors = FULL_AMPLITUDES
    final_iteration: Iteration | None = None
    final_max_cost: float = 6e7
    tiled_iteration: Iteration | None = None

    def in_tiles(self) -> Schedule:
        """The schedule of a field of several tiles."""
        if self.tiled_iteration is None:
            return self
        return replace(self, final_iteration=self.tiled_iteration, final_max_cost=math.inf)


#: Amplitudes first, and scatterers outside the field.
_HELD = Iteration(4, positions=False, search="outside")
#: Selects the candidates, at one to three times the cost of the network; where there are few it also refines them.
QUICK = Schedule(
    iterations=(
        replace(_HELD, maps=2, pixel_stride=4),
        replace(_HELD, maps=2, pixel_stride=4),
        Iteration(4, pixel_stride=4, ripple=True),
        Iteration(4, pixel_stride=2, search="everywhere"),
        Iteration(4, pixel_stride=4, shared=True),
        Iteration(4, pixel_stride=2, unbinned=True),
    ),
    bias_bins=8,
    max_added=16,
    tile_px=104,
    overlap_px=16,
    sigma_scale=1.05,
    widen_border_sigma=True,
    amplitude_errors=QUICK_AMPLITUDES,
    final_iteration=Iteration(8, shared=True, unbinned=True, amplitudes_first=True),
    tiled_iteration=Iteration(8, shared=True, unbinned=True),
)
#: Goes on until the positions are nearly at the Cramér–Rao bound; the last iterations are skipped once it converges.
FULL = Schedule(
    iterations=(
        _HELD,
        _HELD,
        replace(_HELD, ripple=True, search=None),
        Iteration(4, shared=True, search="outside"),
        Iteration(4, shared=True, pool_amplitudes=True, search="outside"),
        Iteration(8, shared=True, pool_amplitudes=True, check=True, search="outside"),
        Iteration(8, shared=True, pool_amplitudes=True, check=True),
        Iteration(8, shared=True, pool_amplitudes=True, check=True, search="everywhere", cores=True),
        Iteration(8, pool_amplitudes=True, check=True, search="outside", cores=True),
        Iteration(8, pool_amplitudes=True, check=True, cores=True, prune=True),
        Iteration(16, pool_amplitudes=True, check=True, unbinned=True),
        Iteration(16, pool_amplitudes=True, check=True, unbinned=True),
        Iteration(16, pool_amplitudes=True, check=True, unbinned=True),
    ),
    bias_bins=16,
    max_added=40,
    tile_px=128,
    overlap_px=24,
    sigma_scale=1.15,
    score_test=True,
    fit_ripple_wavevector=True,
    common_errors=True,
)
#: By the name that users give.
SCHEDULES = {"quick": QUICK, "full": FULL}
