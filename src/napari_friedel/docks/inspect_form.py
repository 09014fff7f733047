"""Small parts of the inspect dock."""

from __future__ import annotations

import numpy as np
from magicgui.widgets import create_widget
from qtpy.QtWidgets import QDoubleSpinBox


def is_even(bias: np.ndarray) -> bool:
    """Whether voltages lie at equal intervals."""
    return len(bias) < 3 or bool(np.allclose(np.diff(bias), bias[1] - bias[0], rtol=1e-3))


def length(value: float, low: float, tip: str) -> QDoubleSpinBox:
    """A box for a length [nm]."""
    options = {"min": low, "max": 1000.0, "step": 0.1}
    box = create_widget(value=value, widget_type="FloatSpinBox", options=options).native
    box.setSuffix(" nm")
    box.setToolTip(tip)
    return box
