"""A number of nanometres."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import create_widget

if TYPE_CHECKING:
    from qtpy.QtWidgets import QDoubleSpinBox


def length_box(value: float, low: float, tip: str) -> QDoubleSpinBox:
    """A box for a length [nm]."""
    options = {"min": low, "max": 1000.0, "step": 0.1}
    box = create_widget(value=value, widget_type="FloatSpinBox", options=options).native
    box.setSuffix(" nm")
    box.setToolTip(tip)
    return box
