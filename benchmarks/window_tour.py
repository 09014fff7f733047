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
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from window_hands import Hands

STORIES = ("sample", "drop_file", "detect", "edit", "compare", "inspect", "finetune", "broken", "crash")
STORIES += ("own", "points", "files", "grids", "folder", "session", "wrong")
#: Pictures of the film, from the drop to the end of the fine-tuning.
FILM = (
    "empty",
    "dropped",
    "detecting",
    "detected",
    "waves",
    "compared",
    "figure-3",
    "fine-tuning",
    "fine-tuned",
)


class Tour(Hands):
    """The stories, one method each."""

    def sample(self) -> None:
        """File ▸ Open Sample, clicked twice; saved as a file for what follows."""
        from qtpy.QtCore import QTimer

        from friedel.io.netcdf import write

        for _ in range(2):
            QTimer.singleShot(0, lambda: self.viewer.open_sample("napari-friedel", "au111"))
            self.wait(100)
        self.picture("sample-being-made")
        self.until(lambda: len(self.viewer.layers) >= 3)
        self.wait(500)
        kinds = [layer.name.split(" · ")[-1] for layer in self.viewer.layers]
        self.check(len(self.viewer.layers) == 4, f"one sample, not {kinds}")
        self.close_notes()
        self.viewer.dims.set_point(0, -60.0)
        self.picture("sample")
        write(self.docks["Detect"].current()[0], self.file)

    def drop_file(self) -> None:
        """A file dropped on an empty window."""
        self.delete()
        self.tab("Detect")
        self.picture("empty")
        self.drop(self.file)
        self.until(lambda: len(self.viewer.layers) >= 3)
        self.viewer.dims.set_point(0, -60.0)
        self.hover(30, 40)
        self.picture("dropped")
        self.check(self.docks["Detect"].stack.layer() is not None, "the dropped stack is chosen")

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
        dock._scroll.ensureWidgetVisible(dock.result.save)
        self.picture("waves")
        dock.result.slider.setValue(0.9)
        self.picture("threshold")
        self.click(dock.result.back)

    def edit(self) -> None:
        """Walk, reject, undo, add by keys and mouse; the table."""
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
        self.viewer.fit_to_view()
        self.wait(100)
        self.hover(5, 75)
        self.key("I")
        self.check(
            "added" in dock.result.edits.text(), f"I adds under the mouse: {dock.result.edits.text()!r}"
        )
        self.click(dock.result.bar.undo)
        self.check(dock.result.number.text() == before, "undo takes the added point away")
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
        self.check(dock.message.level != "error", dock.message.text())
        self.click(dock.figure)
        self.hover(30, 40)
        self.picture("figure-3")
        self.click(dock.place.register)
        self.until(lambda: not dock.place.job.busy)
        self.picture("registered")
        self.click(dock.place.home)
        dock.opacity.setValue(0)

    def inspect(self) -> None:
        """The spectrum under the mouse, and every tab of an impurity."""
        dock = self.tab("Inspect")
        points = self.docks["Detect"].result.layer
        self.viewer.layers.selection.active = points
        points.selected_data = {0}
        self.hover(40, 40)
        self.wait(200)
        self.check("cursor: row" in dock.where.text(), f"the mouse chooses a pixel: {dock.where.text()!r}")
        for index in range(dock.tabs.count()):
            dock.tabs.setCurrentIndex(index)
            self.picture(f"inspect-{dock.tabs.tabText(index)[:3]}")
            self.check(dock.message.level != "error", dock.message.text())

    def own(self) -> None:
        """Plain TIFF and .npy files become stacks, in an empty window and beside another stack."""
        import tifffile

        rng = np.random.default_rng(0)
        smooth = rng.normal(size=(11, 12, 12)).repeat(4, axis=1).repeat(4, axis=2).astype(np.float32)
        tifffile.imwrite(self.out / "own.tif", smooth)
        np.save(self.out / "array.npy", smooth)
        self._own(self.out / "own.tif", "-200:0:20", "mV")
        self.picture("own-stack-beside")
        self.delete()
        self._own(self.out / "array.npy", "-0.2:0", "V")
        self.picture("own-stack-alone")
        self.delete()
        self.drop(self.file)
        self.until(lambda: len(self.viewer.layers) >= 3)
        self.detect()

    def _own(self, path: Path, bias: str, unit: str) -> None:
        dock = self.tab("Import")
        self.do(lambda: self.viewer.open(str(path)), 200)
        self.check(path.stem in dock.layer.currentText(), f"{dock.layer.currentText()} is not the new layer")
        self.type(dock.bias, bias)
        dock.unit.setCurrentText(unit)
        self.type(dock.pixel, "0.5")
        dock._scroll.ensureWidgetVisible(dock.apply)
        self.picture(f"own-{path.suffix[1:]}")
        dock.message.clear()
        self.click(dock.apply)
        self.until(lambda: bool(dock.message.text()))
        self.check(dock.message.level != "error", dock.message.text())
        made = dock.layer.layer()
        units = self.viewer.layers.units
        self.check(units is not None and "nanometer" in str(units), f"units {units}")
        low, high = made.extent.world[:, 0]
        self.check(low <= self.viewer.dims.point[0] <= high, "the slider stands on the stack")
        self.close_notes()

    def finetune(self) -> None:
        """A short fine-tuning, to its end; kept under a name."""
        dock = self.tab("Fine-tune")
        dock.further_settings = {"steps_per_epoch": 12, "check_every": 4, "batch": 4}
        self.click(dock.preview)
        self.click(dock.bar.start)
        self.until(lambda: len(dock._points.get("L0", ((), ()))[0]) >= 3 or not dock.job.busy)
        dock._scroll.ensureWidgetVisible(dock.tabs)
        self.picture("fine-tuning")
        self.until(lambda: not dock.job.busy and not dock.after_job.busy)
        self.wait(500)
        self.until(lambda: not dock.after_job.busy)
        self.check(dock.message.level != "error", dock.message.text())
        self.picture("fine-tuned")
        inside = dock.rect().contains(dock.outcome.keep.mapTo(dock, dock.outcome.keep.rect().bottomLeft()))
        self.check(inside, "Keep and Revert are in sight")
        dock.keep_as(f"tour-{os.getpid()}")
        self.picture("kept")
        self.check(
            f"tour-{os.getpid()}" in self.docks["Detect"].model.currentText(), "Detect uses the kept model"
        )
        self.click(dock.outcome.revert)

    def broken(self) -> None:
        """A damaged file that is dropped says why."""
        path = self.out / "broken.3ds"
        path.write_bytes(b'Grid dim="4 x 4"\r\n:HEADER_END:\r\n')
        self.drop(path)
        self.wait(900)
        self.picture("broken-file")
        self.close_notes()

    def crash(self) -> None:
        """A fine-tuning whose process was killed goes on in a new window."""
        from napari_friedel import tuning

        stack = self.out / "field.nc"
        shutil.copy(self.file, stack)
        child = subprocess.Popen([sys.executable, __file__, str(self.out), "--killed", str(stack)])
        self.until(lambda: tuning.unfinished() is not None or child.poll() is not None, 600)
        self.wait(1500)
        child.kill()
        child.wait()
        self.check(tuning.unfinished() is not None, "the killed fine-tuning has left its state")
        self.docks_in_order = self.tabs()
        self.viewer.window.remove_dock_widget(self.docks["Fine-tune"])
        self.wait(300)
        _, dock = self.viewer.window.add_plugin_dock_widget("napari-friedel", "Fine-tune", tabify=True)
        self.docks["Fine-tune"] = dock
        self.jobs += dock.findChildren(type(dock.job))
        self.wait(500)
        self.tab("Fine-tune")
        self.picture("unfinished")
        self.check(dock.resume.isVisible(), dock.message.text())
        self.check(self.tabs() == list(self.docks_in_order), f"tabs in the order of work, not {self.tabs()}")
        self.click(dock.resume)
        self.until(lambda: not dock.job.busy and not dock.after_job.busy)
        self.wait(500)
        self.until(lambda: not dock.after_job.busy)
        self.picture("resumed")
        self.check(dock.message.level != "error", dock.message.text())
        self.click(dock.outcome.revert)

    def points(self) -> None:
        """Wheel, keys, clipboard, menus, tool tips, excluded regions, several results, moved layers."""
        from window_points import all_of

        self.delete()
        self.drop(self.file)
        self.until(lambda: len(self.viewer.layers) >= 3)
        self.detect()
        wrong = all_of(self)
        self.check(not wrong, "; ".join(wrong))

    def files(self) -> None:
        """Save, reopen and adopt by napari's own menus; the palette; voltages in the wrong unit."""
        from window_files import STEPS
        from window_points import walk

        wrong = walk(self, STEPS)
        self.check(not wrong, "; ".join(wrong))

    def grids(self) -> None:
        """Two grids open, damaged files, the words of the window, the question before it closes."""
        from window_grids import STEPS
        from window_points import walk

        wrong = walk(self, STEPS)
        self.check(not wrong, "; ".join(wrong))

    def folder(self) -> None:
        """Two files, processed one after the other; opened by the arrows."""
        from friedel.io.netcdf import write

        stack = self.docks["Detect"].current()[0]
        folder = self.out / "grids"
        folder.mkdir(exist_ok=True)
        for number in (1, 2):
            write(stack.isel(y=slice(0, 40), x=slice(0, 40)), folder / f"grid{number}.nc")
        dock = self.tab("Folder")
        dock.open_folder(folder)
        self.picture("folder-before")
        self.click(dock.bar.start)
        self.until(lambda: not dock.job.busy)
        self.tab("Folder")
        self.picture("folder")
        self.check((folder / "results" / "summary.csv").exists(), dock.message.text())
        before = len(self.viewer.layers)
        self.click(dock.next)
        self.until(lambda: not dock.open_job.busy)
        result = self.docks["Detect"].result  # the layers come one by one
        self.until(lambda: result.layer is not None and "grid" in result.layer.name, 60)
        self.picture("folder-next")
        self.check(len(self.viewer.layers) > before, "the next file is opened")
        self.check(self.docks["Detect"].result.layer is not None, "with its saved points as its result")

    def session(self) -> None:
        """Save, close all, open again."""
        self.delete()
        self.drop(self.file)
        self.until(lambda: len(self.viewer.layers) >= 3)
        self.detect()
        dock = self.tab("Import")
        path = str(self.out / "work.friedel.json")
        detect = self.docks["Detect"]
        detect.result.slider.setValue(0.7)
        before = detect.result.number.text()
        self.do(lambda: dock.session.write(path))
        self.delete()
        self.do(lambda: dock.session.load(path))
        self.until(lambda: not dock.session.job.busy and bool(dock.message.text()))
        self.tab("Detect")
        detect._scroll.ensureWidgetVisible(detect.result.save)
        self.picture("session")
        self.check(
            detect.result.number.text() == before, f"{detect.result.number.text()} instead of {before}"
        )
        self.check(abs(detect.result.slider.value() - 0.7) < 1e-6, "the threshold is the session's")

    def wrong(self) -> None:
        """Clicks in the wrong order, layers and docks that go while work runs, damaged and missing files."""
        from window_wrong import all_of

        failed = all_of(self)
        self.check(not failed, "; ".join(failed))


