"""Posterior probability of a candidate from the network logit and the Δχ² of the refit (logistic regression).

The fit says by how much χ² would rise without a scatterer (`friedel.refit.driver`). Calibrated on simulated fields: a
logistic regression on the network's logit, on log₁₀ Δχ², and on log₁₀ of Δχ² over that of a typical impurity of the
same field. Measured and fitted by ``benchmarks/refit_verdict.py``, on fields that are neither the standard scenes nor
training data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit


@dataclass(frozen=True)
class SelectionConstants:
    """Numbers of the model selection.

    Parameters
    ----------
    min_probability : float
        Candidates at least so probable are included in the fit.
    quick, full : tuple of float
        Weights for each kind of refit: constant, network logit, log₁₀ Δχ², log₁₀ of Δχ² over the typical one. On the
        present fields they do no worse than weights fitted anew (``module`` and ``after`` in
        ``benchmarks/results/verdict-quick.txt`` and ``verdict-full.txt``).
    usual_delta_chi2, usual_count : float, int
        A field without impurities has no typical one: so many of this Δχ² are always added.
    logit_clip : float
        Network logits are clipped at ± this.
    min_delta_chi2 : float
        A smaller Δχ² counts as this.
    least_explained, full_explained : float
        Share of the structure of the field that the waves explain from which on the fit counts at all, and from which
        on alone (`averaged`). Fields of point scatterers reach .9, p waves .4 to .6.
    """

    min_probability: float = 0.015
    quick: tuple[float, ...] = (1.51, 0.58, 1.25, 1.99)
    full: tuple[float, ...] = (1.99, 0.32, 1.2, 2.13)
    usual_delta_chi2: float = 1000.0
    usual_count: int = 3
    logit_clip: float = 6.0
    min_delta_chi2: float = 1.0
    least_explained: float = 0.5
    full_explained: float = 0.9

    def weights(self, kind: str) -> np.ndarray:
        """Weights of one kind of refit, shape (4,)."""
        return np.array({"quick": self.quick, "full": self.full}[kind])


SELECTION = SelectionConstants()


def features(probability: np.ndarray, delta_chi2: np.ndarray) -> np.ndarray:
    """Regressors of the posterior probability, shape (n, 4).

    Parameters
    ----------
    probability : array, shape (n,)
        The network's.
    delta_chi2 : array, shape (n,)
        Of the fit; 0 for what it pruned.
    """
    c = SELECTION
    network = np.clip(logit(probability), -c.logit_clip, c.logit_clip)
    rise = np.maximum(delta_chi2, c.min_delta_chi2)
    typical = typical_delta_chi2(rise[probability >= 0.5])
    return np.stack([np.ones(len(rise)), network, np.log10(rise), np.log10(rise / typical)], axis=1)


def typical_delta_chi2(delta_chi2: np.ndarray) -> float:
    """Δχ² of a typical impurity of a field, from those of its confident ones, shape (n,); NaN are left out."""
    c = SELECTION
    known = delta_chi2[delta_chi2 > c.min_delta_chi2]
    return float(np.median(np.append(known, [c.usual_delta_chi2] * c.usual_count)))


def required_delta_chi2(typical: float, kind: str = "full", threshold: float = 0.5) -> float:
    """Δχ² from which on a candidate is accepted on which the network is undecided.

    Parameters
    ----------
    typical : float
        As `typical_delta_chi2`.
    kind : {"quick", "full"}
        Which refit.
    threshold : float
        Probability of an accepted candidate.
    """
    constant, _, alone, beside = SELECTION.weights(kind)
    wanted = float(logit(threshold)) - constant + beside * np.log10(typical)
    return float(max(10 ** (wanted / (alone + beside)), SELECTION.min_delta_chi2))


def posterior_probability(probability: np.ndarray, delta_chi2: np.ndarray, kind: str = "full") -> np.ndarray:
    """Probability of each impurity after the fit, shape (n,).

    Parameters
    ----------
    probability : array, shape (n,)
        The network's.
    delta_chi2 : array, shape (n,)
        Of the fit; NaN where it says nothing, and the probability stays.
    kind : {"quick", "full"}
        Which refit.
    """
    probability, delta_chi2 = np.asarray(probability, float), np.asarray(delta_chi2, float)
    known = np.isfinite(delta_chi2)
    out = probability.copy()
    out[known] = expit(features(probability[known], delta_chi2[known]) @ SELECTION.weights(kind))
    return out


def averaged(network: np.ndarray, posterior: np.ndarray, explained: float) -> np.ndarray:
    """Probability whose logit is the mean of the network's and the fit's; the fit's weight is what it explains.

    Where point scatterers are fitted to p waves, discs or a second tip, Δχ² grows by what they leave unexplained, and
    false points beside the true ones seem sure.

    Parameters
    ----------
    network, posterior : array, shape (n,)
    explained : float
        Share of the structure of the field that the fitted waves explain; NaN counts as all of it.
    """
    c = SELECTION
    weight = np.clip((explained - c.least_explained) / (c.full_explained - c.least_explained), 0, 1)
    if not weight < 1:
        return posterior
    ours, theirs = (np.clip(logit(p), -c.logit_clip, c.logit_clip) for p in (posterior, network))
    return np.asarray(expit(weight * ours + (1 - weight) * theirs))
