"""Settings of a simulated measurement, and of a comparison with known positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from friedel.errors import SettingsError
from friedel.settings.base import Settings
from friedel.settings.detection import PIXEL_RANGE, BandSettings
from friedel.settings.option import Option
from friedel.settings.texts import read_shape, read_voltages, show_list

#: A seed that numpy and torch both take.
SEED = Option(least=0, most=2**63 - 1)


@dataclass(frozen=True)
class SimulateSettings(Settings):
    """A stack as from an instrument, whose impurities are known.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    pixel_nm : float
        Pixel size.
    bias : tuple of float
        Voltages: START:STOP:STEP or a,b,c; all must lie inside the band.
    impurities : int
        How many in the field; more lie outside it at the same density.
    like : bool
        All scatterers have the same phase shift, instead of each its own.
    noise : float
        White noise in units of the root mean square of the waves.
    drift_px : float
        Drift over the scan.
    seed : int
        The same seed gives the same stack.
    band : BandSettings
        The surface band; Au(111) if none.
    """

    shape: Annotated[
        tuple[int, int],
        Option(least=8, most=4096, unit="px", wanted="ROWS,COLUMNS, each from 8 to 4096", metavar="ROWS,COLUMNS",
               parse=read_shape, show=show_list),
    ] = (80, 80)  # fmt: skip
    pixel_nm: Annotated[float, Option(unit="nm", metavar="NM", **PIXEL_RANGE)] = 0.469
    bias: Annotated[
        tuple[float, ...] | None,
        Option(unit="mV", least=-1e4, most=1e4, none="-230:20:2", wanted="START:STOP:STEP or a,b,c in mV, each once",
               metavar="START:STOP:STEP", parse=read_voltages, show=show_list),
    ] = None  # fmt: skip
    impurities: Annotated[int, Option(least=0, most=2000)] = 40
    like: Annotated[bool, Option()] = False
    noise: Annotated[float, Option(least=0, most=1000, unit="rms of the waves")] = 0.8
    drift_px: Annotated[float, Option(least=-1000, most=1000, unit="px", metavar="PX")] = 0.0
    seed: Annotated[int, SEED] = 0
    band: Annotated[BandSettings, Option(parsed=False)] = field(default_factory=BandSettings)

    def check(self) -> None:
        """Refuse an empty bias axis and a voltage that comes twice."""
        if self.bias is not None and (not self.bias or len(set(self.bias)) < len(self.bias)):
            raise SettingsError("bias must name at least one voltage, and each once.", settings="bias")


@dataclass(frozen=True)
class EvaluateSettings(Settings):
    """How found points are compared with a reference.

    Parameters
    ----------
    tolerance_px : float
        Largest distance of a pair.
    tolerance_nm : float
        The same in nm, instead.
    threshold : float
        Only points of at least this probability; the average precision is over all thresholds.
    border_px : float
        Reference points this close to the field's border may be found or not.
    shape : (int, int)
        Rows and columns of the field, where the reference does not tell them.
    """

    tolerance_px: Annotated[float | None, Option(unit="px", above=0, most=1e6, none="1", metavar="PX")] = None
    tolerance_nm: Annotated[
        float | None, Option(unit="nm", above=0, most=1e9, none="in pixels", metavar="NM")
    ] = None
    threshold: Annotated[
        float | None,
        Option(least=0, most=1, none="all in the table", wanted="a probability from 0 to 1", metavar="P"),
    ] = None
    border_px: Annotated[float, Option(unit="px", least=0, most=1e6, metavar="PX")] = 0.0
    shape: Annotated[
        tuple[int, int] | None,
        Option(unit="px", least=1, most=10**6, none="the reference's", wanted="ROWS,COLUMNS, at least one of each",
               metavar="ROWS,COLUMNS", parse=read_shape, show=show_list),
    ] = None  # fmt: skip

    def check(self) -> None:
        """Refuse two tolerances."""
        if self.tolerance_px is not None and self.tolerance_nm is not None:
            raise SettingsError(
                "The tolerance is a number of pixels or a length in nm, not both.",
                settings=("tolerance_px", "tolerance_nm"),
            )
