"""Small things of the window that the stories of `window_tour` do not meet, each by mouse or key."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from window_hands import Hands


def wheel(hands: Hands) -> None:
    """Rolling the wheel over a dock's controls scrolls and changes nothing."""
    from qtpy.QtCore import QPoint, QPointF, Qt
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import QApplication, QComboBox

    dock = hands.tab("Detect")
    boxes = [box for box in dock.findChildren(QComboBox) if box.isVisible() and box.count() > 1]
    before = [box.currentIndex() for box in boxes]
    plain, left = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.NoButton
    for box in boxes:
        place = QPointF(box.rect().center())
        event = QWheelEvent(
            place, QPointF(box.mapToGlobal(box.rect().center())), QPoint(), QPoint(0, -240), left, plain,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(box, event)
        hands.wait(20)
    hands.check([box.currentIndex() for box in boxes] == before, "the wheel changes no choice")


def keys(hands: Hands) -> None:
    """Every key of a result does what the page of shortcuts says."""
    from qtpy.QtCore import Qt

    dock = hands.tab("Detect")
    points, result = dock.result.layer, dock.result
    hands.viewer.layers.selection.active = points
    number, threshold = result.number.text(), result.slider.value()
    hands.key("]")
    first = set(points.selected_data)
    hands.key("]")
    hands.check(
        len(first) == 1 and set(points.selected_data) != first, "] goes from one impurity to the next"
    )
    hands.key("[")
    hands.check(set(points.selected_data) == first, "[ goes back")
    hands.key("Y")
    hands.check("accepted" in result.edits.text(), "Y accepts")
    hands.key("Z", Qt.KeyboardModifier.ControlModifier)
    hands.check("accepted" not in result.edits.text(), "Ctrl+Z takes it back")
    shifted = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    hands.key("Z", shifted)
    hands.check("accepted" in result.edits.text(), "Ctrl+Shift+Z makes it once more")
    hands.key("Z", Qt.KeyboardModifier.ControlModifier)
    hands.key(".")
    hands.check(result.slider.value() > threshold, ". raises the threshold")
    hands.key(",")
    hands.check(abs(result.slider.value() - threshold) < 1e-6, ", lowers it")
    hands.check(result.number.text() == number, "and all is as it was")
    hands.viewer.fit_to_view()


def clipboard(hands: Hands) -> None:
    """Table, sentence, Python and command on the clipboard; every plot as SVG and CSV."""
    from qtpy.QtWidgets import QApplication

    dock = hands.tab("Detect")
    board = QApplication.clipboard()
    for button, words in (
        (dock.result.copy, "x_nm"),
        (dock.result.sentence, "impurities on"),
        (dock.python, "friedel.open_stack"),
        (dock.command, "friedel detect"),
    ):
        board.clear()
        hands.click(button)
        hands.check(words in board.text(), f"{button.text()}: {board.text()[:80]!r}; {dock.message.text()}")
    inspect = hands.tab("Inspect")
    dock.result.layer.selected_data = {0}
    hands.hover(40, 40)
    for index in range(inspect.tabs.count()):
        inspect.tabs.setCurrentIndex(index)
        hands.wait(200)
        for suffix in ("svg", "csv", "png"):
            path = hands.out / f"plot-{index}.{suffix}"
            inspect.tabs.widget(index).write(str(path))
            hands.check(path.stat().st_size > 100, f"{path.name} is written")
    inspect.tabs.setCurrentIndex(0)


def menus(hands: Hands) -> None:
    """The context menu of a layer, the palette's entries, the close dialog's words."""
    from napari._app_model import get_app_model

    model = get_app_model()
    titles = [
        item.command.title
        for item in model.menus.get_menu("napari/layers/context")
        if hasattr(item, "command")
    ]
    wanted = {"Detect impurities here", "Compare with the reference", "Copy detection as Python"}
    hands.check(wanted <= set(titles), f"the context menu offers {titles}")
    dock = hands.docks["Detect"]
    hands.viewer.layers.selection.active = dock.stack.layer()
    model.commands.execute_command("napari-friedel.detect_here").result()
    hands.check(dock.job.busy, "Detect impurities here starts a detection")
    task = repr(dock.job._worker._func) if hasattr(dock.job._worker, "_func") else dock.job.name
    hands.check("<function" not in task, f"napari's close dialog says {task}")
    hands.until(lambda: not dock.job.busy)


def tips(hands: Hands) -> None:
    """Every control has a tool tip; there is one dock of each name."""
    from napari_friedel.widgets.calm import controls

    for name, dock in hands.docks.items():
        hands.tab(name)
        bare = [type(c).__name__ for c in controls(dock) if not c.toolTip()]
        hands.check(not bare, f"{name}: controls without a tool tip: {bare}")
    for name in hands.docks:
        hands.viewer.window.add_plugin_dock_widget("napari-friedel", name, tabify=True)
        hands.wait(30)
    hands.check(sorted(hands.tabs()) == sorted(hands.docks), f"one dock of each name, not {hands.tabs()}")


def excluded(hands: Hands) -> None:
    """A polygon and a Labels layer are left out of the search; defaults bring all back."""
    dock = hands.tab("Detect")
    stack_layer = dock.stack.layer()
    before = dock.result.number.text()
    corner = [stack_layer.data_to_world((0, r, c))[-2:] for r, c in ((0, 0), (0, 40), (79, 40), (79, 0))]
    drawn = {"shape_type": "polygon", "name": "left half"}
    shapes = hands.do(lambda: hands.viewer.add_shapes([np.array(corner)], **drawn))
    dock.excluded.choose(shapes)
    hands.click(dock.bar.start)
    hands.until(lambda: not dock.job.busy)
    columns = dock.result.layer.features["column"][dock.result.layer.shown]
    hands.picture("excluded")
    hands.check(columns.min() > 39, f"nothing is found in the polygon; smallest column {columns.min():.1f}")
    hands.click(dock.defaults)
    hands.check(dock.excluded.layer() is None, "Defaults leaves nothing out")
    hands.delete(shapes)
    hands.click(dock.bar.start)
    hands.until(lambda: not dock.job.busy)
    hands.check(dock.result.number.text() == before, f"{dock.result.number.text()} instead of {before}")


def several(hands: Hands) -> None:
    """A result is kept aside, another method's stands beside it; compared with each other."""
    dock = hands.tab("Detect")
    hands.click(dock.result.aside)
    dock.options.set("method", "matched-field")
    hands.click(dock.bar.start)
    hands.until(lambda: not dock.job.busy)
    hands.check(dock.result.choice.count() >= 2, "both results are offered")
    hands.picture("two-results")
    compare = hands.tab("Compare")
    offered = [compare.source.itemText(i) for i in range(compare.source.count())]
    other = next((i for i in range(compare.source.count()) if "kept" in compare.source.itemText(i)), -1)
    hands.check(other >= 0, f"the other result can be the reference: {offered}")
    compare.source.setCurrentIndex(other)
    hands.click(compare.bar.start)
    hands.wait(300)
    hands.picture("two-compared")
    hands.check("matched" in compare.counts.text(), compare.message.text())
    dock.options.set("method", "network")
    compare.source.setCurrentIndex(0)


def moved(hands: Hands) -> None:
    """A layer that is moved by hand takes its points along; a deleted result empties its box."""
    dock = hands.tab("Detect")
    stack_layer, points = dock.stack.layer(), dock.result.layer
    before = points.data_to_world(points.data[0])[-2:]
    stack_layer.translate = np.add(stack_layer.translate, [0, 5.0, 7.0])
    hands.wait(100)
    after = points.data_to_world(points.data[0])[-2:]
    hands.check(np.allclose(np.subtract(after, before), [5.0, 7.0]), "the points follow")
    stack_layer.translate = np.subtract(stack_layer.translate, [0, 5.0, 7.0])
    hands.delete(points)
    hands.check(dock.result.layer is not points and "impurit" not in dock.result.number.text().replace("–", ""),
                f"a deleted result is gone: {dock.result.number.text()}")  # fmt: skip


def walk(hands: Hands, steps: Sequence[Callable[[Hands], None]]) -> list[str]:
    """Take one step after the other; what is wrong comes back in words."""
    wrong: list[str] = []
    for step in steps:
        try:
            step(hands)
            print(f"  {step.__name__}: as it should be", flush=True)
        except Exception as error:  # the next one is tried all the same
            wrong.append(f"{step.__name__}: {type(error).__name__}: {error}")
            print(f"  {wrong[-1]}", flush=True)
    return wrong


def all_of(hands: Hands) -> list[str]:
    """Go through all of them; what is wrong comes back in words."""
    return walk(hands, (wheel, keys, clipboard, menus, tips, excluded, several, moved))
