"""What a user does in the wrong order, by mouse and keys: the window says so in a sentence and goes on."""

from __future__ import annotations

from typing import Any

from window_hands import Hands, opened
from window_points import walk


def nothing_open(hands: Hands) -> None:
    """Every main button before anything is open."""
    hands.delete()
    for name in ("Detect", "Compare", "Fine-tune"):
        dock = hands.tab(name)
        hands.click(dock.bar.start)
        hands.check(
            dock.message.level == "error" and dock.message.text().endswith((".", "?")), f"{name} says why"
        )
        hands.check("Error" not in dock.message.text(), dock.message.text())
    hands.tab("Inspect")
    dock = hands.tab("Import")
    hands.click(dock.apply)
    hands.check(dock.message.level == "error", "Import says that there is no layer")
    dock = hands.tab("Folder")
    if not dock.files.count():  # a story before may have listed a folder
        hands.click(dock.next)
        hands.check("folder" in dock.message.text(), dock.message.text())
        hands.click(dock.bar.start)
        hands.check("tick" in dock.message.text(), dock.message.text())
    hands.picture("nothing-open")


def compared_too_early(hands: Hands) -> None:
    """Compare before Detect."""
    opened(hands)
    dock = hands.tab("Compare")
    hands.click(dock.bar.start)
    hands.check("Detect" in dock.message.text() and dock.message.level == "error", dock.message.text())


def stack_deleted(hands: Hands) -> None:
    """The stack is deleted while it is searched; the next detection works."""
    dock = opened(hands)
    hands.click(dock.bar.start)
    hands.wait(300)
    hands.check(dock.job.busy, "the detection runs")
    hands.delete(dock.stack.layer())
    hands.until(lambda: not dock.job.busy)
    hands.check("removed" in dock.message.text(), dock.message.text())
    hands.picture("deleted-while-searched")


def cancelled(hands: Hands) -> None:
    """Cancel, then detect again."""
    dock = opened(hands)
    hands.click(dock.bar.start)
    hands.wait(200)
    hands.click(dock.bar.cancel)
    hands.until(lambda: not dock.job.busy)
    hands.check("Cancelled" in dock.message.text() or dock.result.layer is not None, dock.message.text())
    hands.click(dock.bar.start)
    hands.until(lambda: not dock.job.busy)
    hands.check(dock.result.layer is not None, dock.message.text())


def undone_after_threshold(hands: Hands) -> None:
    """Reject, move the threshold, undo: the point is back, the threshold is the user's."""
    dock = hands.tab("Detect")
    points = dock.result.layer
    hands.viewer.layers.selection.active = points
    before = dock.result.number.text()
    hands.click(dock.result.bar.next)
    hands.click(dock.result.bar.reject)
    dock.result.slider.setValue(0.999)
    strict = dock.result.number.text()
    hands.click(dock.result.bar.undo)
    hands.check(abs(dock.result.slider.value() - 0.999) < 1e-6, "undo leaves the threshold")
    hands.check(dock.result.number.text() != strict or strict == before, f"{strict} after the undo, too")
    hands.click(dock.result.back)
    hands.check(dock.result.number.text() == before, f"{dock.result.number.text()} instead of {before}")
    points.selected_data = {0}
    hands.key(_delete())
    hands.check(dock.result.number.text() != before, "Delete takes a point away")
    hands.key("Z", _control())
    hands.check(dock.result.number.text() == before, "Ctrl+Z brings it back")


def renamed(hands: Hands) -> None:
    """Renamed layers stay what they are."""
    dock = hands.tab("Detect")
    points, number = dock.result.layer, dock.result.number.text()
    dock.stack.layer().name, points.name = "my grid", "my points"
    hands.wait(100)
    hands.click(dock.bar.start)
    hands.until(lambda: not dock.job.busy)
    hands.check(dock.result.layer is points and points.name == "my points", "the same layer is filled again")
    hands.check(dock.result.number.text() == number, f"{dock.result.number.text()} instead of {number}")
    compare = hands.tab("Compare")
    hands.click(compare.bar.start)
    hands.until(lambda: not compare.job.busy and bool(compare.counts.text() or compare.message.text()))
    hands.check("matched" in compare.counts.text(), compare.message.text())


