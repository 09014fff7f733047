"""Small things that several docks use: hints, rows, links, napari's preferences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget
from superqt import QCollapsible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtCore import QSize

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


class Fold(QCollapsible):
    """A collapsible whose content is as tall as its words need in the width that they have.

    superqt's own gives it the height of its size hint, which cuts off the last lines of a text that wraps.
    """

    def __init__(self, title: str) -> None:
        super().__init__(title, expandedIcon="▾", collapsedIcon="▸")
        self.setDuration(0)
        if (rows := self.layout()) is not None:
            rows.setAlignment(Qt.AlignmentFlag(0))  # an aligned layout is as tall as its size hint, too
        self.toggled.connect(self._free)

    def _free(self, opened: bool) -> None:
        self.content().setMaximumHeight(2**24 - 1 if opened else 0)  # Qt's QWIDGETSIZE_MAX

    def sizeHint(self) -> QSize:
        """The height that the words need in this width: the policy below lets it be no more, and no less."""
        hint = super().sizeHint()
        if self.hasHeightForWidth():
            hint.setHeight(self.heightForWidth(self.width()))
        return hint

    def resizeEvent(self, event: Any) -> None:
        """Another width asks for another height."""
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self.updateGeometry()

    def eventFilter(self, _watched: Any, _event: Any) -> bool:
        """Leave the height to the layout, where superqt would set it anew whenever the content changes its size."""
        return False


def fold(title: str, tip: str, *widgets: QWidget) -> QCollapsible:
    """Widgets that are folded away below a title, without blank bands above and below it."""
    made = Fold(title)
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
