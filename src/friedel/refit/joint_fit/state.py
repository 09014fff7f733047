"""The state of a joint fit: unknowns, errors, the subset in use, and the curvature that gives σ and Δχ²."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from friedel.errors import FriedelError
from friedel.refit import cholesky
from friedel.refit.amplitude_prior import AmplitudePrior
from friedel.refit.joint_fit.unknowns import Scatterers, Shared

if TYPE_CHECKING:
    from friedel.refit.field_model import FieldModel
    from friedel.refit.joint_fit.data import FitData
    from friedel.refit.normal_equations import NormalEquations, Weights


class NotSettledError(FriedelError):
    """σ or Δχ² was asked for before a step that fits all parameters of the present scatterers."""


@dataclass(frozen=True, eq=False)
class ErrorModel:
    """Errors of the maps.

    Parameters
    ----------
    noise : array, shape (V,)
        Standard deviation of each map.
    common, common_share : array, shape (V,), and float
        Direction over the maps in which errors of a pixel are correlated, of norm 1, and their share of the variance.
    weight : array, shape (P,)
        Of each pixel, from 0 to 1.
    gain : array, shape (rows,)
        Of each row.
    """

    noise: np.ndarray
    common: np.ndarray
    common_share: float
    weight: np.ndarray
    gain: np.ndarray

    @classmethod
    def of(cls, data: FitData) -> ErrorModel:
        """Before anything is known."""
        count = len(data.k)
        common = np.ones(count) / np.sqrt(count)
        return cls(np.ones(count), common, 0.0, np.ones(len(data.pixels)), np.ones(data.mask.shape[0]))


@dataclass(frozen=True, eq=False)
class Subset:
    """Subset of maps and pixels that an iteration uses.

    Parameters
    ----------
    maps : array of int, shape (v,)
    pixels : array of bool, shape (P,)
    """

    maps: np.ndarray
    pixels: np.ndarray

    def same_as(self, other: Subset) -> bool:
        """Whether both hold the same maps and pixels."""
        return np.array_equal(self.maps, other.maps) and np.array_equal(self.pixels, other.pixels)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The model at some parameters, compared with the data.

    Parameters
    ----------
    weights : Weights
    residual : array, shape (v, p)
        Data minus model over the noise of each map, at the used pixels.
    chi2, cost : float
        χ², and with the priors.
    scale : array, shape (v,)
        Scale a of each map in units of the data.
    gain_sums : (array, array), shapes (p,)
        Σ over the maps of model × residual and of model², for the rows' gains.
    """

    weights: Weights
    residual: np.ndarray
    chi2: float
    cost: float
    scale: np.ndarray
    gain_sums: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Curvature:
    """The normal matrix of a step that fitted all parameters of the present scatterers.

    Parameters
    ----------
    sums : NormalEquations
        With the priors: positions, amplitudes, shared parameters.
    count, n_coefficients : int
        N and C of the scatterers.
    device : str, optional
        A torch device that inverts it; the processor if None.
    """

    sums: NormalEquations
    count: int
    n_coefficients: int
    device: str | None = None

    @cached_property
    def covariance(self) -> np.ndarray:
        """Inverse of the normal matrix."""
        return cholesky.inverse(self.sums.matrix, self.device)

    @cached_property
    def covariance_at_fixed_scales(self) -> np.ndarray:
        """The same with the scale of every map known (Woodbury's identity)."""
        through = self.covariance @ self.sums.by_scale
        inner = np.eye(through.shape[1]) + self.sums.by_scale.T @ through
        return np.asarray(self.covariance - through @ np.linalg.solve(inner, through.T))

    def sigma(self) -> np.ndarray:
        """Standard deviation of the positions per axis [px], shape (N,)."""
        variance = np.diag(self.covariance)[: 2 * self.count].reshape(2, -1)
        return np.asarray(np.sqrt(variance.mean(axis=0)))

    def delta_chi2(self, coefficients: np.ndarray) -> np.ndarray:
        """By how much χ² would rise, to second order, without each scatterer (Wald's test of its amplitude), (N,).

        At fixed scales of the maps: with free ones the amplitude of a lone scatterer is undetermined, however clear
        its wave is, since the scale multiplies it.
        """
        n = self.count
        value = np.stack([coefficients.real, coefficients.imag], axis=2).reshape(n, -1, 1)
        block = 2 * n + np.arange(n)[:, None] + n * np.arange(2 * self.n_coefficients)
        covariance = self.covariance_at_fixed_scales[block[:, :, None], block[:, None, :]]
        return np.asarray((value * np.linalg.solve(covariance, value)).sum(axis=(1, 2)))


