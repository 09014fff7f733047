"""Two grids, damaged files, the words of the window, its close dialog: what a user meets on a bad day, by mouse."""

from __future__ import annotations

import ctypes
import ctypes.util
import re
import shutil
from typing import Any

import numpy as np
from window_hands import Hands, opened

#: What a command line, or Python, says and a window does not.
FOREIGN = re.compile(
    r"--[a-z]|`|\b[a-z]+_[a-z]+(_[a-z]+)*\b|\b(CLI|argument|keyword|flag|kwarg|stdin|stderr)s?\b"
)


def two_grids(hands: Hands) -> None:
    """A Cu stack and an Au stack, each with its map: the reference follows the stack; a stranger is named."""
    from friedel.io.netcdf import write
    from friedel.physics.simulate import simulate

    far = hands.out / "cu111.nc"
    if not far.exists():
        bias = np.array([-200.0, -150.0, -110.0, -80.0, -50.0, -30.0, -10.0, 10.0, 40.0, 80.0])
        stack = simulate(material="cu111", shape=(80, 80), pixel_nm=0.4, bias_mv=bias, impurities=20, seed=2)
        write(stack.assign_coords(x=stack["x"] + 200.0, y=stack["y"] + 100.0), far)
    dock = opened(hands)
    gold, gold_map = dock.stack.layer(), hands.docks["Compare"].map.layer()
    hands.check(gold_map is not None and "bound" in gold_map.name, f"the map of gold: {gold_map}")
    count = len(hands.viewer.layers)
    hands.drop(far)
    hands.until(lambda: len(hands.viewer.layers) >= count + 2)
    hands.wait(500)
    copper = next(x for x in hands.viewer.layers if "cu111" in x.name and x.ndim == 3)
    hands.do(lambda: hands.viewer.layers.selection.select_only(copper), 300)
    compare = hands.tab("Compare")
    hands.check(compare.stack.layer() is copper, "Compare follows the active stack")
    hands.check("cu111" in compare.map.layer().name, f"its map is of the same file: {compare.map.layer()}")
    hands.check(not compare.message.text(), f"nothing to warn of: {compare.message.text()!r}")
    hands.tab("Detect")
    dock.band.choose("cu111")
    hands.click(dock.bar.start)
    hands.until(lambda: not dock.job.busy)
    compare = hands.tab("Compare")
    hands.click(compare.bar.start)
    hands.until(lambda: not compare.job.busy)
    hands.wait(500)
    hands.picture("copper-compared")
    hands.check("<b>0</b> matched" not in compare.counts.text(), compare.counts.text())
    compare.map.choose(gold_map)
    hands.wait(300)
    hands.picture("stranger")
    hands.check("do not overlap" in compare.message.text(), compare.message.text())
    hands.click(compare.bar.start)
    hands.wait(500)
    hands.check(
        "do not overlap" in compare.message.text() and not compare.counts.text(), "nor are they compared"
    )
    hands.do(lambda: hands.viewer.layers.selection.select_only(gold), 300)
    hands.check(compare.map.layer() is gold_map, "back at gold stands its own map")
    hands.check(not compare.message.text(), f"and nothing to warn of: {compare.message.text()!r}")


def same_place(hands: Hands) -> None:
    """Two grids of one place: the map of the other is no mistake, but it is said whose it is."""
    other = hands.out / "later.nc"
    shutil.copy(hands.file, other)
    dock = opened(hands)
    first = dock.stack.layer()
    count = len(hands.viewer.layers)
    hands.drop(other)
    hands.until(lambda: len(hands.viewer.layers) >= count + 3)
    hands.wait(500)
    compare = hands.tab("Compare")
    hands.do(lambda: hands.viewer.layers.selection.select_only(first), 300)
    hands.check(
        "later" not in compare.map.layer().name, f"the map of the same file, not {compare.map.layer()}"
    )
    stranger = next(x for x in hands.viewer.layers if "later" in x.name and "bound" in x.name)
    compare.map.choose(stranger)
    hands.wait(300)
    hands.picture("map-of-another-file")
    hands.check("later" in compare.message.text(), f"said is whose map it is: {compare.message.text()!r}")


