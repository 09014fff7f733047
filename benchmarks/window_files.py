"""Files by the window's own dialogs and menus: save, reopen, adopt, the palette, voltages in the wrong unit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from window_hands import Hands, opened


def in_dialog(hands: Hands, act: Callable[[], Any], path: Path | None) -> bool:
    """Act, type a path into the file dialog that opens, or cancel it; whether one has opened."""
    from qtpy.QtCore import Qt, QTimer
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication, QFileDialog, QLineEdit

    seen: list[bool] = []

    def answer(tries: int = 40) -> None:
        dialog = QApplication.activeModalWidget()
        if dialog is None:
            if tries:
                QTimer.singleShot(100, lambda: answer(tries - 1))
            return
        seen.append(isinstance(dialog, QFileDialog))
        if path is None or not seen[-1]:
            dialog.reject()
            return
        line = dialog.findChild(QLineEdit)
        line.setText(str(path.absolute()))  # the dialog has a folder of its own
        QTest.keyClick(line, Qt.Key.Key_Return)

    QTimer.singleShot(100, answer)
    hands.in_loop(act, 300)
    hands.until(lambda: bool(seen), 20)
    return seen[0]


def saved(hands: Hands) -> None:
    """napari's own Save writes our table; dropped beside its stack it is the result again, and nothing is asked."""
    from napari._app_model import get_app_model

    dock = opened(hands)
    hands.click(dock.bar.start)
    hands.until(lambda: not dock.job.busy)
    dock.result.slider.setValue(0.8)
    number, path = dock.result.number.text(), hands.out / "by-hand-impurities.csv"
    path.unlink(missing_ok=True)
    hands.viewer.layers.selection.active = dock.result.layer
    save = "napari.window.file.save_layers_dialog.selected"
    found = in_dialog(hands, lambda: get_app_model().commands.execute_command(save), path)
    hands.check(found, "Save Selected Layers asks for a file")
    hands.until(path.exists, 10)
    text = path.read_text()
    hands.check(
        "nm" in text.splitlines()[0] + text.splitlines()[1] and "provenance" in text,
        "our table: " + text[:200],
    )
    opened(hands)
    hands.check(dock.result.layer is None, "the grid alone has no result")
    hands.drop(path)
    hands.until(lambda: dock.result.layer is not None, 30)
    hands.picture("reopened-table")
    hands.check(dock.result.number.text() == number, f"{dock.result.number.text()} instead of {number}")
    hands.check(abs(dock.result.slider.value() - 0.8) < 1e-6, "with its threshold")


def adopted(hands: Hands) -> None:
    """Any Points layer becomes a result by one button."""
    dock = opened(hands)
    grid = dock.stack.layer()
    places = np.array([grid.data_to_world((0, row, column))[-2:] for row, column in ((10, 10), (30, 50))])
    points = hands.do(lambda: hands.viewer.add_points(places, name="mine", units=("nm", "nm")), 200)
    dock.points.choose(points)
    hands.click(dock.adopt)
    hands.until(lambda: dock.result.layer is not None, 10)
    hands.check("2 impurities" in dock.result.number.text(), dock.result.number.text())
    compare = hands.tab("Compare")
    hands.click(compare.bar.start)
    hands.until(lambda: not compare.job.busy)
    hands.wait(300)
    hands.picture("adopted")
    hands.check("matched" in compare.counts.text(), compare.message.text())


def palette(hands: Hands) -> None:
    """The entries of the command palette that need a file ask for it."""
    from napari._app_model import get_app_model

    dock = opened(hands)
    commands = get_app_model().commands
    hands.viewer.layers.selection.active = dock.stack.layer()
    found = in_dialog(hands, lambda: commands.execute_command("napari-friedel.read"), None)
    hands.check(found, "Open STM spectroscopy asks for a file")
    table = hands.out / "any name.csv"
    shutil.copy(hands.out / "by-hand-impurities.csv", table)
    in_dialog(hands, lambda: commands.execute_command("napari-friedel.read"), table)
    hands.until(lambda: dock.result.layer is not None, 30)
    hands.check("impurities" in dock.result.number.text(), "a table under any name is the grid's result")


def typed(hands: Hands) -> None:
    """Voltages that look like volts are not taken as millivolts; the axes stay in pixels until a size is given."""
    hands.delete()
    noise = np.random.default_rng(0).normal(size=(11, 12, 12))
    layer = hands.do(lambda: hands.viewer.add_image(noise, name="plain"), 200)
    dock = hands.tab("Import")
    dock.layer.choose(layer)
    hands.type(dock.pixel, "")
    hands.check("px" in dock.plot._labels["bottom"], f"the preview's axis is {dock.plot._labels}")
    hands.type(dock.bias, "0.2:-0.2")
    dock.unit.setCurrentText("mV")
    hands.type(dock.pixel, "0.5")
    dock.message.clear()
    hands.click(dock.apply)
    hands.picture("volts")
    hands.check(dock.message.level == "error" and " V" in dock.message.text(), dock.message.text())


STEPS = (saved, adopted, palette, typed)
