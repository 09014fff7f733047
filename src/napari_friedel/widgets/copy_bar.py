"""Two buttons that copy what a dock does: as Python, as a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QWidget

from friedel.errors import FriedelError
from napari_friedel.widgets.copying import to_clipboard
from napari_friedel.widgets.small import button
from napari_friedel.words import sentence

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_friedel.recipes import Recipe


def _warn(text: str) -> None:
    from napari.utils.notifications import show_warning

    show_warning(text)


class CopyBar(QWidget):
    """“Copy as Python” and “Copy as command”.

    Parameters
    ----------
    make : callable
        Gives the `Recipe`; its `FriedelError` is shown.
    problem : callable, optional
        Takes the sentence of an error; napari's notification if None.
    """

    def __init__(self, make: Callable[[], Recipe], problem: Callable[[str], object] | None = None) -> None:
        super().__init__()
        self._make, self._problem = make, problem or _warn
        self.python = button("Copy as Python", "Lines that repeat this in a notebook")
        self.command = button("Copy as command", "A line that repeats this in a shell")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.python)
        row.addWidget(self.command)
        self.python.clicked.connect(lambda: self._copy("python"))
        self.command.clicked.connect(lambda: self._copy("command"))

    def _copy(self, form: str) -> None:
        try:
            recipe = self._make()
        except FriedelError as error:
            self._problem(sentence(error))
            return
        to_clipboard(getattr(recipe, form))
