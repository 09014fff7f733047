"""The first stage's result: maps as a method takes them, with the band, the sampling and what was done."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from friedel.physics.dispersion import Dispersion
    from friedel.prepare.flattened import Flattened
    from friedel.prepare.scan_registration import ScanShifts
    from friedel.resample import Scaling


@dataclass(frozen=True)
class Band:
    """Where the wavevectors come from.

    Parameters
    ----------
    origin : str
        ``"given"``, ``"fitted to the FFT ring"`` or ``"assumed"``.
    dispersion : Dispersion or None
        None where the wavevector is assumed.
    onset_error_mev, mass_error : float, optional
        Standard deviations of a fitted band.
    k_per_nm : float, optional
        The assumed wavevector [nm⁻¹].
    """

    origin: str
    dispersion: Dispersion | None = None
    onset_error_mev: float | None = None
    mass_error: float | None = None
    k_per_nm: float | None = None

    def summary(self) -> dict[str, Any]:
        """For the provenance."""
        band = {} if self.dispersion is None else asdict(self.dispersion)
        rest = {
            name: value for name, value in asdict(self).items() if name != "dispersion" and value is not None
        }
        return band | rest


@dataclass(frozen=True, eq=False)
class Prepared:
    """Maps as a method takes them.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns), float32
        At the method's sampling; each map has mean 0 and root mean square 1, and is 0 where not acquired.
    mask : array of bool, shape (rows, columns)
        Pixels that hold data.
    fit_mask : array of bool, shape (rows, columns)
        `mask` without pixels that were interpolated: those of a refit.
    recorded : array, shape (bias, recorded rows, recorded columns)
        The same maps before they were resampled, NaN where not acquired.
    scaling : Scaling
        From the recorded sampling to the method's.
    channel : str
    derived : bool
        Whether dI/dV is the numerical derivative of a current.
    bias_mv : array, shape (bias,)
    energy_mev : array, shape (bias,)
        Energy at which the wavevector is taken; 0 for a topograph whose waves are at k_F.
    band : Band
    flattened : Flattened
        What was done to the recorded maps.
    out_of_band : float
        Share of the recorded voltages outside the band.
    shifts : ScanShifts, optional
        How separate scans lay to each other.
    """

    maps: np.ndarray
    mask: np.ndarray
    fit_mask: np.ndarray
    recorded: np.ndarray
    scaling: Scaling
    channel: str
    derived: bool
    bias_mv: np.ndarray
    energy_mev: np.ndarray
    band: Band
    flattened: Flattened
    out_of_band: float
    shifts: ScanShifts | None = None

    @property
    def half_wave_px(self) -> float:
        """Median half Friedel wavelength [px of `maps`]."""
        return float(np.pi / np.median(self.scaling.k))

    @property
    def half_waves(self) -> float:
        """Half wavelengths along the field's shorter side."""
        return min(self.scaling.new_shape) / self.half_wave_px
