"""A job ends in a known state whatever happens inside; the GUI hears of it in words."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import warnings

import pytest

from friedel.errors import FriedelWarning, ModelError
from friedel.progress import Progress
from napari_friedel.jobs import Job, State
from napari_friedel.words import sentence

pytestmark = pytest.mark.gui


@pytest.fixture
def job(qtbot):
    return Job()


def _ended(job):
    return lambda: not job.busy


def test_the_returned_value_arrives_after_all_steps(job, qtbot) -> None:
    def work():
        for i in range(4):
            yield Progress(i / 4, f"step {i}")
        return "result"

    steps, results, states = [], [], []
    job.progressed.connect(steps.extend)
    job.returned.connect(results.append)
    job.state_changed.connect(states.append)
    job.start(work)
    qtbot.waitUntil(lambda: bool(results), timeout=10000)
    assert results == ["result"] and [s.message for s in steps] == [f"step {i}" for i in range(4)]
    assert states == [State.RUNNING, State.DONE]


def test_the_work_runs_off_the_gui_thread(job, qtbot) -> None:
    where = []

    def work():
        where.append(threading.current_thread())
        yield Progress(0.0)

    job.start(work)
    qtbot.waitUntil(_ended(job), timeout=10000)
    assert where[0] is not threading.main_thread()


@pytest.mark.parametrize("end", ["returned", "cancelled"])
def test_work_begun_at_once_after_other_work_is_not_ended_with_it(job, qtbot, end) -> None:
    """The first worker says that it has finished when the second one is running already."""

    def first():
        while end == "cancelled":
            yield Progress(0.5)
            time.sleep(0.01)
        yield Progress(0.5)
        return "first"

    def second():
        for _ in range(30):
            yield Progress(0.5)
            time.sleep(0.01)
        return "second"

    results, cancelled, begun = [], [], []

    def again(*_args) -> None:
        if not begun:
            begun.append(True)
            job.start(second)

    job.returned.connect(results.append)
    job.cancelled.connect(lambda: cancelled.append(True))
    getattr(job, end).connect(again)
    job.start(first)
    if end == "cancelled":
        job.cancel()
    qtbot.waitUntil(lambda: "second" in results, timeout=10000)
    assert len(cancelled) == (end == "cancelled") and job.state is State.DONE


def test_cancel_stops_at_the_next_step_and_runs_finally(job, qtbot) -> None:
    closed = threading.Event()

    def work():
        try:
            while True:
                time.sleep(0.01)
                yield Progress(0.1)
        finally:
            closed.set()

    cancelled = []
    job.cancelled.connect(lambda: cancelled.append(True))
    job.start(work)
    qtbot.wait(60)
    job.cancel()
    assert job.state is State.CANCELLING
    qtbot.waitUntil(lambda: bool(cancelled), timeout=5000)
    assert job.state is State.IDLE and closed.is_set()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "RuntimeError: mat1 and mat2"),
        (
            type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried 2 GiB"),
            "ran out of memory",
        ),
        (ModelError("The model x is damaged."), "The model x is damaged."),
        (MemoryError(), "The computer ran out of memory"),
        (OSError("[WinError 1114] a DLL failed"), "start it with `napari-friedel`"),
        (KeyError("row"), "KeyError"),
    ],
)
def test_errors_reach_the_user_in_words(job, qtbot, error, words) -> None:
    """napari's generator worker swallows every RuntimeError, and torch raises nothing else."""

    def work():
        yield Progress(0.0)
        raise error

    failures = []
    job.failed.connect(lambda text, details: failures.append((text, details)))
    job.start(work)
    qtbot.waitUntil(lambda: bool(failures), timeout=10000)
    assert words in failures[0][0] and "Traceback" in failures[0][1]
    assert job.state is State.FAILED


