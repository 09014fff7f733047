"""The χ² distribution from SciPy's special functions: `scipy.stats`, which has it too, takes half a second to load."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special


def sf(value: Any, freedom: Any) -> Any:
    """Probability of more than `value` at `freedom` degrees of freedom."""
    return special.chdtrc(freedom, np.maximum(value, 0))  # of a negative number SciPy's function says nan


def isf(probability: Any, freedom: Any) -> Any:
    """Value that is exceeded with this probability."""
    return special.chdtri(freedom, probability)


def ppf(probability: Any, freedom: Any) -> Any:
    """Value that is not exceeded with this probability."""
    return 2 * special.gammaincinv(freedom / 2, probability)
