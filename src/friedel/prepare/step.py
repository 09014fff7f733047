"""One thing that the preparation did, for the provenance and the user."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One thing that the preparation did.

    Parameters
    ----------
    name : str
        For example ``"bad spectra"`` or ``"high-pass"``.
    amount : float
        How much: a share of the pixels, a number of maps or a length, as `sentence` says.
    sentence : str
        For the user.
    notable : bool
        Whether the user is warned, not only informed.
    """

    name: str
    amount: float
    sentence: str
    notable: bool = False
