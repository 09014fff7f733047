"""How long does a layer hold napari's window up that comes or goes? Without this plugin, and with it.

    xvfb-run -a -s "-screen 0 1280x800x24" python benchmarks/window_layers.py [-o benchmarks/results/window_layers.csv]

The layers are those of a detection: a stack (bias, y, x), a topograph, the maps of S and of the probability, points.
Three windows: napari alone, napari with torch loaded but without a line of this plugin, and `napari-friedel` with all
its docks. In each the layers are added one by one, then all are selected and deleted by napari's bin, several times
over. Reported is the longest stay of the event loop in each act, by the clock and as processor time of the window's
thread [ms]: the median over the repetitions, the first of which is left out.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

WINDOWS = {"napari": "napari alone", "torch": "napari, torch loaded", "friedel": "napari-friedel"}
REPETITIONS = 7
#: How long the loop is watched after an act [ms].
WATCHED_MS = 700


class Watch:
    """Ticks of a 10 ms timer."""

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.ticks: list[tuple[float, float]] = []
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(lambda: self.ticks.append((time.perf_counter(), time.thread_time())))
        self.timer.start(10)

    def wait(self, milliseconds: int) -> None:
        """Let the event loop run."""
        from qtpy.QtCore import QEventLoop, QTimer

        loop = QEventLoop()
        QTimer.singleShot(milliseconds, loop.quit)
        loop.exec()

    def longest(self, act: Callable[[], Any]) -> tuple[float, float]:
        """Act within the event loop; the longest interval by the clock, and the most processor time in one [ms]."""
        from qtpy.QtCore import QTimer

        self.wait(100)
        self.ticks.clear()
        QTimer.singleShot(30, act)
        self.wait(WATCHED_MS)
        wall, own = 1000 * np.diff(np.array(self.ticks), axis=0).T
        return float(wall.max()), float(own.max())


def window(kind: str) -> Any:
    """A viewer with what belongs to its kind."""
    if kind != "napari":
        import torch  # noqa: F401
    if kind == "friedel":
        from napari_friedel.__main__ import open_viewer

        return open_viewer()
    import napari

    return napari.Viewer()


def layers_of(viewer: Any) -> list[tuple[str, Callable[[], Any]]]:
    """What adds each layer."""
    random = np.random.default_rng(0)
    stack, maps = random.normal(size=(61, 80, 80)).astype(np.float32), random.normal(size=(3, 80, 80))
    places = random.uniform(0, 80, size=(50, 2))
    place = {"scale": (0.5, 0.5), "units": ("nm", "nm")}
    found = {"border_color": "yellow", "face_color": "transparent", "features": {"p": np.linspace(0, 1, 50)}}
    return [
        ("topograph", lambda: viewer.add_image(maps[0], **place)),
        ("stack", lambda: viewer.add_image(stack, scale=(1, 0.5, 0.5), units=("mV", "nm", "nm"))),
        ("points", lambda: viewer.add_points(places, size=3, **found, **place)),
        ("S, hidden", lambda: viewer.add_image(maps[1], visible=False, **place)),
        ("probability, hidden", lambda: viewer.add_image(maps[2], visible=False, **place)),
    ]


def measure(kind: str) -> pd.DataFrame:
    """Longest stays of one window, a row per act and repetition."""
    viewer = window(kind)
    watch = Watch()
    watch.wait(9000)  # what is loaded ahead is there
    bin_ = viewer.window._qt_viewer.layerButtons.deleteButton
    rows = []
    for repetition in range(REPETITIONS):
        acts = [(f"add {name}", act) for name, act in layers_of(viewer)]
        acts += [("select all", viewer.layers.select_all), ("delete all", bin_.click)]
        for name, act in acts:
            wall, own = watch.longest(act)
            if repetition:
                rows.append({"window": WINDOWS[kind], "act": name, "clock_ms": wall, "processor_ms": own})
    viewer.close()
    watch.wait(300)
    return pd.DataFrame(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, help="write the figures to this table")
    parser.add_argument("--window", choices=WINDOWS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.window:
        print(measure(args.window).to_csv(index=False))
        return
    parts = []
    for kind in WINDOWS:
        command = [sys.executable, __file__, "--window", kind]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        text = done.stdout[done.stdout.index("window,act") :]
        parts.append(pd.read_csv(io.StringIO(text)))
    table = (
        pd.concat(parts).groupby(["act", "window"], sort=False).median().round(0).astype(int).reset_index()
    )
    print(table.pivot(index="act", columns="window").to_string())
    if args.output:
        table.to_csv(args.output, index=False)


if __name__ == "__main__":
    main()
