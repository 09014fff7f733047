"""Buttons that save a session, open it, and go on where the last one ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog, QGroupBox, QVBoxLayout

from friedel.errors import FriedelError
from friedel.progress import Progress
from napari_friedel import session
from napari_friedel.jobs import Job
from napari_friedel.layers import results
from napari_friedel.turns import in_turns
from napari_friedel.widgets.listener import Listener
from napari_friedel.widgets.small import button, side_by_side
from napari_friedel.words import sentence

if TYPE_CHECKING:
    from collections.abc import Generator


class SessionBox(QGroupBox):
    """Saves and opens sessions; keeps the last one on its own."""

    #: A change is kept this long after it happened [ms].
    delay = 3000

    def __init__(self, viewer: Any, message: Any) -> None:
        super().__init__("Session")
        self._viewer, self._message = viewer, message
        self.job = Job(self, "opening a session")
        self.save = button("Save session…", "Files, settings, band, results and edits, to go on another day")
        self.open = button("Open session…", "Open what was saved; files that have changed are named")
        self.go_on = button("Continue where I was", "Open the stacks, results and edits of the last session")
        rows = QVBoxLayout(self)
        rows.setContentsMargins(6, 6, 6, 6)
        rows.addWidget(side_by_side(self.save, self.open))
        rows.addWidget(self.go_on)
        self.go_on.setVisible(session.last_path().exists())
        self.save.clicked.connect(self._ask_save)
        self.open.clicked.connect(self._ask_open)
        self.go_on.clicked.connect(lambda: self.load(str(session.last_path())))
        self.job.returned.connect(self._restore)
        self.job.failed.connect(message.error)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(self.delay)
        self._timer.timeout.connect(self._keep)
        Listener(self).on(results.EVENTS.changed, self._later)

    def _later(self, _layer: Any = None) -> None:
        self._timer.start()

    def _keep(self) -> None:
        try:
            session.save(self._viewer, session.last_path(), at_most=session.UNASKED)
        except (FriedelError, OSError, ValueError, TypeError):
            return  # nothing worth keeping, or no room: no reason to disturb

    def _ask_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the session", "", f"Session (*{session.SUFFIX})")
        if path:
            self.write(path if path.endswith(".json") else path + session.SUFFIX)

    def write(self, path: str) -> None:
        """Save the session."""
        try:
            session.save(self._viewer, path)
            self._message.info(f"Saved {path}.")
        except (FriedelError, OSError) as error:
            self._message.error(sentence(error))

    def _ask_open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a session", "", f"Session (*{session.SUFFIX})")
        if path:
            self.load(path)

    def load(self, path: str) -> None:
        """Open a session; its files are read off the GUI thread."""
        try:
            state = session.read(path)
        except FriedelError as error:
            self._message.error(sentence(error))
            return

        def work() -> Generator[Progress, None, Any]:
            yield Progress(0.0, "opening the stacks of the session")
            from friedel.io import open_stack

            return state, session.load_stacks(state, open_stack)

        self.job.start(work)

    def _restore(self, result: Any) -> None:
        state, stacks = result
        in_turns(session.restoring(self._viewer, state, stacks), self._restored)

    def _restored(self, opened: session.Opened) -> None:
        text = f"{opened.stacks} stack(s) and {opened.results} result(s) are back."
        if opened.warnings:
            self._message.warn(" ".join([text, *opened.warnings]))
        else:
            self._message.info(text)
