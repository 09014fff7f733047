"""Drive the real window by mouse and keys through the plugin's stories; pictures and a film of it.

    xvfb-run -a -s "-screen 0 1280x800x24" python benchmarks/window_tour.py OUT [--size 1280x800] [--theme dark]
        [--stories sample,own,compare,...] [--film docs/images/tour.webp] [--gaps benchmarks/results/window_gaps.csv]

Every click is a mouse event on a widget, every key a key event; `OUT` receives one picture per step. Between the
steps a 30 ms timer notes how long the event loop stood still: reported are the 95th percentile and the largest gap
per story [ms]. On a busy machine the wall clock tells of the neighbours; beside it stands how much processor time the
window's own thread took between two ticks: on a free core a tick is late by no more than that.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

STORIES = ("sample", "detect", "edit", "compare", "inspect", "own", "finetune", "crash", "folder", "session")


class Tour:
    """One window, its docks, and what was seen."""

    def __init__(self, out: Path, size: tuple[int, int], theme: str) -> None:
        import torch  # noqa: F401  (before Qt, as the launcher does)

        from napari_friedel.__main__ import open_viewer

        self.out, self.frames = out, []  # type: ignore[var-annotated]
        out.mkdir(parents=True, exist_ok=True)
        self.viewer = open_viewer()
        self.viewer.theme = theme
        self.window = self.viewer.window._qt_window
        self.window.resize(*size)
        self.docks = {name.split(" (")[0]: dock for name, dock in self.viewer.window.dock_widgets.items()}
        #: Per story: (interval, processor time of this thread) between two ticks [ms].
        self.gaps: dict[str, list[tuple[float, float]]] = {}
        self._ticks()

    def _ticks(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.story, self.last = "start", (time.perf_counter(), time.thread_time())
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self._tick)
        self.timer.start(30)

    def _tick(self) -> None:
        now = (time.perf_counter(), time.thread_time())
        gap = (1000 * (now[0] - self.last[0]), 1000 * (now[1] - self.last[1]))
        self.gaps.setdefault(self.story, []).append(gap)
        self.last = now

    # --- hands and eyes -------------------------------------------------------------------------------------------

    def wait(self, milliseconds: int = 300) -> None:
        """Let the event loop run, as napari.run() does (`QTest.qWait` runs none: work would look synchronous)."""
        from qtpy.QtCore import QEventLoop, QTimer

        loop = QEventLoop()
        QTimer.singleShot(milliseconds, loop.quit)
        loop.exec()

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
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton)
        self.wait(60)

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

    def key(self, text: str, modifier: Any = None) -> None:
        """Press a key over the canvas."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        canvas = self.viewer.window._qt_viewer.canvas.native
        canvas.setFocus()
        QTest.keyClick(canvas, text, modifier or Qt.KeyboardModifier.NoModifier)
        self.wait(80)

    def picture(self, name: str) -> None:
        """Keep what the window shows."""
        self.wait(350)
        path = self.out / f"{len(self.frames):02d}-{name}.png"
        self.window.grab().save(str(path))
        self.frames.append(path)
        print(f"{path.name}", flush=True)

    def check(self, true: bool, what: str) -> None:
        """Stop where the window does not show what it should."""
        if not true:
            self.picture("wrong")
            raise AssertionError(f"{self.story}: {what}")

    # --- stories --------------------------------------------------------------------------------------------------

    def sample(self) -> None:
        """File ▸ Open Sample, clicked twice."""
        from qtpy.QtCore import QTimer

        for _ in range(2):
            QTimer.singleShot(0, lambda: self.viewer.open_sample("napari-friedel", "au111"))
            self.wait(100)
        self.picture("sample-being-made")
        self.until(lambda: len(self.viewer.layers) >= 3)
        self.wait(500)
        kinds = [layer.name.split(" · ")[-1] for layer in self.viewer.layers]
        self.check(len(self.viewer.layers) == 4, f"one sample, not {kinds}")
        from napari._qt.dialogs.qt_notification import NapariQtNotification

        for toast in self.window.findChildren(NapariQtNotification):
            self.click(toast.close_button)
        self.viewer.dims.set_point(0, -60.0)
        self.viewer.fit_to_view()
        self.picture("sample")

    def detect(self) -> None:
        """Press Detect; show the waves; move the threshold."""
        dock = self.tab("Detect")
        self.click(dock.bar.start)
        self.wait(700)
        self.picture("detecting")
        self.until(lambda: not dock.job.busy)
        self.check(dock.result.layer is not None, dock.message.text())
        dock._scroll.ensureWidgetVisible(dock.result.save)
        self.picture("detected")
        self.click(dock.waves)
        self.until(lambda: not dock.waves_job.busy)
        self.picture("waves")
        dock.result.slider.setValue(0.9)
        self.picture("threshold")
        self.click(dock.result.back)

    def edit(self) -> None:
        """Walk, reject, undo by keys; the table."""
        dock = self.tab("Detect")
        points = dock.result.layer
        self.viewer.layers.selection.active = points
        before = dock.result.number.text()
        self.click(dock.result.bar.next)
        self.key("]")
        self.key("X")
        self.picture("rejected")
        self.check(dock.result.number.text() != before, "X rejects the selected point")
        self.click(dock.result.bar.undo)
        self.check(dock.result.number.text() == before, "undo brings it back")
        self.click(dock.result.table)
        self.picture("table")
        for name in list(self.viewer.window.dock_widgets):
            if "Features" in name:
                self.viewer.window.remove_dock_widget(self.viewer.window.dock_widgets[name])
        self.viewer.fit_to_view()

    def compare(self) -> None:
        """The points over the reference map: two clicks."""
        dock = self.tab("Compare")
        self.click(dock.bar.start)
        self.until(lambda: not dock.job.busy)
        self.picture("compared")
        self.click(dock.figure)
        self.picture("figure-3")
        dock.opacity.setValue(0)

    def inspect(self) -> None:
        """The spectrum of an impurity."""
        dock = self.tab("Inspect")
        points = self.docks["Detect"].result.layer
        self.viewer.layers.selection.active = points
        points.selected_data = {0}
        dock.look_at(40, 40)
        self.picture("inspect")

    def own(self) -> None:
        """A plain TIFF becomes a stack."""
        import tifffile

        data = np.random.default_rng(0).normal(size=(12, 48, 48)).astype(np.float32)
        path = self.out / "own.tif"
        tifffile.imwrite(path, data)
        self.viewer.open(str(path))
        dock = self.tab("Import")
        dock.layer.choose(self.viewer.layers[-1])
        self.type(dock.bias, "-200:20:20")
        self.type(dock.pixel, "0.5")
        self.picture("own-before")
        self.click(dock.apply)
        self.picture("own-stack")
        self.check(dock.message.level != "error", dock.message.text())
        made = dock.layer.layer()
        units = self.viewer.layers.units
        self.check(units is not None and "nanometer" in str(units), f"units {units}")
        low, high = made.extent.world[:, 0]
        self.check(low <= self.viewer.dims.point[0] <= high, "the slider stands on the stack")
        self.viewer.layers.remove(made)

    def type(self, line: Any, text: str) -> None:
        """Type into a line."""
        from qtpy.QtTest import QTest

        line.clear()
        line.setFocus()
        QTest.keyClicks(line, text)
        self.wait(50)

    def finetune(self) -> None:
        """A short fine-tuning, to its end."""
        dock = self.tab("Fine-tune")
        dock.further_settings = {"steps_per_epoch": 12, "check_every": 4, "batch": 4}
        self.click(dock.preview)
        self.click(dock.bar.start)
        self.until(lambda: bool(dock._points) or not dock.job.busy)
        self.picture("fine-tuning")
        self.until(lambda: not dock.job.busy and not dock.after_job.busy)
        self.wait(500)
        self.until(lambda: not dock.after_job.busy)
        self.check(dock.message.level != "error", dock.message.text())
        self.picture("fine-tuned")
        self.click(dock.outcome.revert)

    def crash(self) -> None:
        """A damaged file says why."""
        from qtpy.QtCore import QTimer

        path = self.out / "broken.3ds"
        path.write_bytes(b'Grid dim="4 x 4"\r\n:HEADER_END:\r\n')
        QTimer.singleShot(
            0, lambda: self.viewer.window._qt_viewer._qt_open([str(path)], stack=False, plugin=None)
        )
        self.wait(1200)
        self.picture("broken-file")

    def folder(self) -> None:
        """Two files, processed one after the other."""
        from friedel.io.netcdf import write

        stack = self.docks["Detect"].current()[0]
        folder = self.out / "grids"
        folder.mkdir(exist_ok=True)
        for number in (1, 2):
            write(stack.isel(y=slice(0, 40), x=slice(0, 40)), folder / f"grid{number}.nc")
        dock = self.tab("Folder")
        dock.open_folder(folder)
        self.click(dock.bar.start)
        self.until(lambda: not dock.job.busy)
        self.tab("Folder")
        self.picture("folder")
        self.check((folder / "summary.csv").exists(), dock.message.text())

    def session(self) -> None:
        """Save, close all, open again."""
        dock = self.tab("Import")
        path = str(self.out / "work.friedel.json")
        detect = self.docks["Detect"]
        before = detect.result.number.text()
        from friedel.io.netcdf import write

        source = self.out / "field.nc"
        write(detect.current()[0], source)
        detect.current()[0].attrs["source"] = str(source)
        dock.session.write(path)
        self.viewer.layers.clear()
        self.wait(300)
        dock.session.load(path)
        self.until(lambda: not dock.session.job.busy)
        self.tab("Detect")
        self.picture("session")
        self.check(
            detect.result.number.text() == before, f"{detect.result.number.text()} instead of {before}"
        )


