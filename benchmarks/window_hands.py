"""A real window with hands and eyes: clicks, keys, drops, pictures, and how long the event loop stands still."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Hands:
    """One window, its docks, and what was seen."""

    def __init__(self, out: Path, size: tuple[int, int], theme: str) -> None:
        import torch  # noqa: F401  (before Qt, as the launcher does)

        from napari_friedel.__main__ import open_viewer
        from napari_friedel.jobs import Job

        self.out, self.frames = out, []  # type: ignore[var-annotated]
        out.mkdir(parents=True, exist_ok=True)
        self.file = out / "au111.nc"
        self.viewer = open_viewer()
        self.viewer.theme = theme
        self.window = self.viewer.window._qt_window
        self.window.resize(*size)
        self.docks = {name.split(" (")[0]: dock for name, dock in self.viewer.window.dock_widgets.items()}
        self.jobs = [x for dock in self.docks.values() for x in dock.findChildren(Job)]
        #: Per story: interval [ms], processor time of this thread in it [ms], whether work ran, of every tick.
        self.gaps: dict[str, list[tuple[float, float, bool]]] = {}
        self._ticks()

    def _ticks(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.story, self.last, self.listening = "start", (time.perf_counter(), time.thread_time()), True
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self._tick)
        self.timer.start(30)

    def explain(self, slow_ms: float) -> None:
        """Print, once per gap longer than `slow_ms`, what the window's thread was doing in it."""
        main = threading.get_ident()

        def watch() -> None:
            told, level = None, slow_ms
            while True:
                time.sleep(0.02)
                level = level if told == self.last else slow_ms
                late = 1000 * (time.perf_counter() - self.last[0])
                if late < level or not self.listening:
                    continue
                told, level = self.last, 2 * late
                stack = traceback.extract_stack(sys._current_frames()[main])
                own = [
                    x for x in stack if "site-packages" not in x.filename and "window_tour" not in x.filename
                ]
                lines = [f"{Path(x.filename).name}:{x.lineno} {x.name}" for x in (*own[-5:], *stack[-5:])]
                print(f"  {self.story}: {late:.0f} ms in {' > '.join(lines)}", flush=True)

        threading.Thread(target=watch, daemon=True).start()

    def _tick(self) -> None:
        now = (time.perf_counter(), time.thread_time())
        if not self.listening:  # the hand and the camera took this time, not the window
            self.listening, self.last = True, now
            return
        busy = any(job.busy for job in self.jobs)
        gap = (1000 * (now[0] - self.last[0]), 1000 * (now[1] - self.last[1]), busy)
        self.gaps.setdefault(self.story, []).append(gap)
        self.last = now

    # --- hands and eyes -------------------------------------------------------------------------------------------

    def wait(self, milliseconds: int = 300) -> None:
        """Let the event loop run, as napari.run() does (`QTest.qWait` runs none: work would look synchronous)."""
        from qtpy.QtCore import QEventLoop, QTimer

        loop = QEventLoop()
        QTimer.singleShot(milliseconds, loop.quit)
        loop.exec()

    def in_loop(self, act: Callable[[], Any], milliseconds: int) -> None:
        """Act as a user does, from within the event loop: what is put off to its later turns is put off."""
        from qtpy.QtCore import QTimer

        QTimer.singleShot(0, act)
        self.wait(milliseconds)

    def do(self, act: Callable[[], Any], milliseconds: int = 100) -> Any:
        """As `in_loop`; what `act` gives comes back."""
        given: list[Any] = []
        self.in_loop(lambda: given.append(act()), milliseconds)
        return given[0]

    def delete(self, layer: Any = None) -> None:
        """Select a layer and press napari's bin; without one, so for each, as all at once take napari a second."""
        layers = self.viewer.layers
        for chosen in [layer] if layer is not None else list(reversed(layers)):
            if chosen in layers:  # one of ours goes with the one that it belongs to
                self.do(lambda chosen=chosen: layers.selection.select_only(chosen))
                self.click(self.viewer.window._qt_viewer.layerButtons.deleteButton)
        self.wait(100)

    def until(self, done: Callable[[], bool], seconds: float = 1800.0) -> None:
        """Let the event loop run until `done()`."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"{self.story}: it did not end within {seconds:.0f} s")
            self.wait(50)
        self.wait(150)

    def click(self, widget: Any) -> None:
        """Press and release the left button in the middle of a widget, scrolled into sight."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        parent = widget.parentWidget()
        while parent is not None and not hasattr(parent, "ensureWidgetVisible"):
            parent = parent.parentWidget()
        if parent is not None:
            parent.ensureWidgetVisible(widget)
            self.wait(30)
        self.in_loop(lambda: QTest.mouseClick(widget, Qt.MouseButton.LeftButton), 60)

    def tab(self, name: str) -> Any:
        """Click the tab of a dock."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest
        from qtpy.QtWidgets import QTabBar

        for bar in self.window.findChildren(QTabBar):
            for index in range(bar.count()):
                if bar.tabText(index) == name and bar.isVisible():
                    QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(index).center())
                    self.wait(150)
                    return self.docks[name]
        raise LookupError(f"there is no tab {name!r}")

    def tabs(self) -> list[str]:
        """Texts of the docks' tabs, from left to right."""
        from qtpy.QtWidgets import QTabBar

        found = ([bar.tabText(i) for i in range(bar.count())] for bar in self.window.findChildren(QTabBar))
        return next(texts for texts in found if "Import" in texts)

    def key(self, text: Any, modifier: Any = None) -> None:
        """Press a key over the canvas."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        canvas = self.viewer.window._qt_viewer.canvas.native
        canvas.setFocus()
        self.in_loop(lambda: QTest.keyClick(canvas, text, modifier or Qt.KeyboardModifier.NoModifier), 80)

    def type(self, line: Any, text: str) -> None:
        """Type into a line."""
        from qtpy.QtTest import QTest

        line.clear()
        line.setFocus()
        QTest.keyClicks(line, text)
        self.wait(50)

    def hover(self, row: float, column: float, *, press: bool = False) -> None:
        """Move the mouse over a pixel of the current stack, and press its left button there."""
        from qtpy.QtCore import QPoint, Qt
        from qtpy.QtTest import QTest

        canvas = self.viewer.window._qt_viewer.canvas.native
        layer = self.docks["Detect"].stack.layer()
        world = layer.data_to_world((0, row, column))[-2:]
        place = self.viewer.window._qt_viewer.canvas.view.scene.transform.map([world[1], world[0], 0, 1])
        point = QPoint(round(float(place[0])), round(float(place[1])))
        QTest.mouseMove(canvas, point - QPoint(3, 3))
        self.wait(40)
        QTest.mouseMove(canvas, point)
        self.wait(40)
        if press:
            QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=point)
        self.wait(80)

    def drop(self, *paths: Path) -> None:
        """Drop files on the canvas."""
        from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
        from qtpy.QtGui import QDropEvent

        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path.resolve())) for path in paths])
        left, plain = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        event = QDropEvent(QPointF(200, 200), Qt.DropAction.CopyAction, data, left, plain)
        window = self.viewer.window._qt_viewer
        self.in_loop(lambda: window.dropEvent(event), 400)

    def close_notes(self) -> None:
        """Close what napari has noted in the corner."""
        from napari._qt.dialogs.qt_notification import NapariQtNotification

        for note in self.window.findChildren(NapariQtNotification):
            self.click(note.close_button)

    def picture(self, name: str) -> None:
        """Keep what the window shows."""
        self.wait(350)
        path = self.out / f"{len(self.frames):02d}-{name}.png"
        self.listening = False
        self.window.grab().save(str(path))
        self.frames.append(path)
        print(f"{path.name}", flush=True)

    def check(self, true: bool, what: str) -> None:
        """Stop where the window does not show what it should."""
        if not true:
            self.picture("wrong")
            for dock in self.docks.values():  # tracebacks of errors that are no sentences
                print(dock.message.toolTip())
            raise AssertionError(f"{self.story}: {what}")


def opened(hands: Hands) -> Any:
    """The grid, alone in the window, its band chosen; the Detect dock."""
    hands.delete()
    hands.drop(hands.file)
    hands.until(lambda: len(hands.viewer.layers) >= 3)
    dock = hands.tab("Detect")
    dock.band.choose("au111")
    return dock
