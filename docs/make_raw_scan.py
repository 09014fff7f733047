"""Draw the steps of the preparation on a measured topograph: docs/images/raw-scan.png."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import friedel
from friedel.physics.dispersion import MATERIALS
from friedel.prepare.background import level
from friedel.prepare.run import clean, flatten
from friedel.prepare.topograph import wave_of

SOURCE = Path("../shared/data/measured/spmqt_island_60nm.npz")
TARGET = Path("docs/images/raw-scan.png")


def main() -> None:
    if not SOURCE.exists():
        print(f"{SOURCE} is absent; the picture stays as it is.")
        return
    with np.load(SOURCE) as data:
        raw, bias = data["maps"].astype(float), float(data["bias"][0])
        pitch = (float(data["pixel_nm"][0]), float(data["pixel_nm"][1]))
    settings, band = friedel.PrepareSettings(), MATERIALS["cu111"]
    cleaned = clean(raw, settings, didv=False)
    wave = wave_of(cleaned.maps[0], bias, band, pitch)
    done = flatten(cleaned, band.k([wave.energy_mev]), pitch, settings)
    pictures = {
        "as recorded": raw[0],
        "plane removed": level(raw, rows=False)[0],
        "bad data and line offsets removed": cleaned.maps[0],
        "slow background removed, outliers clipped": done.maps[0],
    }
    figure, axes = plt.subplots(2, 2, figsize=(9, 6.4), layout="constrained")
    extent = (0, raw.shape[2] * pitch[1], raw.shape[1] * pitch[0], 0)
    for axis, (title, image) in zip(axes.flat, pictures.items(), strict=True):
        low, high = np.nanquantile(image, [0.01, 0.99])
        axis.imshow(image, cmap="gray", vmin=low, vmax=high, extent=extent)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("x (nm)")
        axis.set_ylabel("y (nm)")
    TARGET.parent.mkdir(exist_ok=True)
    figure.savefig(TARGET, dpi=110)
    print(TARGET, [step.sentence for step in done.steps])


if __name__ == "__main__":
    main()
