"""The wheel scrolls a dock and changes nothing; every control has a tool tip."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QScrollBar,
    QTabBar,
    QWidget,
)

CONTROLS = (QAbstractSpinBox, QComboBox, QAbstractSlider, QTabBar)


class _Calm(QObject):
    """Lets the wheel pass through to the scroll area unless the control was clicked first."""

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return False


_filter: list[_Calm] = []


def finish(root: QWidget) -> None:
    """Take the wheel from all controls below `root`, and give a tool tip to those that have none."""
    if not _filter:
        _filter.append(_Calm())
    for kind in CONTROLS:
        for control in root.findChildren(kind):
            if isinstance(control, QScrollBar) or control.property("calm"):
                continue
            control.setProperty("calm", True)
            if not isinstance(control, QTabBar):
                control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # not by the wheel
            control.installEventFilter(_filter[0])
    _explain(root)


def _explain(root: QWidget) -> None:
    """The label of a row takes the tool tip of its control."""
    for form in root.findChildren(QFormLayout):
        for row in range(form.rowCount()):
            label = form.itemAt(row, QFormLayout.ItemRole.LabelRole)
            field = form.itemAt(row, QFormLayout.ItemRole.FieldRole)
            if label is None or field is None or label.widget() is None or field.widget() is None:
                continue
            if isinstance(label.widget(), QLabel) and not label.widget().toolTip():
                label.widget().setToolTip(field.widget().toolTip())


def controls(root: QWidget) -> list[QWidget]:
    """What a user can operate below `root`, without the inner parts of compound controls."""
    kinds = (QAbstractButton, QAbstractSpinBox, QComboBox, QAbstractSlider, QLineEdit)
    found = []
    for kind in kinds:
        for control in root.findChildren(kind):
            parent = control.parentWidget()
            inner = isinstance(parent, (QAbstractSpinBox, QComboBox, QTabBar, *kinds))
            foreign = type(control).__module__.startswith("pyqtgraph") or _in_plot(control)
            if not (inner or foreign or isinstance(control, QScrollBar)):
                found.append(control)
    return found


def _in_plot(widget: QWidget | None) -> bool:
    while widget is not None:
        if type(widget).__name__ in ("PlotWidget", "GraphicsView", "QScrollBar", "QGraphicsView"):
            return True
        widget = widget.parentWidget()
    return False
