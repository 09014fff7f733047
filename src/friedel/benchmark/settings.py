"""What a synthetic field is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Setting:
    """What a synthetic field is made of.

    Parameters
    ----------
    material : str
        Surface state, by name.
    shape : (int, int)
        Rows and columns.
    pixel_nm : float
        Pixel pitch.
    bias_mv : tuple of float
        Bias voltages.
    impurities : int
        Inside the field; the same density goes on outside.
    unlike : bool
        Whether phase shifts and absorption differ from impurity to impurity.
    scatterers : {"usual", "born", "unitary", "absorbing", "p-wave"}
        Usual ones are drawn as `unlike` says. Born: elastic, |δ| from 0.15 to 0.3 rad. Unitary: elastic, δ within
        0.15 rad of π/2. Absorbing: η up to 0.2, any δ. P wave: usual ones that scatter partial waves m = ±1, too, half
        as strongly as a δ between 0.5 and 1.5 rad of either sign would; without a herringbone and without drift.
    noise : float
        White noise in units of each map's rms of the waves.
    jitter_pm : float
        z-jitter [pm]; 1 pm changes a pixel's spectrum by 2.2 %.
    rows : float
        Row offsets in units of the waves' rms; autoregressive over rows.
    drift_px : float
        Total drift from the first to the last map of the series; true positions are those half-way.
    tip_change : bool
        Offset and gain jump at one row.
    herringbone : bool
        Au(111)'s reconstruction.
    cores : {"scrambled", "replaced"}
        What is near an impurity: a signal of its own, or what its surroundings would have there.
    margin_nm : float
        Scatterers lie up to this far outside the field.
    planted : tuple of (float, float, float, float, float)
        Further scatterers at given places: row and column [px], δ at the middle of the energies [rad], its slope
        [rad/eV] and η. The others and their waves' noise stay what they are without.
    """

    material: str = "au111"
    shape: tuple[int, int] = (80, 80)
    pixel_nm: float = 37.5 / 80
    bias_mv: tuple[float, ...] = tuple(float(v) for v in range(-230, 21, 2))
    impurities: int = 60
    unlike: bool = True
    scatterers: str = "usual"
    noise: float = 0.8
    jitter_pm: float = 1.0
    rows: float = 0.1
    drift_px: float = 0.0
    tip_change: bool = False
    herringbone: bool = True
    cores: str = "scrambled"
    margin_nm: float = 9.4
    planted: tuple[tuple[float, float, float, float, float], ...] = ()

    def without_cores(self) -> Setting:
        """Return the same field, seen from its waves alone."""
        return replace(self, cores="replaced")
