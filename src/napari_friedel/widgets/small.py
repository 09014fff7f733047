"""Small things that several docks use: hints, rows, links, napari's preferences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget
from superqt import QCollapsible

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Where the documentation lies.
DOCS = "https://napari-friedel.readthedocs.io/en/latest/"


def hint(text: str) -> QLabel:
    """A quiet line of explanation."""
    label = QLabel(text)
    label.setWordWrap(True)
    # napari colours by style sheet, not by palette: the theme's own ink is seen in every theme.
    label.setStyleSheet("QLabel { font-style: italic; }")
    return label


def side_by_side(*widgets: QWidget, shares: Sequence[int] = ()) -> QWidget:
    """Widgets in one line, of equal share if none is given, for a row of a form."""
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    for widget, share in zip(widgets, shares or [1] * len(widgets), strict=True):
        row.addWidget(widget, share)
    return holder


def button(text: str, tip: str) -> QPushButton:
    """A button with a tool tip."""
    made = QPushButton(text)
    made.setToolTip(tip)
    return made


def fold(title: str, tip: str, *widgets: QWidget) -> QCollapsible:
    """Widgets that are folded away below a title, without blank bands above and below it."""
    made = QCollapsible(title, expandedIcon="▾", collapsedIcon="▸")
    made.setDuration(0)
    for widget in widgets:
        made.addWidget(widget)
    for part in (made, made.content()):
        if (rows := part.layout()) is not None:
            rows.setContentsMargins(0, 0, 0, 0)
            rows.setSpacing(2)
    made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    made.toggleButton().setToolTip(tip)
    return made


def what_is_this(page: str) -> QLabel:
    """A link to a page of the documentation."""
    label = QLabel(f'<a href="{DOCS}{page}" style="color: #3d94f6">What is this?</a>')
    label.setOpenExternalLinks(True)
    label.setToolTip(f"Opens {DOCS}{page}")
    return label


def setting(group: str, key: str, default: Any) -> Any:
    """Read one of the plugin's settings from napari's preferences; `default` where there are none."""
    try:
        from napari.settings import get_plugin_settings

        return getattr(getattr(get_plugin_settings("napari-friedel"), group), key)
    except Exception:  # no plugin manager (bare ViewerModel), or a settings file of another version
        return default