def two_stacks(hands: Hands) -> None:
    """Two stacks: each has its result, and the docks follow the active layer."""
    from friedel.io import open_stack
    from friedel.io.netcdf import write

    half = hands.out / "half.nc"
    if not half.exists():
        write(open_stack(hands.file).isel(y=slice(0, 60), x=slice(0, 60)), half)
    dock = hands.tab("Detect")
    first, number = dock.stack.layer(), dock.result.number.text()
    hands.drop(half)
    hands.until(lambda: any("half" in layer.name for layer in hands.viewer.layers))
    second = next(layer for layer in hands.viewer.layers if "half" in layer.name and layer.ndim == 3)
    hands.viewer.layers.selection.active = second
    hands.wait(200)
    hands.check(dock.stack.layer() is second and dock.result.layer is None, "Detect follows the active stack")
    hands.click(dock.bar.start)
    hands.wait(100)
    hands.viewer.layers.selection.active = first  # the user looks elsewhere meanwhile
    hands.until(lambda: not dock.job.busy)
    hands.wait(500)
    hands.viewer.layers.selection.active = first
    hands.wait(200)
    hands.check(
        dock.result.number.text() == number, f"{dock.result.number.text()} on the first, not {number}"
    )
    hands.viewer.layers.selection.active = second
    hands.wait(200)
    hands.check(
        dock.result.layer is not None and dock.result.number.text() != number, "the second has its own"
    )
    hands.picture("two-stacks")
    hands.delete(second)
    hands.check(dock.stack.layer() is not second, "a stack that is gone is not offered")


def dock_closed(hands: Hands) -> None:
    """A dock that is closed in the middle of its work ends it; opened again it works."""
    dock = opened(hands)
    hands.click(dock.bar.start)
    hands.wait(300)
    job = dock.job
    hands.viewer.window.remove_dock_widget(dock)
    hands.wait(1500)
    hands.jobs = [x for x in hands.jobs if x is not job and x is not dock.waves_job]
    _, dock = hands.viewer.window.add_plugin_dock_widget("napari-friedel", "Detect", tabify=True)
    hands.docks["Detect"] = dock
    hands.jobs += dock.findChildren(type(job))
    hands.wait(500)
    hands.tab("Detect")
    hands.check(dock.stack.layer() is not None, "the stack is chosen")
    hands.click(dock.bar.start)
    hands.until(lambda: not dock.job.busy)
    hands.check(dock.result.layer is not None, dock.message.text())


def remembered(hands: Hands) -> None:
    """What was set is there in a new dock; Defaults forgets it."""
    dock = hands.tab("Detect")
    dock.options.set("method", "omp")
    dock.prepare.set("high_pass", 3.0)
    hands.viewer.window.remove_dock_widget(dock)
    hands.wait(300)
    _, dock = hands.viewer.window.add_plugin_dock_widget("napari-friedel", "Detect", tabify=True)
    hands.docks["Detect"] = dock
    hands.jobs = [x for name in hands.docks for x in hands.docks[name].findChildren(type(dock.job))]
    hands.wait(500)
    hands.tab("Detect")
    hands.check(dock.options.value("method") == "omp", f"method {dock.options.value('method')}")
    hands.check(dock.prepare.value("high_pass") == 3.0, f"high pass {dock.prepare.value('high_pass')}")
    hands.click(dock.defaults)
    hands.check(dock.options.value("method") == "network", "Defaults brings the network back")
    hands.check(dock.prepare.value("high_pass") != 3.0, "and the preparation")
    tune = hands.tab("Fine-tune")
    tune.options.set("epochs", 3)
    hands.click(tune.defaults)
    hands.check(tune.options.value("epochs") != 3, "Fine-tune has Defaults, too")


