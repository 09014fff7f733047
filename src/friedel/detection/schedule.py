"""What a refit looks at, and when: a quick one to judge by, and a full one to place by.

A step costs maps × pixels × scatterers². The positions that a network gives are good to a fraction of a wave, so the
first steps may look at a part of the maps and of the pixels, another part every time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Turn:
    """A step, and what comes after it.

    Parameters
    ----------
    maps : int
        Maps to look at, about.
    sieve : {1, 2, 4}
        Look at every pixel, every second, every fourth.
    positions : bool
        Fit the positions, too; held at first, since what is missing beyond the border would drag them away.
    shared : bool
        Fit the shared parameters, too: wavevector, drift, herringbone. They cost as much as all others.
    check : bool
        Take no step that makes the fit worse. Where each step looks at other data the next one makes good what this
        one overshoots.
    hidden : {"", "outside", "anywhere"}
        Where scatterers that nobody reported are looked for.
    ripple : bool
        Look for a herringbone.
    learn : bool
        Expect of hidden scatterers, too, what sure impurities have in common.
    cores, prune : bool
        Leave cores out as far as they reach; let superfluous scatterers go.
    """

    maps: int
    sieve: Literal[1, 2, 4] = 1
    positions: bool = True
    shared: bool = False
    check: bool = False
    hidden: Literal["", "outside", "anywhere"] = ""
    ripple: bool = False
    learn: bool = False
    cores: bool = False
    prune: bool = False

    def choose(self, number: int, maps: int, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the maps that turn `number` looks at, and which of the `pixels`, (P, 2), bool."""
        apart = max(1, round(maps / self.maps))
        row, column = pixels.T.astype(int)
        if self.sieve == 1:
            chosen = np.ones(len(pixels), bool)
        elif self.sieve == 2:
            chosen = (row + column + number) % 2 == 0
        else:  # of every second row every second pixel, in neighbouring ones not the same
            chosen = ((row + number // 2) % 2 == 0) & ((column + row // 2 + number) % 2 == 0)
        return np.arange(number % apart, maps, apart), chosen


@dataclass(frozen=True)
class Schedule:
    """All turns of a refit.

    Parameters
    ----------
    turns : tuple of Turn
    groups : int
        Maps are averaged to at most so many; to twice as many where the wavevectors lie so far apart that the waves
        would wash out (`friedel.detection.groups`).
    most_hidden : int
        Scatterers that nobody reported: at most so many a turn.
    whole : int
        Fields of up to so many pixels on a side are fitted at once.
    tile, overlap : int
        The largest tile that others are cut into [px], and the overlap of neighbours: the cost grows with
        pixels × points².
    sigma_scale, finish_scale : float
        The posterior's curvature takes the model to be true; on simulated fields with every disturbance the errors are
        so many times as large, before and after `finish`.
    thorough : bool
        Look for what nobody reported by what the whole fit would gain, not by what is left over map by map; fit the
        herringbone's wavevector, too, which the search for it gives to a degree or so; weigh down what errors all
        voltages have in common; and believe the network's σ at the border, too (`friedel.detection.second_look`).
    finish : Turn, optional
        Places what has been judged once more, as thoroughly, where that is `LIGHT` work.
    """

    turns: tuple[Turn, ...]
    groups: int
    most_hidden: int
    whole: int
    tile: int
    overlap: int
    sigma_scale: float
    thorough: bool = False
    finish: Turn | None = None
    finish_scale: float = 1.15


#: Maps × pixels × scatterers² that a turn may cost and still be light work: a quarter of a second on two slow cores.
#: Some twenty impurities in 80×80 px.
LIGHT = 6e7
#: Strengths first, and what lies outside.
_HELD = Turn(4, positions=False, hidden="outside")
#: Decides who is an impurity, at one to three times the cost of the network; where there are few it places them, too.
QUICK = Schedule(
    turns=(
        replace(_HELD, maps=2, sieve=4),
        replace(_HELD, maps=2, sieve=4),
        Turn(4, sieve=4, ripple=True),
        Turn(4, sieve=2, hidden="anywhere"),
        Turn(4, sieve=4, shared=True),
        Turn(4, sieve=2),
    ),
    groups=8,
    most_hidden=16,
    whole=104,
    tile=64,
    overlap=16,
    sigma_scale=1.05,
    finish=Turn(8, shared=True),
)
#: Goes on until the positions are nearly as good as the data allow; the last turn is left out where nothing moves.
FULL = Schedule(
    turns=(
        _HELD,
        _HELD,
        replace(_HELD, ripple=True, hidden=""),
        Turn(4, shared=True, hidden="outside"),
        Turn(4, shared=True, learn=True, hidden="outside"),
        Turn(8, shared=True, learn=True, check=True, hidden="outside"),
        Turn(8, shared=True, learn=True, check=True),
        Turn(8, shared=True, learn=True, check=True, hidden="anywhere", cores=True),
        Turn(8, learn=True, check=True, hidden="outside", cores=True),
        Turn(8, learn=True, check=True, cores=True, prune=True),
        Turn(16, learn=True, check=True),
        Turn(16, learn=True, check=True),
        Turn(16, learn=True, check=True),
    ),
    groups=16,
    most_hidden=40,
    whole=128,
    tile=128,
    overlap=24,
    sigma_scale=1.15,
    thorough=True,
)
#: By the name that users give.
SCHEDULES = {"quick": QUICK, "full": FULL}
