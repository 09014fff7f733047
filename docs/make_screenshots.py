"""Remake the pictures of the docks in docs/images; run it under a screen of at least 1280×800.

    xvfb-run -a -s "-screen 0 1280x800x24" python docs/make_screenshots.py

Every picture shows the real plugin at work on the simulated Au(111) sample; nothing is drawn by hand.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

IMAGES = Path(__file__).parent / "images"
SIZE = (1280, 800)


def wait(job: Any, seconds: float = 600.0) -> None:
    """Let the event loop run until `job` has ended."""
    from qtpy.QtTest import QTest

    end = time.monotonic() + seconds
    QTest.qWait(100)
    while job.busy:
        if time.monotonic() > end:
            raise TimeoutError(f"{job.name} did not end")
        QTest.qWait(50)
    QTest.qWait(200)


def save(viewer: Any, name: str) -> None:
    """Save the window as a PNG, packed well."""
    from PIL import Image
    from qtpy.QtTest import QTest

    QTest.qWait(600)
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"{name}.png"
    viewer.window._qt_window.grab().save(str(path))
    with Image.open(path) as picture:
        picture.convert("RGB").save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def bring_up(widget: Any) -> None:
    """Raise the tab of a dock."""
    parent = widget
    while parent is not None and type(parent).__name__ != "QtViewerDockWidget":
        parent = parent.parent()
    if parent is not None:
        parent.show()
        parent.raise_()


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60, help="steps of the fine-tuning that is shown")
    args = parser.parse_args()
    import torch  # noqa: F401  (before Qt, as the launcher does)

    from napari_friedel.__main__ import open_viewer

    viewer = open_viewer(sample="au111")
    assert viewer is not None
    window = viewer.window._qt_window
    window.resize(*SIZE)
    docks = {name.split(" (")[0]: dock for name, dock in viewer.window.dock_widgets.items()}
    detect, compare = docks["Detect"], docks["Compare"]
    viewer.dims.set_point(0, -60.0)
    viewer.fit_to_view()

    bring_up(detect)
    detect.detect()
    wait(detect.job)
    save(viewer, "detect")
    detect.band.ring.setChecked(True)
    save(viewer, "band")
    detect.band.ring.setChecked(False)

    bring_up(compare)
    compare.compare()
    wait(compare.job)
    save(viewer, "reference")

    inspect = docks["Inspect"]
    bring_up(inspect)
    points = detect.result.layer
    viewer.layers.selection.active = points
    points.selected_data = {0}
    inspect.look_at(40, 40)
    save(viewer, "inspect")
    inspect.tabs.setCurrentIndex(3)
    inspect.redraw()
    save(viewer, "dispersion")

    bring_up(docks["Import"])
    save(viewer, "import")

    tune = docks["Fine-tune"]
    bring_up(tune)
    tune.stack.currentIndexChanged.emit(0)
    tune.band.choose("au111")
    tune.options.set("epochs", 1)
    tune.further_settings = {"steps_per_epoch": args.steps, "check_every": 10}
    tune.start()
    wait(tune.job)
    wait(tune.after_job)
    save(viewer, "fine-tune")
    viewer.close()


if __name__ == "__main__":
    main()
