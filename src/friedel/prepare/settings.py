"""The options of the preparation: each with its unit, its range and its default."""

from __future__ import annotations

from dataclasses import dataclass

from friedel.errors import StackError

#: How the background of a map is treated.
BACKGROUNDS = ("auto", "plane", "high-pass", "none")


@dataclass(frozen=True)
class PrepareSettings:
    """What is done to recorded maps before impurities are looked for.

    Parameters
    ----------
    bad_data : bool
        Whether bad pixels, lines and spectra are searched for. They are interpolated for the network where the gap is
        small, and left out of the refit.
    background : {"auto", "plane", "high-pass", "none"}
        "plane" subtracts a robust plane from each map. "high-pass" subtracts the slow background, too. "auto"
        applies the high-pass where the slow background dominates a map and the map shows a Friedel ring.
    row_offsets : bool
        Whether the offset of each scan line is subtracted.
    extended : bool
        Whether structures larger than an atom (pits, islands, edges of terraces) are left out with their rim.
    high_pass : float
        Standard deviation of the Gaussian that defines the slow background, in half Friedel wavelengths; 0.5 to 5.
    clip : float
        Values further from 0 are clipped, in robust standard deviations of the map; 2.5 to 50, or 0 for no clipping.
    fill_px : float
        Gaps are interpolated if no pixel in them is further from recorded data [px]; 0 to 10.
    lockin_phase_deg : None, "auto" or float
        Phase by which the two quadratures of the lock-in amplifier are rotated [degree]; "auto" maximises the signal
        in the first. None takes the channel as recorded; a dI/dV that is negative throughout is inverted in any case.

    Raises
    ------
    StackError
        If a value lies outside its range.
    """

    bad_data: bool = True
    background: str = "auto"
    row_offsets: bool = True
    extended: bool = True
    high_pass: float = 1.0
    clip: float = 5.0
    fill_px: float = 2.0
    lockin_phase_deg: float | str | None = None

    def __post_init__(self) -> None:
        if self.background not in BACKGROUNDS:
            raise StackError(
                f"Unknown background {self.background!r}; known are {', '.join(map(repr, BACKGROUNDS))}."
            )
        _within("high_pass", self.high_pass, 0.5, 5.0)
        if self.clip != 0:
            _within("clip", self.clip, 2.5, 50.0)
        _within("fill_px", self.fill_px, 0.0, 10.0)
        phase = self.lockin_phase_deg
        if isinstance(phase, str) and phase != "auto":
            raise StackError(f"The lock-in phase is None, 'auto' or a number of degrees, not {phase!r}.")
        if isinstance(phase, int | float):
            _within("lockin_phase_deg", float(phase), -360.0, 360.0)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise StackError(f"The setting {name} is {value:g}; it must lie between {low:g} and {high:g}.")