def film(frames: list[Path], path: Path, width: int = 960) -> None:
    """Write the pictures as one film of at most 3 MB."""
    from PIL import Image

    wanted = ("sample", "detecting", "detected", "waves", "compared", "figure-3", "fine-tuning", "fine-tuned")
    chosen = [frame for frame in frames if frame.stem.split("-", 1)[1] in wanted]
    pictures = []
    for frame in chosen:
        with Image.open(frame) as picture:
            height = round(picture.height * width / picture.width)
            pictures.append(picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))
    for quality in (80, 65, 50, 35):
        pictures[0].save(
            path, save_all=True, append_images=pictures[1:], duration=1600, loop=0, quality=quality, method=4
        )
        if path.stat().st_size <= 3_000_000:
            break
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {len(pictures)} pictures")


def _summary(gaps: np.ndarray) -> dict[str, float]:
    """95th percentile and largest of the intervals and of the thread's processor time, shape (ticks, 2)."""
    found = {}
    for name, values in zip(("", "cpu_"), gaps.T, strict=True):
        found[f"{name}p95_ms"] = round(float(np.percentile(values, 95)), 1)
        found[f"{name}max_ms"] = round(float(values.max()), 1)
    return found


def main() -> None:
    """Walk through the stories."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", default="1280x800")
    parser.add_argument("--theme", default="dark", choices=["dark", "light"])
    parser.add_argument("--stories", default=",".join(STORIES))
    parser.add_argument("--film", type=Path)
    parser.add_argument("--gaps", type=Path, help="write the gaps per story to this table")
    args = parser.parse_args()
    # Models, sessions and remembered settings of a tour are no one's own.
    os.environ.setdefault("FRIEDEL_MODELS", tempfile.mkdtemp())
    width, height = (int(part) for part in args.size.split("x"))
    tour = Tour(args.out, (width, height), args.theme)
    tour.wait(800)
    broken = []
    for name in args.stories.split(","):
        tour.story = name
        try:
            getattr(tour, name)()
        except (AssertionError, LookupError, TimeoutError) as error:
            broken.append(f"{name}: {error}")
            print(broken[-1], flush=True)
    found = {name: _summary(np.array(gaps)) for name, gaps in tour.gaps.items()}
    for name, gap in found.items():
        print(
            "{0:10s} p95 {p95_ms:7.1f}  largest {max_ms:7.1f} ms   window's processor time: p95 {cpu_p95_ms:7.1f}  "
            "largest {cpu_max_ms:7.1f} ms".format(name, **gap)
        )
    if args.gaps:
        pd.DataFrame(found).T.rename_axis("story").to_csv(args.gaps)
    if args.film:
        film(tour.frames, args.film)
    tour.viewer.close()
    if broken:
        raise SystemExit("\n".join(broken))


if __name__ == "__main__":
    main()