def killed(path: str) -> None:
    """Fine-tune on a file until this process is killed."""
    from friedel.io import open_stack
    from friedel.physics.dispersion import resolve
    from friedel.stack import didv_channel
    from napari_friedel.tuning import Session

    stack = open_stack(path)
    settings = {"device": "cpu", "steps_per_epoch": 8, "check_every": 2, "batch": 2, "epochs": 1}
    for _ in Session(stack, didv_channel(stack)[0], "friedel", resolve("au111"), settings).run():
        pass


def film(frames: list[Path], path: Path, width: int = 960) -> None:
    """Write the pictures as one film of at most 3 MB."""
    from PIL import Image

    by_name = {frame.stem.split("-", 1)[1]: frame for frame in reversed(frames)}
    chosen = [by_name[name] for name in FILM if name in by_name]
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


def _summary(ticks: list[tuple[float, float, bool]]) -> dict[str, float]:
    """95th percentile and largest of the intervals, of those while work ran, and of the thread's processor time."""
    table = pd.DataFrame(ticks, columns=["wall", "cpu", "busy"])
    found = {}
    for name, values in (("", table.wall), ("busy_", table.wall[table.busy]), ("cpu_", table.cpu)):
        if len(values):
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
    parser.add_argument(
        "--explain", type=float, metavar="MS", help="say what happens in gaps longer than this"
    )
    parser.add_argument("--gaps", type=Path, help="write the gaps per story to this table")
    parser.add_argument("--killed", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.killed:
        killed(args.killed)
        return
    # Models, sessions and remembered settings of a tour are no one's own.
    os.environ.setdefault("FRIEDEL_MODELS", tempfile.mkdtemp())
    width, height = (int(part) for part in args.size.split("x"))
    tour = Tour(args.out, (width, height), args.theme)
    tour.wait(800)
    if args.explain:
        tour.explain(args.explain)
    broken = []
    for name in args.stories.split(","):
        tour.story = name
        try:
            getattr(tour, name)()
        except (AssertionError, LookupError, TimeoutError, AttributeError) as error:
            broken.append(f"{name}: {error}")
            print(broken[-1], flush=True)
    table = pd.DataFrame({name: _summary(ticks) for name, ticks in tour.gaps.items()}).T.rename_axis("story")
    print(table.to_string())
    if args.gaps:
        table.to_csv(args.gaps)
    if args.film:
        film(tour.frames, args.film)
    tour.viewer.close()
    if broken:
        raise SystemExit("\n".join(broken))


if __name__ == "__main__":
    main()
