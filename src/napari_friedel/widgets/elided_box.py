"""A chooser whose text is shortened in its middle where it is too long, not cut off at its end."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter


class ElidedBox(QComboBox):
    """A chooser of long names: beginning and end stay in sight, the end mattering most."""

    def paintEvent(self, _event: Any) -> None:
        """Draw the box with as much of the name as there is room for."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        field = QStyle.SubControl.SC_ComboBoxEditField
        style = self.style()
        if style is not None:
            room = style.subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, self).width()
            text = self.fontMetrics().elidedText(option.currentText, Qt.TextElideMode.ElideMiddle, room - 6)
            option.currentText = text
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
