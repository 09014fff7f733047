"""A start button, progress with time left, and Cancel; the same progress in napari's activity dock."""

from __future__ import annotations

import time
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_friedel.jobs import Job, State


class JobBar(QWidget):
    """A start button, progress with time left, and Cancel: the face of a `Job`."""

    #: The bar and its words change this often [ms].
    interval = 250

    def __init__(self, job: Job, start: str) -> None:
        super().__init__()
        self.job = job
        self.start = QPushButton(start)
        self.start.setMinimumHeight(32)
        self.start.setStyleSheet("QPushButton { font-weight: bold; }")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stops at the next step; nothing is changed")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(True)
        self.text = QLabel("")
        self.text.setWordWrap(True)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.start)
        row = QHBoxLayout()
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)
        rows.addLayout(row)
        rows.addWidget(self.text)
        self._began = 0.0
        # A sign of life also while the first step (loading torch, say) takes its time. Each change lets Qt compose
        # the whole window anew, canvas and all: without a graphics card, a bar that moves by itself takes both cores.
        self._clock = QTimer(self)
        self._clock.setInterval(self.interval)
        self._clock.timeout.connect(self._tick)
        self._last = ("", 0.0)
        self.cancel.clicked.connect(job.cancel)
        job.state_changed.connect(self._render)
        job.progressed.connect(self._progress)
        self._render(job.state)

    def _render(self, state: State) -> None:
        busy = state in (State.RUNNING, State.CANCELLING)
        self.start.setEnabled(not busy)
        for widget in (self.bar, self.cancel, self.text):
            widget.setVisible(busy)
        self.cancel.setEnabled(state is State.RUNNING)
        self.cancel.setText("Cancelling…" if state is State.CANCELLING else "Cancel")
        if state is State.RUNNING:
            self._began = time.monotonic()
            self._last = ("starting", 0.0)
            self.bar.setValue(0)
            self._clock.start()
            self._tick()
        elif not busy:
            self._clock.stop()

    def _progress(self, steps: list[Any]) -> None:
        step = steps[-1]
        self._last = (step.message, step.fraction)

    def _tick(self) -> None:
        message, fraction = self._last
        spent = time.monotonic() - self._began
        left = (
            f", {duration(spent * (1 - fraction) / fraction)} left" if fraction > 0.02 and spent > 1 else ""
        )
        self.bar.setValue(round(1000 * min(max(fraction, 0.0), 1.0)))
        self.text.setText(f"{message or 'working'} · {duration(spent)}{left}")


def duration(seconds: float) -> str:
    """Write a time span as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
