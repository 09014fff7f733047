"""Buttons that save a session, open it, and go on where the last one ended."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog, QGroupBox, QVBoxLayout

from friedel.errors import FriedelError
from friedel.progress import Progress
from napari_friedel import reopening, session
from napari_friedel.jobs import Job
from napari_friedel.layers import results
from napari_friedel.turns import draw_while, in_turns, lock_at_once
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
        self._keeping = threading.Thread()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(self.delay)
        self._timer.timeout.connect(self._keep)
        Listener(self).on(results.EVENTS.changed, self._later)

    def _later(self, _layer: Any = None) -> None:
        self._timer.start()

    def _keep(self) -> None:
        if self._keeping.is_alive():  # the last state is still on its way to the disk
            self._later()
            return
        try:
            captured = session.capture(self._viewer)
        except FriedelError:
            return  # nothing worth keeping
        path = session.last_path()

        def work() -> None:
            with lock_at_once(), contextlib.suppress(FriedelError, OSError, ValueError, TypeError):
                session.keep(captured, path, at_most=session.UNASKED)  # no room: no reason to disturb

        self._keeping = threading.Thread(target=work, name="session")
        self._keeping.start()

    def _ask_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the session", "", f"Session (*{session.SUFFIX})")
        if path:
            self.write(path if path.endswith(".json") else path + session.SUFFIX)

    def write(self, path: str) -> None:
        """Save the session."""
        try:
            captured = session.capture(self._viewer)
            draw_while(lambda: session.keep(captured, path))
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
        steps = reopening.restoring(self._viewer, state, stacks)
        in_turns(steps, self._restored, self._message.error_of, viewer=self._viewer)

    def _restored(self, opened: reopening.Opened) -> None:
        text = f"Back: {counted(opened.stacks, 'stack')} and {counted(opened.results, 'result')}."
        if opened.warnings:
            self._message.warn(" ".join([text, *opened.warnings]))
        else:
            self._message.info(text)


def counted(number: int, thing: str) -> str:
    """How many of a thing, in words: "1 stack", "2 stacks"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
