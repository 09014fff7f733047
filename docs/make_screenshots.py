"""Remake the pictures of the docks in docs/images; run it under a screen of at least 1280×800.

    xvfb-run -a -s "-screen 0 1280x800x24" python docs/make_screenshots.py

Every picture shows the real plugin at work on the simulated Au(111) sample; nothing is drawn by hand. The window is
driven as `benchmarks/window_tour.py` drives it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
SIZE = (1280, 800)
sys.path.insert(0, str(ROOT / "benchmarks"))


def save(hands: Any, name: str) -> None:
    """Save the window as a PNG, packed well."""
    from PIL import Image

    hands.wait(600)
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"{name}.png"
    hands.window.grab().save(str(path))
    with Image.open(path) as picture:
        picture.convert("RGB").save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB", flush=True)


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=24, help="steps of the fine-tuning that is shown")
    args = parser.parse_args()
    os.environ.setdefault("FRIEDEL_MODELS", tempfile.mkdtemp())  # no models, sessions, settings of one's own
    from window_hands import Hands

    hands = Hands(Path(tempfile.mkdtemp()), SIZE, "dark")
    hands.wait(800)
    hands.viewer.open_sample("napari-friedel", "au111")
    hands.viewer.dims.set_point(0, -60.0)
    hands.viewer.fit_to_view()
    detect = hands.tab("Detect")
    hands.hover(30, 40)
    hands.click(detect.bar.start)
    hands.until(lambda: not detect.job.busy)
    hands.check(detect.result.layer is not None, detect.message.text())
    save(hands, "detect")
    detect._scroll.ensureWidgetVisible(detect.band.ring)
    hands.click(detect.band.ring)
    save(hands, "band")
    hands.click(detect.band.ring)

    compare = hands.tab("Compare")
    hands.click(compare.bar.start)
    hands.until(lambda: not compare.job.busy)
    hands.click(compare.figure)
    save(hands, "reference")
    compare.opacity.setValue(0)

    inspect = hands.tab("Inspect")
    points = detect.result.layer
    hands.viewer.layers.selection.active = points
    points.selected_data = {0}
    hands.hover(40, 40)
    save(hands, "inspect")
    inspect.tabs.setCurrentIndex(3)
    save(hands, "dispersion")

    hands.tab("Import")
    save(hands, "import")

    tune = hands.tab("Fine-tune")
    tune.further_settings = {"steps_per_epoch": args.steps, "check_every": 4, "batch": 4}
    hands.click(tune.bar.start)
    hands.until(lambda: not tune.job.busy and not tune.after_job.busy)
    hands.wait(500)
    hands.until(lambda: not tune.after_job.busy)
    hands.check(tune.message.level != "error", tune.message.text())
    save(hands, "fine-tune")
    hands.viewer.close()


if __name__ == "__main__":
    main()
