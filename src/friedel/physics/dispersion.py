"""The surface band: from bias voltage to Fermi wavevector, k(E) = √(2 m* (E − E₀)) / ħ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from friedel._util.arguments import is_finite
from friedel._util.registry import Registry
from friedel.errors import PhysicsError
from friedel.settings import BandSettings

#: √(2 mₑ · 1 eV) / ħ in nm⁻¹ (CODATA 2022); written out, since `scipy.constants` loads slowly.
WAVEVECTOR_PER_SQRT_EV = 5.123167223161844


@dataclass(frozen=True)
class Dispersion:
    """A parabolic surface band.

    Parameters
    ----------
    onset_mev : float
        Band onset E₀ relative to the Fermi level [meV].
    mass : float
        Effective mass m* in electron masses.
    broadening_mev : float
        Γ, full width of the lifetime broadening [meV].
    name : str
        For display and provenance.
    """

    onset_mev: float
    mass: float
    broadening_mev: float = 20.0
    name: str = "custom"

    def __post_init__(self) -> None:
        if not (is_finite(self.mass) and self.mass != 0):
            raise PhysicsError(
                f"The effective mass must be a non-zero number of electron masses, not {self.mass!r:.60}."
            )
        if not is_finite(self.onset_mev):
            raise PhysicsError(f"The band onset must be a number in meV, not {self.onset_mev!r:.60}.")
        if not (is_finite(self.broadening_mev) and self.broadening_mev >= 0):
            raise PhysicsError(
                f"The lifetime broadening must be 0 meV or greater, not {self.broadening_mev!r:.60}."
            )

    def k(self, bias_mv: Any) -> np.ndarray:
        """Wavevector at each bias.

        Parameters
        ----------
        bias_mv : array
            Bias voltage [mV]; the state probed has the energy e·V above the Fermi level.

        Returns
        -------
        array
            k [nm⁻¹]; NaN where the bias lies outside the band.
        """
        energy_ev = (np.asarray(bias_mv, dtype=float) - self.onset_mev) * 1e-3 * np.sign(self.mass)
        with np.errstate(invalid="ignore"):
            k = WAVEVECTOR_PER_SQRT_EV * np.sqrt(abs(self.mass) * energy_ev)
        return np.where(energy_ev > 0, k, np.nan)

    def complex_k(self, bias_mv: Any) -> np.ndarray:
        """Wavevector at each bias with the damping of the waves by the lifetime: Im k / Re k = Γ / 4|E − E₀|.

        Parameters
        ----------
        bias_mv : array
            Bias voltage [mV].

        Returns
        -------
        array of complex
            k [nm⁻¹], to first order in Γ / (E − E₀); NaN where the bias lies outside the band.
        """
        k = self.k(bias_mv)
        with np.errstate(divide="ignore"):  # at the onset itself k is NaN
            return k * (
                1 + 0.25j * self.broadening_mev / np.abs(np.asarray(bias_mv, dtype=float) - self.onset_mev)
            )


#: Surface states of the noble metals at low temperature. Au(111): arXiv 2006.15898; Ag(111) and Cu(111): rounded
#: from the photoemission and tunnelling literature; fit your own with `friedel.fit_dispersion`.
MATERIALS: Registry[Dispersion] = Registry(
    "material",
    {
        "au111": Dispersion(-520.0, 0.26, 20.0, "au111"),
        "ag111": Dispersion(-65.0, 0.41, 6.2, "ag111"),
        "cu111": Dispersion(-440.0, 0.39, 23.5, "cu111"),
    },
    Dispersion,
)


def register_material(name: str, dispersion: Dispersion, *, replace: bool = False) -> Dispersion:
    """Make a surface band known by a name, for the API, the command line and the docks.

    Parameters
    ----------
    name : str
        Lower case, without brackets and blanks.
    dispersion : Dispersion
    replace : bool
        Whether a known material may be replaced.

    Raises
    ------
    FriedelError
        If the name is taken.
    """
    return MATERIALS.register(name, dispersion, replace=replace)


def resolve(dispersion: Dispersion | BandSettings | str | None) -> Dispersion | None:
    """Turn a material's name or settings into their `Dispersion`; pass a `Dispersion` or None through.

    Raises
    ------
    PhysicsError
        If the name is not in `MATERIALS`.
    """
    if isinstance(dispersion, BandSettings):
        if dispersion.onset_mev is not None and dispersion.mass is not None:
            return Dispersion(dispersion.onset_mev, dispersion.mass)
        dispersion = dispersion.material
    if dispersion is None or isinstance(dispersion, Dispersion):
        return dispersion
    if not isinstance(dispersion, str):
        raise PhysicsError(
            f"The surface band is a material's name or a Dispersion, not {dispersion!r}.",
            settings="dispersion",
        )
    key = dispersion.lower().replace("(", "").replace(")", "").replace(" ", "")
    if key not in MATERIALS:
        raise PhysicsError(
            f"Unknown material {dispersion!r}; known are {', '.join(MATERIALS)}. "
            "For another surface give its band onset and effective mass.",
            settings="dispersion",
        )
    return MATERIALS[key]


def required(dispersion: Dispersion | BandSettings | str | None, purpose: str = "") -> Dispersion:
    """As `resolve`, where there must be a band; `purpose` is a sentence that says what it is needed for.

    Raises
    ------
    PhysicsError
        If the name is not in `MATERIALS`, or no band is given.
    """
    band = resolve(dispersion)
    if band is None:
        raise PhysicsError(
            f"{purpose or 'A surface band is needed.'} Name a material, or give the band's onset and effective mass "
            "(friedel.fit_dispersion(stack) fits them).",
            settings="dispersion",
        )
    return band


def as_settings(band: Dispersion | None) -> BandSettings:
    """The band as settings: what is recorded, and what a repeated run is given."""
    if band is None:
        return BandSettings()
    if MATERIALS.get(band.name) == band:
        return BandSettings(material=band.name)
    return BandSettings(onset_mev=band.onset_mev, mass=band.mass)
