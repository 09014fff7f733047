"""Settings of the preparation: what is done to recorded maps before impurities are detected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from friedel._util.arguments import instance_of
from friedel.errors import SettingsError
from friedel.settings.base import Settings
from friedel.settings.option import Option

Background = Literal["auto", "plane", "high-pass", "none"]


def read_phase(text: str) -> float | str:
    """Read ``auto`` or a number of degrees."""
    return "auto" if text.strip() == "auto" else float(text)


@dataclass(frozen=True)
class PrepareSettings(Settings):
    """What is done to recorded maps before impurities are detected.

    Parameters
    ----------
    as_recorded : bool
        Whether the maps are taken as recorded, without any preparation.
    bad_data : bool
        Whether bad pixels, lines and spectra are searched for. They are interpolated for the network where the gap is
        small, and left out of the refit.
    background : {"auto", "plane", "high-pass", "none"}
        Treatment of the background. Plane subtracts a robust plane from each map; high-pass subtracts the slow
        background, too; auto applies the high-pass where the slow background dominates a map that shows a Friedel ring.
    row_offsets : bool
        Whether the offset of each scan line is subtracted.
    invert : bool
        Whether a dI/dV that is negative throughout is inverted, as if the lock-in phase were off by 180°.
    terraces : bool
        Whether terraces of a stepped surface are levelled and the band along their edges is left out.
    register_scans : bool
        Whether maps of separate scans are shifted onto the first of them, where a shift stands out.
    extended : bool
        Whether structures larger than an atom (pits, islands, edges of terraces) are left out with their rim.
    periodic : bool
        Whether periodic structures (lattices, density waves, hum) are subtracted.
    static : bool
        Whether an image that all maps share, and that holds most of their variance, is subtracted.
    second_band : bool
        Whether the ring of a second band, where it is higher than that of the band, is filtered out.
    high_pass : float
        Standard deviation of the Gaussian that defines the slow background.
    clip : float
        Values further from 0 are clipped, in robust standard deviations of the map; 0 for no clipping.
    fill_px : float
        Gaps are interpolated if no pixel in them is further from recorded data.
    lockin_phase_deg : float or "auto"
        Phase by which the two quadratures of the lock-in amplifier are rotated; auto maximises the signal in the first.
    """

    as_recorded: Annotated[bool, Option()] = False
    bad_data: Annotated[bool, Option()] = True
    background: Annotated[Background, Option()] = "auto"
    row_offsets: Annotated[bool, Option(advanced=True)] = True
    invert: Annotated[bool, Option(advanced=True)] = True
    terraces: Annotated[bool, Option(advanced=True)] = True
    register_scans: Annotated[bool, Option(advanced=True)] = True
    extended: Annotated[bool, Option(advanced=True)] = True
    periodic: Annotated[bool, Option(advanced=True)] = True
    static: Annotated[bool, Option(advanced=True)] = True
    second_band: Annotated[bool, Option(advanced=True)] = True
    high_pass: Annotated[float, Option(unit="half Friedel wavelengths", least=0.5, most=5, advanced=True)] = (
        1.0
    )
    clip: Annotated[float, Option(unit="σ", least=0, most=50, advanced=True)] = 5.0
    fill_px: Annotated[float, Option(unit="px", least=0, most=10, advanced=True)] = 2.0
    lockin_phase_deg: Annotated[
        float | Literal["auto"] | None,
        Option(unit="deg", least=-360, most=360, none="as recorded", wanted="auto or a number from -360 to 360 [deg]",
               metavar="DEG", parse=read_phase, advanced=True),
    ] = None  # fmt: skip

    @classmethod
    def of(cls, given: PrepareSettings | bool) -> PrepareSettings:
        """The settings themselves, the defaults for True, and those of no preparation for False.

        Raises
        ------
        SettingsError
            If it is something else.
        """
        if isinstance(given, bool):
            return cls(as_recorded=not given)
        return instance_of(given, cls, "prepare", "True, False or PrepareSettings")

    def check(self) -> None:
        """Refuse a clipping that cuts the waves."""
        if 0 < self.clip < 2.5:
            raise SettingsError(f"clip must be 0 or from 2.5 to 50 [σ], not {self.clip:g}.", settings="clip")

    def in_force(self) -> PrepareSettings:
        """The settings that are applied: those of no preparation where `as_recorded` is set."""
        if not self.as_recorded:
            return self
        return PrepareSettings(
            as_recorded=True,
            bad_data=False,
            background="none",
            row_offsets=False,
            invert=False,
            terraces=False,
            register_scans=False,
            extended=False,
            periodic=False,
            static=False,
            second_band=False,
        )
