"""How probable an impurity is once the waves have been fitted: the network's word and the fit's, together.

The fit says by how much χ² would rise without a scatterer (`friedel.detection.refit`). Many twins tell what that is
worth: a logistic regression on the network's logit, on the evidence, and on the evidence beside that of a typical
impurity of the same field. Measured and fitted by ``benchmarks/refit_verdict.py``, on fields that are neither the
standard scenes nor training data.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

#: Candidates at least so probable are fitted along.
DOUBT = 0.015
#: Weights for each kind of refit: constant, the network's logit, log₁₀ of the evidence, log₁₀ of it beside the typical
#: one. Fitted to versions before; on the fields of today they do no worse than weights fitted anew (``module`` and
#: ``after`` in ``benchmarks/results/verdict-quick.txt`` and ``verdict-full.txt``).
WEIGHTS = {"quick": (1.51, 0.58, 1.25, 1.99), "full": (1.99, 0.32, 1.2, 2.13)}
#: A field without impurities has no typical one: so many of this evidence are always added.
USUAL_EVIDENCE, USUAL_COUNT = 1000.0, 3
#: Logits are taken no further than this; less evidence than this counts as this much.
FARTHEST_LOGIT, LEAST_EVIDENCE = 6.0, 1.0


def features(probability: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """What the verdict rests on, shape (n, 4).

    Parameters
    ----------
    probability : array, shape (n,)
        The network's.
    evidence : array, shape (n,)
        Of the fit; 0 for what it dropped.
    """
    said = np.clip(logit(probability), -FARTHEST_LOGIT, FARTHEST_LOGIT)
    seen = np.maximum(evidence, LEAST_EVIDENCE)
    sure = seen[(probability >= 0.5) & (seen > LEAST_EVIDENCE)]
    typical = float(np.median(np.append(sure, [USUAL_EVIDENCE] * USUAL_COUNT)))
    return np.stack([np.ones(len(seen)), said, np.log10(seen), np.log10(seen / typical)], axis=1)


def verdict(probability: np.ndarray, evidence: np.ndarray, kind: str = "full") -> np.ndarray:
    """Probability of each impurity after the fit, shape (n,).

    Parameters
    ----------
    probability : array, shape (n,)
        The network's.
    evidence : array, shape (n,)
        Of the fit; NaN where it says nothing, and the probability stays.
    kind : {"quick", "full"}
        Which refit.
    """
    probability, evidence = np.asarray(probability, float), np.asarray(evidence, float)
    known = np.isfinite(evidence)
    out = probability.copy()
    out[known] = expit(features(probability[known], evidence[known]) @ np.array(WEIGHTS[kind]))
    return out