def test_a_job_can_be_started_again_after_a_failure(job, qtbot) -> None:
    def fails():
        yield Progress(0.0)
        raise RuntimeError("no")

    def works():
        yield Progress(0.0)
        return 1

    job.start(fails)
    qtbot.waitUntil(_ended(job), timeout=10000)
    results = []
    job.returned.connect(results.append)
    job.start(works)
    qtbot.waitUntil(lambda: results == [1], timeout=10000)


def test_a_second_start_while_running_is_ignored(job, qtbot) -> None:
    starts = []

    def work():
        starts.append(1)
        for _ in range(5):
            time.sleep(0.01)
            yield Progress(0.1)

    job.start(work)
    job.start(work)
    qtbot.waitUntil(_ended(job), timeout=10000)
    assert starts == [1]


def test_warnings_are_passed_on(job, qtbot) -> None:
    def work():
        warnings.warn("k is outside the trained range.", FriedelWarning, stacklevel=1)
        yield Progress(0.0)

    heard = []
    job.warned.connect(heard.append)
    job.start(work)
    qtbot.waitUntil(_ended(job), timeout=10000)
    qtbot.waitUntil(lambda: heard == ["k is outside the trained range."], timeout=3000)


def test_a_fast_generator_does_not_flood_the_event_loop(job, qtbot) -> None:
    def work():
        for i in range(20000):
            yield Progress(i / 20000)

    signals, steps = [], []
    job.progressed.connect(lambda batch: (signals.append(1), steps.extend(batch)))
    job.start(work)
    qtbot.waitUntil(lambda: job.state is State.DONE, timeout=20000)
    assert len(steps) == 20000 and len(signals) < 2000


def test_closing_the_dock_cancels_its_work(qtbot) -> None:
    from qtpy.QtWidgets import QWidget

    dock = QWidget()
    stopped = threading.Event()

    def work():
        try:
            while True:
                time.sleep(0.01)
                yield Progress(0.1)
        finally:
            stopped.set()

    Job(dock).start(work)
    qtbot.wait(50)
    dock.deleteLater()
    qtbot.waitUntil(stopped.is_set, timeout=5000)


def test_sentences_never_come_out_empty() -> None:
    assert sentence(ValueError()) == "ValueError"
    assert sentence(ModelError("two\nlines")) == "two lines"


def test_torch_is_loaded_in_the_worker_and_said_so() -> None:
    """In a process of its own: here torch is loaded already."""
    code = """
import sys, threading
from qtpy.QtCore import QCoreApplication
from friedel.progress import Progress
from napari_friedel.jobs import Job, loading_torch
app = QCoreApplication([])
assert "torch" not in sys.modules
def work():
    yield from loading_torch()
    return threading.current_thread() is threading.main_thread(), "torch" in sys.modules
seen = []
job = Job()
job.interval = 0.0
job.progressed.connect(lambda steps: seen.extend(step.message for step in steps))
job.returned.connect(seen.append)
job.failed.connect(lambda *words: seen.append(words))
job.state_changed.connect(lambda state: None if job.busy else app.quit())
job.start(work)
app.exec()
assert seen == ["loading torch, once a session", (False, True)], seen
assert list(loading_torch()) == []
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_interpreter_waits_for_work_when_a_script_ends(tmp_path) -> None:
    """Qt's objects go at the end of a script; a worker that still runs would call into them."""
    code = f"""
import pathlib, time
from qtpy.QtWidgets import QApplication
from friedel.progress import Progress
from napari_friedel.jobs import Job

app = QApplication([])

def work():
    try:
        for step in range(100_000):
            time.sleep(0.002)
            yield Progress(step / 100_000)
    finally:
        time.sleep(0.3)
        pathlib.Path({str(tmp_path / "ended")!r}).write_text("in order")

job = Job()
job.progressed.connect(lambda _: app.quit())
job.start(work)
app.exec()
assert job.busy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ended").read_text() == "in order"
    assert "has been deleted" not in done.stderr