@dataclass(eq=False)
class FitState:
    """All that a joint fit changes. Only the functions of `friedel.refit.joint_fit` write to it.

    Parameters
    ----------
    scatterers : Scatterers
    prior : AmplitudePrior
        Of their amplitudes.
    errors : ErrorModel
    subset : Subset
    scale : array, shape (V,)
        Scale of each map, as last evaluated.
    discs, outside, used : array
        Core masks (N, 3), the pixels outside all of them (P,), indices of the pixels in use.
    shared, shared_mean : Shared
        Shared parameters and the centres of their priors.
    active : tuple of str
        Shared parameters that are free.
    use_common_errors : bool
        Whether errors that all maps share are weighted down; of few maps it costs much and changes little.
    damping : float
        Of Levenberg and Marquardt.
    binning_correction : array, shape (V, P), optional
        What the mean over the voltages of a bin adds to the maps of the blurred model
        (`friedel.refit.joint_fit.evaluation.correct_binning`); 0 if None.
    evaluation : Evaluation, optional
    curvature : Curvature, optional
        None until a step has fitted the positions of the present scatterers to the present maps and pixels.
    device : str, optional
        A torch device that makes the maps of the model and the normal equations; the processor, by numpy, if None.
    """

    scatterers: Scatterers
    prior: AmplitudePrior
    errors: ErrorModel
    subset: Subset
    scale: np.ndarray
    discs: np.ndarray
    outside: np.ndarray
    used: np.ndarray
    shared: Shared = field(default_factory=Shared)
    shared_mean: Shared = field(default_factory=Shared)
    active: tuple[str, ...] = ()
    use_common_errors: bool = True
    damping: float = 1e-3
    binning_correction: np.ndarray | None = None
    evaluation: Evaluation | None = None
    curvature: Curvature | None = None
    device: str | None = None
    cached_model: tuple[tuple[object, ...], Shared, FieldModel] | None = None

    @classmethod
    def start(
        cls, data: FitData, points: np.ndarray, spread: np.ndarray, confident: np.ndarray | None = None
    ) -> FitState:
        """The state before the first step.

        Parameters
        ----------
        data : FitData
        points : array, shape (n, 2)
            Where scatterers were found [px].
        spread : array, shape (n,)
            Prior standard deviation of these positions per axis [px].
        confident : array of bool, shape (n,), optional
            Points that are impurities, others may be none; all are if None.
        """
        known = np.ones(len(points), bool) if confident is None else confident
        everything = np.ones(len(data.pixels), bool)
        return cls(
            scatterers=Scatterers.at(points, spread, data.n_coefficients),
            prior=AmplitudePrior.of(known, data.n_coefficients),
            errors=ErrorModel.of(data),
            subset=Subset(np.arange(len(data.k)), everything),
            scale=np.ones(len(data.k)),
            discs=np.zeros((0, 3)),
            outside=everything,
            used=np.arange(len(data.pixels)),
        )

    @property
    def settled(self) -> bool:
        """Whether σ and Δχ² can be asked for."""
        return self.curvature is not None

    @property
    def confident(self) -> np.ndarray:
        """Which scatterers are surely impurities, shape (N,)."""
        return self.prior.confident

    def now(self) -> Evaluation:
        """The last evaluation.

        Raises
        ------
        NotSettledError
            If there is none.
        """
        if self.evaluation is None:
            raise NotSettledError(
                "The fit has not been evaluated yet: guess the amplitudes or take a step first."
            )
        return self.evaluation

    def settled_curvature(self) -> Curvature:
        """The curvature of the present fit.

        Raises
        ------
        NotSettledError
            If no step has fitted the positions since scatterers, maps or pixels changed.
        """
        if self.curvature is None:
            raise NotSettledError(
                "σ and Δχ² are known only after a step that fits the positions of the present scatterers."
            )
        return self.curvature

    def sigma(self) -> np.ndarray:
        """Standard deviation of the positions per axis [px], shape (N,); raises as `settled_curvature`."""
        return self.settled_curvature().sigma()

    def delta_chi2(self) -> np.ndarray:
        """Δχ² of each scatterer, shape (N,); raises as `settled_curvature`."""
        return self.settled_curvature().delta_chi2(self.scatterers.coefficients)

    def move_shared(self, values: dict[str, float]) -> None:
        """Change some of the shared parameters."""
        self.shared = self.shared.with_values(values)

    def update(self, **changes: np.ndarray) -> None:
        """Replace arrays of the scatterers."""
        self.scatterers = replace(self.scatterers, **changes)
