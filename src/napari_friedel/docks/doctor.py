"""What this machine has and what a detection on it will use: `friedel doctor` in the window."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton

from friedel.doctor import Finding, examine
from friedel.progress import Progress
from napari_friedel.jobs import Job
from napari_friedel.widgets.dock import Dock

if TYPE_CHECKING:
    from collections.abc import Generator


class DoctorDock(Dock):
    """A list of findings; what is wrong has a line that says what to do.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    """

    tab = "This machine"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.button = QPushButton("Examine again")
        self.button.setToolTip("Packages, processors, memory, GPU and window, as friedel doctor lists them")
        self.findings = QLabel("Examining …")
        self.findings.setWordWrap(True)
        self.findings.setTextFormat(Qt.TextFormat.RichText)
        self.findings.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.form.addWidget(self.button)
        self.form.addWidget(self.findings)
        self.form.addStretch(1)
        self.job = Job(self, "examining this machine")
        self.job.returned.connect(self.show_findings)
        self.job.failed.connect(self._failed)
        self.button.clicked.connect(self.examine)
        self.examine()

    def examine(self) -> None:
        """Examine in a thread: loading torch takes seconds."""
        self.button.setEnabled(False)
        self.job.start(_examination)

    def show_findings(self, findings: tuple[Finding, ...]) -> None:
        """Show what was found."""
        self.findings.setText("".join(map(_paragraph, findings)))
        self.button.setEnabled(True)

    def _failed(self, problem: str, details: str) -> None:
        self.message.error(problem, details)
        self.button.setEnabled(True)


def _examination() -> Generator[Progress, None, tuple[Finding, ...]]:
    yield Progress(0.0, "examining this machine")
    return examine()


def _paragraph(finding: Finding) -> str:
    hint = f"<br>→ {escape(finding.hint)}" if finding.hint else ""
    return f"<p><b>{escape(finding.topic)}</b>: {escape(finding.text)}{hint}</p>"
