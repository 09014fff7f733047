"""A bias voltage as the canvas shows it."""

from __future__ import annotations

import numpy as np


def bias_text(bias: np.ndarray, index: int) -> str:
    """Voltage `index` in mV, with as many digits as tell it from its neighbours."""
    steps = np.abs(np.diff(bias))
    steps = steps[steps > 0]
    digits = int(np.clip(1 - np.floor(np.log10(steps.min())), 0, 4)) if steps.size else 2
    text = f"{bias[index]:+.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{'+0' if text == '-0' else text} mV"
