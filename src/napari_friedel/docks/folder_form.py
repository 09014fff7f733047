"""The form of the folder dock: files, results, the run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QLabel, QListWidget, QProgressBar, QSpinBox

from napari_friedel.widgets import Dock, JobBar, button, hint, side_by_side
from napari_friedel.widgets.copy_bar import CopyBar

if TYPE_CHECKING:
    from napari_friedel import recipes
    from napari_friedel.jobs import Job


class FolderForm(Dock):
    """What is chosen before many files are processed; `FolderDock` makes it."""

    job: Job

    def _build_files(self) -> None:
        rows = self.group("Files")
        self.choose = button(
            "Choose a folder…", "Lists its dI/dV files; ✓ marks those whose points are saved"
        )
        self.files = QListWidget()
        self.files.setToolTip("Tick what shall be processed; double-click opens a file")
        self.files.setMinimumHeight(160)
        self.files.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # the end of a name tells files apart
        self.files.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.previous = button("◀ Previous", "Open the previous file; the layers of this one are closed")
        self.next = button("Next ▶", "Open the next file; the layers of this one are closed")
        self.all = button("Tick all", "Tick every file")
        self.none = button("Tick what is left", "Tick the files whose points are not saved yet")
        rows.addRow(self.choose)
        rows.addRow(self.files)
        rows.addRow(side_by_side(self.previous, self.next))
        rows.addRow(side_by_side(self.all, self.none))

    def _build_results(self) -> None:
        rows = self.group("Results")
        self.where = button("Results in…", "Choose the folder of tables, reports and the summary")
        self.place = hint("")
        rows.addRow(side_by_side(self.where, self.place, shares=(0, 1)))
        self.processes = QSpinBox()
        self.processes.setRange(1, max(1, os.cpu_count() or 1))
        self.processes.setToolTip(
            "So many files are processed at a time; the processor's cores are shared among them"
        )
        rows.addRow("Processes", self.processes)
        self.overwrite = QCheckBox("Replace results made otherwise")
        self.overwrite.setToolTip(
            "Off: what is there with these settings is left, and what was made with others is not replaced"
        )
        rows.addRow(self.overwrite)

    def _build_run(self) -> None:
        self.bar = JobBar(self.job, "Process the ticked files")
        self.bar.start.setToolTip("Detect in each with the settings of the Detect dock")
        self.form.addWidget(self.bar)
        self.copy = CopyBar(self._recipe, self.message.error)
        self.form.addWidget(self.copy)
        self.summary = QLabel("")
        self.summary.setWordWrap(True)
        self.done_bar = QProgressBar()
        self.done_bar.setFormat("%v of %m files done")
        self.form.addWidget(self.done_bar)
        self.form.addWidget(self.summary)
        self.show_summary = button("Open the summary", "summary.html, in the browser")
        self.show_summary.setEnabled(False)
        self.form.addWidget(self.show_summary)
        self.form.addWidget(
            hint("Each file gets a table and a report; summary.csv and summary.html list all of them.")
        )
        self.form.addStretch(1)

    def _recipe(self) -> recipes.Recipe:
        raise NotImplementedError