def toasts(hands: Hands) -> None:
    """What a damaged file has to say stands in napari's note, not behind its traceback."""
    from napari._qt.dialogs.qt_notification import NapariQtNotification

    grid = b'Grid dim="4 x 4"\r\n:HEADER_END:\r\n'
    written = {
        "broken.3ds": grid,
        "empty.3ds": b"",
        "words.sm4": b"this is no RHK file " * 20,
        "cut.nc": b"CDF\x01\x00",
    }
    written["cut-grid.nc"] = hands.file.read_bytes()[:5000]
    for name, content in written.items():
        path = hands.out / name
        path.write_bytes(content)
        hands.close_notes()
        hands.drop(path)
        hands.wait(900)
        notes = hands.window.findChildren(NapariQtNotification)
        told = [note.message.text() for note in notes]
        print(f"    {name}: {told}", flush=True)
        hands.picture(f"toast-{path.stem}")
        hands.check(any(name in text for text in told), f"{name}: the note names it: {told}")
        hands.check(not any("Traceback" in text or "refused" in text for text in told), f"in words: {told}")
    hands.close_notes()


def texts_of(widget: Any) -> list[tuple[str, str]]:
    """Every text and tool tip below a widget, shown or folded away, with the class of its widget."""
    from qtpy.QtWidgets import QAbstractButton, QComboBox, QGroupBox, QLabel, QLineEdit, QTabWidget, QWidget

    found = []
    for one in widget.findChildren(QWidget):
        texts = [one.toolTip()]
        if isinstance(one, (QAbstractButton, QLabel)):
            texts.append(one.text())
        if isinstance(one, QGroupBox):
            texts.append(one.title())
        if isinstance(one, QLineEdit):
            texts.append(one.placeholderText())
        if isinstance(one, QComboBox):
            texts += [one.itemText(i) for i in range(one.count())]
        if isinstance(one, QTabWidget):
            texts += [one.tabText(i) + " " + one.tabToolTip(i) for i in range(one.count())]
        found += [(type(one).__name__, re.sub(r"<[^>]*>|https?://\S+", "", text)) for text in texts if text]
    return list(dict.fromkeys(found))


def our_titles() -> list[str]:
    """Titles of our entries in napari's menus."""
    from napari._app_model import get_app_model

    menus = get_app_model().menus
    items = [
        item.command
        for menu in ("napari/layers/context", "napari/file/samples", "napari/plugins")
        for item in menus.get_menu(menu)
        if hasattr(item, "command")
    ]
    return [str(command.title) for command in items if "friedel" in str(command.id)]


def words(hands: Hands) -> None:
    """No text and no tool tip of the docks and of our menus speaks of flags, keywords or names of the code."""
    foreign = []
    box = hands.docks["Detect"].result.colour  # the columns of a table are called by their names
    columns = {"bound_state", *(word for i in range(box.count()) for word in box.itemText(i).split())}
    for name, dock in hands.docks.items():
        hands.tab(name)
        hands.wait(100)
        texts = texts_of(dock)
        told = "\n".join(f"{kind}: {text}" for kind, text in texts)
        (hands.out / f"words-{name}.txt").write_text(told, encoding="utf-8")
        for kind, text in texts:
            odd = [m.group(0) for m in FOREIGN.finditer(text) if m.group(0) not in columns]
            foreign += [f"{name}: {kind} {text!r} has {odd}"] if odd else []
    for title in our_titles():
        foreign += [f"menu: {title}"] if FOREIGN.search(title) else []
    print("\n".join(f"    {text}" for text in foreign), flush=True)
    hands.check(not foreign, f"{len(foreign)} texts speak of the command line")


