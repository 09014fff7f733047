"""Prior of the scattering amplitudes, before a fit and from the confident impurities of the same field."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from friedel._util.robust import deviation


@dataclass(frozen=True)
class AmplitudeConstants:
    """Numbers of the prior.

    Parameters
    ----------
    mean, spread : float
        Of the real part of an amplitude (the imaginary part has the mean 0), and standard deviation of both parts.
    slope_spread : float
        Standard deviation of the change from the middle to the end of the energies.
    min_class_size : int
        Confident impurities from which on a field tells what its impurities have in common.
    class_radius : float
        Amplitudes nearer than this to the median belong to the same class.
    min_class_spread : float
        No class is taken as more alike than this.
    """

    mean: float = -0.4
    spread: float = 0.5
    slope_spread: float = 0.3
    min_class_size: int = 10
    class_radius: float = 0.35
    min_class_spread: float = 0.08

    def spreads(self, n_coefficients: int) -> np.ndarray:
        """Standard deviation of each energy coefficient, shape (n_coefficients, 1)."""
        return np.array([self.spread, self.slope_spread])[:n_coefficients, None]


AMPLITUDES = AmplitudeConstants()


@dataclass(frozen=True, eq=False)
class AmplitudePrior:
    """Normal distributions, one for each part of each scatterer's amplitude.

    Parameters
    ----------
    confident : array of bool, shape (N,)
        Points that are impurities: their amplitude is expected at `AmplitudeConstants.mean`, that of others at 0.
    mean, spread : array, shape (N, C, 2)
        Means and standard deviations of real and imaginary part of each energy coefficient.
    typical, typical_spread : array, shape (C, 2)
        Those of an impurity of this field that has not been detected yet.
    """

    confident: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    typical: np.ndarray
    typical_spread: np.ndarray

    @classmethod
    def of(cls, confident: np.ndarray, n_coefficients: int) -> AmplitudePrior:
        """What is known before a fit.

        Parameters
        ----------
        confident : array of bool, shape (N,)
        n_coefficients : int
            1 for amplitudes that are constant in energy, 2 for linear ones.
        """
        confident = np.asarray(confident, bool)
        mean = np.zeros((len(confident), n_coefficients, 2))
        mean[confident, 0, 0] = AMPLITUDES.mean
        spreads = AMPLITUDES.spreads(n_coefficients)
        typical = np.zeros((n_coefficients, 2))
        typical_spread = np.broadcast_to(spreads, typical.shape)
        return cls(confident, mean, np.broadcast_to(spreads, mean.shape).copy(), typical, typical_spread)

    def terms(self, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """1/variance and distance from the prior, shape (2 N C,): real parts, then imaginary ones, by coefficient.

        Parameters
        ----------
        coefficients : array of complex, shape (N, C)
        """
        away = _parts(coefficients) - self.mean
        return _by_coefficient(self.spread) ** -2.0, _by_coefficient(away)

    def pooled(self, coefficients: np.ndarray, undetected: np.ndarray) -> AmplitudePrior:
        """Shrink one class towards the median of its confident impurities: known amplitudes give better positions.

        For heterogeneous impurities the prior is left unchanged.

        Parameters
        ----------
        coefficients : array of complex, shape (N, C)
            Amplitudes as fitted so far.
        undetected : array of bool, shape (N,)
            Scatterers that the search added: those that resemble the confident ones belong to their class.
        """
        if self.confident.sum() < AMPLITUDES.min_class_size:
            return self
        value = _parts(coefficients)
        typical = np.median(value[self.confident], axis=0)
        spread = deviation(np.moveaxis(value[self.confident] - typical, 0, -1))
        fresh = AmplitudePrior.of(self.confident, coefficients.shape[1])
        near = np.hypot(*(value - typical)[:, 0].T) < AMPLITUDES.class_radius
        same = (self.confident | undetected) & near
        spread = np.clip(spread, AMPLITUDES.min_class_spread, fresh.typical_spread)
        fresh.mean[same], fresh.spread[same] = typical, spread
        return replace(fresh, typical=typical, typical_spread=spread)

    def extended(self, count: int) -> AmplitudePrior:
        """With so many more scatterers, of which nothing is known."""
        more = AmplitudePrior.of(np.zeros(count, bool), self.mean.shape[1])
        return replace(
            self,
            confident=np.append(self.confident, more.confident),
            mean=np.vstack([self.mean, more.mean]),
            spread=np.vstack([self.spread, more.spread]),
        )

    def without(self, which: np.ndarray) -> AmplitudePrior:
        """Without these scatterers, by index."""
        return replace(
            self,
            confident=np.delete(self.confident, which),
            mean=np.delete(self.mean, which, axis=0),
            spread=np.delete(self.spread, which, axis=0),
        )


def _by_coefficient(parts: np.ndarray) -> np.ndarray:
    """All real parts, then all imaginary ones, coefficient by coefficient; of no scatterer none."""
    return np.moveaxis(parts, 0, -1).ravel()


def _parts(coefficients: np.ndarray) -> np.ndarray:
    return np.stack([coefficients.real, coefficients.imag], axis=2)
