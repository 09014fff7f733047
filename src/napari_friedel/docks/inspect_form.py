"""Small parts of the inspect dock."""

from __future__ import annotations

import numpy as np


def is_even(bias: np.ndarray) -> bool:
    """Whether voltages lie at equal intervals."""
    return len(bias) < 3 or bool(np.allclose(np.diff(bias), bias[1] - bias[0], rtol=1e-3))
