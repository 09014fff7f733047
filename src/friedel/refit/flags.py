"""Flags of a point: one table of names, bits and sentences, from which the docs are made, too."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


class PointFlag(IntFlag):
    """What to know of a point; a point may have several."""

    KEPT = 1
    ADDED = 2
    BORDER = 4
    CORE = 8
    CROWDED = 16
    MOVED = 32
    OUTSIDE_PRIOR = 64
    UNEXPLAINED = 128
    BY_HAND = 256
    BAD_DATA = 512
    LINE = 1024
    DOUBLE = 2048
    NOT_S_WAVE = 4096

    @property
    def sentence(self) -> str:
        """What the flag means."""
        return SENTENCES[self]


#: What each flag means.
SENTENCES: dict[PointFlag, str] = {
    PointFlag.KEPT: "The fit did not explain the point: position and probability are those before it.",
    PointFlag.ADDED: "The fit added the point; the network did not list it.",
    PointFlag.BORDER: "The point lies within half a wavelength of the border: scatterers outside are known badly.",
    PointFlag.CORE: "The point lies in the core mask of another scatterer, or its own is larger than usual.",
    PointFlag.CROWDED: "Most of the information on the position is shared with neighbours.",
    PointFlag.MOVED: "The fit moved the point by more than one pixel.",
    PointFlag.OUTSIDE_PRIOR: "The scattering amplitude is larger than that of any elastic or absorbing scatterer.",
    PointFlag.UNEXPLAINED: "The waves around the point are not explained: its probability was not raised.",
    PointFlag.BY_HAND: "The point was added by hand.",
    PointFlag.BAD_DATA: "Pixels at the point were not acquired, or were found bad and left out.",
    PointFlag.LINE: "The point lies on a line of points, as of a step edge: chance puts few of them there.",
    PointFlag.DOUBLE: "The point repeats a stronger one at the same displacement as others do, as of a double tip.",
    PointFlag.NOT_S_WAVE: "The waves near the point are not s waves alone, but p waves or those of an extended "
    "scatterer: amplitude, phase shift and absorption do not hold.",
}


def names(flags: int) -> list[str]:
    """Names of the flags in lower case, as written in tables: ``["added", "border"]``.

    Parameters
    ----------
    flags : int
        Sum of bits.
    """
    return [one.name.lower() for one in PointFlag if flags & one and one.name]


def text(flags: np.ndarray) -> list[str]:
    """The names of several points' flags, each joined by spaces."""
    return [" ".join(names(int(one))) for one in flags]