def activity(hands: Hands) -> None:
    """napari's activity dock shows the work, and its question before closing names it."""
    from napari._qt.dialogs.confirm_close_dialog import ConfirmCloseDialog
    from napari.utils.progress import progress
    from qtpy.QtWidgets import QLabel

    dock = hands.tab("Detect")
    hands.click(dock.bar.start)
    hands.wait(300)
    bars = [bar for bar in progress._all_instances if "detection" in str(bar.desc)]
    hands.check(len(bars) == 1, f"one bar in the activity dock, not {len(bars)}")
    hands.viewer.window._status_bar._activity_item._activityBtn.click()
    hands.picture("activity")
    hands.viewer.window._status_bar._activity_item._activityBtn.click()
    hands.until(lambda: not dock.job.busy)
    hands.click(dock.bar.start)
    hands.wait(100)
    # The button of the window's frame asks so; a script has none.
    told = "\n".join(hands.viewer.window._task_status_manager.get_status())
    dialog = ConfirmCloseDialog(hands.window, extra_info=told, display_checkbox=False)
    text = " ".join(label.text() for label in dialog.findChildren(QLabel))
    dialog.grab().save(str(hands.out / "close-dialog.png"))
    dialog.deleteLater()
    hands.check("detection of impurities" in text and "<function" not in text, f"the dialog says {text!r}")
    hands.until(lambda: not dock.job.busy)
    hands.check(
        not [x for x in progress._all_instances if "detection" in str(x.desc)], "the bar goes with the work"
    )


def bad_folder(hands: Hands) -> None:
    """A damaged file in a folder is named; the others are processed."""
    import shutil

    folder = hands.out / "mixed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(hands.out / "half.nc", folder / "good.nc")
    (folder / "bad.3ds").write_bytes(b'Grid dim="4 x 4"\r\n:HEADER_END:\r\n')
    dock = hands.tab("Folder")
    dock.open_folder(folder)
    hands.click(dock.bar.start)
    hands.until(lambda: not dock.job.busy)
    hands.tab("Folder")
    hands.picture("bad-folder")
    hands.check("1 of 2" in dock.message.text() and "bad.3ds" in dock.summary.text(), dock.message.text())
    hands.check((folder / "results" / "good.csv").exists(), "the good file has its table")
    for _ in range(2):
        hands.click(dock.next)
        hands.until(lambda: not dock.open_job.busy)
        hands.wait(800)
    hands.check(any("good" in layer.name for layer in hands.viewer.layers), "the good file can be opened")


def gone_file(hands: Hands) -> None:
    """A session whose file is gone opens the rest and names it; one that is no session says so."""
    import shutil

    work = hands.out / "moved.nc"
    shutil.copy(hands.file, work)
    hands.delete()
    for path in (work, hands.out / "half.nc"):
        count = len(hands.viewer.layers)
        hands.drop(path)
        hands.until(lambda count=count: len(hands.viewer.layers) >= count + 3)
    dock = hands.tab("Import")
    path = hands.out / "gone.friedel.json"
    dock.session.write(str(path))
    hands.delete()
    work.unlink()
    hands.wait(200)
    dock.message.clear()
    dock.session.load(str(path))
    hands.until(lambda: not dock.session.job.busy and bool(dock.message.text()))
    hands.picture("file-gone")
    hands.check("moved.nc" in dock.message.text() and "1 stack" in dock.message.text(), dock.message.text())
    path.write_text("{}")
    dock.session.load(str(path))
    hands.check(dock.message.level == "error", "what is no session says so")


def _delete() -> Any:
    from qtpy.QtCore import Qt

    return Qt.Key.Key_Delete


def _control() -> Any:
    from qtpy.QtCore import Qt

    return Qt.KeyboardModifier.ControlModifier


STEPS = (
    nothing_open,
    compared_too_early,
    stack_deleted,
    cancelled,
    undone_after_threshold,
    renamed,
    two_stacks,
)
STEPS += (dock_closed, remembered, activity, bad_folder, gone_file)


def all_of(hands: Hands) -> list[str]:
    """Go through all of them; what is wrong comes back in words."""
    return walk(hands, STEPS)