def closing(hands: Hands) -> None:
    """The button of the window's frame, pressed during a detection: napari's question names the work; No keeps it."""
    from napari._qt.dialogs.confirm_close_dialog import ConfirmCloseDialog
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication, QLabel

    dock = opened(hands)
    hands.click(dock.bar.start)
    hands.wait(150)
    hands.check(dock.job.busy, "the detection runs")
    seen: list[str] = []

    def answer(tries: int = 30) -> None:
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, ConfirmCloseDialog):
            if tries:
                QTimer.singleShot(100, lambda: answer(tries - 1))
            return
        seen.append(" ".join(label.text() for label in dialog.findChildren(QLabel)))
        dialog.grab().save(str(hands.out / "close-dialog.png"))
        dialog.cancel_btn.click()

    QTimer.singleShot(50, answer)
    ask_to_close(int(hands.window.winId()))
    hands.until(lambda: bool(seen) or not dock.job.busy, 60)
    hands.check(bool(seen), "napari asks")
    hands.check(
        "detection of impurities" in seen[0] and "<function" not in seen[0], f"the dialog says {seen[0]!r}"
    )
    hands.until(lambda: not dock.job.busy)
    hands.check(
        hands.window.isVisible() and dock.result.layer is not None, "No: the work goes on, to its end"
    )


def ask_to_close(window: int) -> None:
    """What a window manager sends when the button of the frame is pressed (WM_DELETE_WINDOW)."""

    class Message(ctypes.Structure):
        _fields_ = [
            ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int),
            ("display", ctypes.c_void_p), ("window", ctypes.c_ulong), ("message_type", ctypes.c_ulong),
            ("format", ctypes.c_int), ("data", ctypes.c_long * 5), ("pad", ctypes.c_long * 24),
        ]  # fmt: skip

    x11 = ctypes.CDLL(ctypes.util.find_library("X11"))
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    x11.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    x11.XSendEvent.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
    display = x11.XOpenDisplay(None)
    protocols, delete = (x11.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
    message = Message(type=33, window=window, message_type=protocols, format=32)
    message.data[0] = delete
    x11.XSendEvent(display, window, 0, 0, ctypes.byref(message))
    x11.XFlush(ctypes.c_void_p(display))
    x11.XCloseDisplay(ctypes.c_void_p(display))


def context_menu(hands: Hands) -> None:
    """A right click on a layer opens napari's menu with our entries; one of them is clicked and works."""
    from qtpy.QtCore import Qt, QTimer
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication, QMenu

    dock = opened(hands)
    stack = dock.stack.layer()
    view = hands.viewer.window._qt_viewer.layers
    model = view.model()
    rows = [model.index(row, 0) for row in range(model.rowCount())]
    place = view.visualRect(next(index for index in rows if index.data(Qt.ItemDataRole.UserRole) is stack))
    titles: list[str] = []

    def answer(tries: int = 30) -> None:
        menu = QApplication.activePopupWidget()
        if not isinstance(menu, QMenu):
            if tries:
                QTimer.singleShot(100, lambda: answer(tries - 1))
            return
        titles.extend(action.text() for action in menu.actions() if action.isVisible())
        menu.grab().save(str(hands.out / "context-menu.png"))
        ours = next((a for a in menu.actions() if "Detect impurities here" in a.text()), None)
        if ours is None:
            menu.close()
        else:
            QTest.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(ours).center())

    QTimer.singleShot(100, answer)
    where = place.center()
    hands.in_loop(lambda: QTest.mouseClick(view.viewport(), Qt.MouseButton.RightButton, pos=where), 100)
    hands.until(lambda: bool(titles), 20)
    hands.wait(300)
    hands.check("Detect impurities here" in titles, f"the menu offers {titles}")
    hands.check(dock.job.busy or dock.result.layer is not None, "and detects")
    hands.until(lambda: not dock.job.busy and dock.result.layer is not None, 120)


STEPS = (two_grids, same_place, toasts, words, closing, context_menu)
