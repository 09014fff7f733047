"""How long does napari's window stand still? Ticks of a 30 ms timer while the plugin works.

    xvfb-run -a python benchmarks/gui_gap.py [--quick] [--json gap.json]

A tick that comes late is a moment in which the user could not move the slider. Reported are the intervals between
ticks [ms]: median, 95th percentile and largest, for the idle viewer, the first detection (which loads torch if it is
not loaded), a further detection, the classical detector, moving the threshold, and fine-tuning.

On a busy machine the wall clock tells of the neighbours. Beside it stands how much processor time (95th percentile, ms)
the window's own thread and the whole process took between two ticks: on a free core a tick is late by no more than
that.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

TICK_MS = 30


class Ticker:
    """Notes when a timer of the event loop fires."""

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.times: list[tuple[float, float, float]] = []
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.setInterval(TICK_MS)
        self.timer.timeout.connect(self._tick)
        self.timer.start()

    def _tick(self) -> None:
        self.times.append((time.perf_counter(), time.thread_time(), time.process_time()))

    def measure(self, label: str, busy: Any, act: Any = None, seconds: float = 600.0) -> dict[str, Any]:
        """Let the event loop run while `busy()`; `act` is called at every turn of the waiting."""
        from qtpy.QtTest import QTest

        self.times.clear()
        began = time.perf_counter()
        while busy() and time.perf_counter() - began < seconds:
            if act is not None:
                act()
            QTest.qWait(15)
        gaps, own, whole = 1000 * np.diff(np.array(self.times), axis=0).T
        found = {
            "what": label,
            "seconds": round(time.perf_counter() - began, 2),
            "ticks": len(gaps),
            "median_ms": round(float(np.median(gaps)), 1),
            "p95_ms": round(float(np.percentile(gaps, 95)), 1),
            "max_ms": round(float(gaps.max()), 1),
            "window_cpu_p95_ms": round(float(np.percentile(own, 95)), 1),
            "process_cpu_p95_ms": round(float(np.percentile(whole, 95)), 1),
        }
        print(
            "{what:34s} {seconds:7.2f} s  median {median_ms:6.1f}  p95 {p95_ms:6.1f}  max {max_ms:7.1f} ms   "
            "processor: window {window_cpu_p95_ms:6.1f}  process {process_cpu_p95_ms:6.1f}".format(**found),
            flush=True,
        )
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small field and few steps")
    parser.add_argument(
        "--torch-first", action="store_true", help="load torch before napari, as the launcher does"
    )
    parser.add_argument("--json", help="write the figures to this file")
    args = parser.parse_args()
    if args.torch_first:
        import torch  # noqa: F401
    import napari
    from napari_friedel.layers import add_layer, stack_layers
    from napari_friedel.layers.viewing import attach

    viewer = napari.Viewer(show=True)
    attach(viewer)
    for layer in stack_layers(_stack(40 if args.quick else 80, 24 if args.quick else 126)):
        add_layer(viewer, layer)
    detect = viewer.window.add_plugin_dock_widget("napari-friedel", "Detect")[1]
    tune = viewer.window.add_plugin_dock_widget("napari-friedel", "Fine-tune", tabify=True)[1]
    detect.band.choose("au111")
    tune.band.choose("au111")
    ticker = Ticker()
    found = []
    end = time.perf_counter() + (2 if args.quick else 5)
    found.append(ticker.measure("idle", lambda: time.perf_counter() < end))
    labels = [
        "detection, torch loaded before" if args.torch_first else "detection that loads torch",
        "detection",
    ]
    for label in labels:
        detect.detect()
        found.append(ticker.measure(label, lambda: detect.job.busy))
    detect.options.set("method", "matched-field")
    detect.detect()
    found.append(ticker.measure("matched field", lambda: detect.job.busy))
    values = iter(np.tile(np.linspace(0, 1000, 50), 2).astype(int))
    moving = {"on": True}

    def move() -> None:
        value = next(values, None)
        if value is None:
            moving["on"] = False
        else:
            detect.result.slider.setValue(value / 1000)

    found.append(ticker.measure("threshold slider", lambda: moving["on"], move))
    tune.further_settings = {
        "steps_per_epoch": 6 if args.quick else 25,
        "check_every": 3 if args.quick else 10,
    }
    tune.options.set("epochs", 1)
    tune.start()
    found.append(ticker.measure("fine-tuning", lambda: tune.job.busy))
    if detect.message.level == "error" or tune.message.level == "error":
        raise SystemExit(f"something failed: {detect.message.text()} {tune.message.text()}")
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1), encoding="utf-8")
    viewer.close()


def _stack(side: int, voltages: int) -> Any:
    """Rings of Au(111) in noise, made without torch."""
    from friedel.physics.dispersion import MATERIALS
    from friedel.stack import make_stack

    random = np.random.default_rng(0)
    bias = np.linspace(-230, 20, voltages)
    k = MATERIALS["au111"].k(bias)[:, None, None] * 0.469
    yy, xx = np.mgrid[:side, :side]
    maps = np.zeros((voltages, side, side))
    for row, column in random.uniform(0, side, (side * side // 160, 2)):
        r = np.hypot(yy - row, xx - column)
        maps += np.cos(2 * k * r + random.uniform(-1, 1)) / (r + 1)
    maps = maps / maps.std() + 0.8 * random.normal(size=maps.shape)
    return make_stack({"LockinX": maps}, bias_mv=bias, pixel_nm=0.469, source="rings")


if __name__ == "__main__":
    main()
