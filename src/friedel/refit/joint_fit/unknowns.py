"""What a joint fit solves for: scatterers and shared parameters, with the numbers that limit its steps."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np

from friedel.physics.optical_paths import Ripple


@dataclass(frozen=True)
class FitConstants:
    """Numbers that the joint fit was tuned with.

    Parameters
    ----------
    core_px : float
        Pixels nearer than this to a scatterer are left out until its core is fitted.
    undetected_sigma_px : float
        Prior standard deviation per axis of the position of a scatterer that the search added.
    min_drift_px : float
        A smaller drift is taken as none.
    core_move_px : float
        Core masks are made anew only if a scatterer has moved by more.
    max_move_px, max_amplitude_step : float
        Longest step of a position per axis, and of an amplitude.
    typical_amplitude, max_amplitude : float
        Scale of the amplitudes that single scattering starts with, and their limit.
    gain_variance : float
        Prior variance of the gain of a row.
    max_attempts : int
        Attempts of a Levenberg–Marquardt step that must lower the cost.
    """

    core_px: float = 1.5
    undetected_sigma_px: float = 2.0
    min_drift_px: float = 0.05
    core_move_px: float = 0.05
    max_move_px: float = 0.3
    max_amplitude_step: float = 0.4
    typical_amplitude: float = 0.6
    max_amplitude: float = 0.9
    gain_variance: float = 0.01
    max_attempts: int = 6


FIT = FitConstants()


@dataclass(frozen=True)
class Shared:
    """Parameters that all scatterers share.

    Parameters
    ----------
    k, im_k : float
        Relative changes of the wavevector and of its damping, both over Re k.
    cosine, sine : float
        Relative amplitudes of the herringbone's modulation of k.
    q_row, q_column : float
        Its wavevector [rad/px].
    drift_row, drift_column : float
        Drift displacement from the middle to the last map [px].
    """

    k: float = 0.0
    im_k: float = 0.0
    cosine: float = 0.0
    sine: float = 0.0
    q_row: float = 0.0
    q_column: float = 0.0
    drift_row: float = 0.0
    drift_column: float = 0.0

    @property
    def ripple(self) -> Ripple:
        """The herringbone."""
        return Ripple(self.cosine, self.sine, (self.q_row, self.q_column))

    @property
    def drift(self) -> np.ndarray:
        """Drift displacement from the middle to the last map [px], (row, column)."""
        return np.array([self.drift_row, self.drift_column])

    def with_values(self, values: dict[str, float]) -> Shared:
        """The same with some of the parameters changed."""
        return Shared(**(asdict(self) | values))


#: Prior standard deviation of each shared parameter.
SHARED_PRIOR = Shared(
    k=0.01, im_k=0.005, cosine=0.05, sine=0.05, q_row=0.03, q_column=0.03, drift_row=0.7, drift_column=0.7
)


@dataclass(frozen=True, eq=False)
class Scatterers:
    """The scatterers of a field, N of them. Arrays are replaced, never changed in place.

    Parameters
    ----------
    number : array of int, shape (N,)
        Index of each among the given points, −1 for those that the search added; these come last.
    position, start : array, shape (N, 2)
        Row and column half-way through the series of maps, and those before the fit [px].
    spread : array, shape (N,)
        Prior standard deviation of the position per axis [px].
    core : array, shape (N,)
        Radius of the core mask [px].
    coefficients : array of complex, shape (N, C)
        Energy coefficients of the scattering amplitude: its value at the middle of the energies, its change to the end.
    """

    number: np.ndarray
    position: np.ndarray
    start: np.ndarray
    spread: np.ndarray
    core: np.ndarray
    coefficients: np.ndarray

    def __len__(self) -> int:
        return len(self.number)

    @classmethod
    def at(cls, points: np.ndarray, spread: np.ndarray, n_coefficients: int) -> Scatterers:
        """Given points, of unknown amplitude."""
        count, points = len(points), np.array(points, float)
        coefficients = np.zeros((count, n_coefficients), complex)
        core = np.full(count, FIT.core_px)
        return cls(np.arange(count), points, points, np.asarray(spread, float), core, coefficients)

    @property
    def given(self) -> int:
        """How many of the given points are still fitted."""
        return int((self.number >= 0).sum())

    def extended(self, places: np.ndarray) -> Scatterers:
        """With scatterers at `places`, (n, 2), that nobody gave."""
        count = len(places)
        more = {
            "number": np.full(count, -1),
            "position": places,
            "start": places,
            "spread": np.full(count, FIT.undetected_sigma_px),
            "core": np.full(count, FIT.core_px),
            "coefficients": np.zeros((count, self.coefficients.shape[1])),
        }
        return Scatterers(**{name: np.concatenate([getattr(self, name), more[name]]) for name in more})

    def without(self, which: np.ndarray) -> Scatterers:
        """Without some of them, by index."""
        return Scatterers(
            **{one.name: np.delete(getattr(self, one.name), which, axis=0) for one in fields(self)}
        )


@dataclass(frozen=True)
class Free:
    """Parameters that a step fits besides the amplitudes.

    Parameters
    ----------
    positions : bool
    shared : tuple of str
        Names of fields of `Shared`.
    """

    positions: bool = True
    shared: tuple[str, ...] = ()
