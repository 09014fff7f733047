"""The default method on synthetic topographs as recorded: tilt, pits, atoms, slow background, tip change, lost strip.

Heights are in units of the robust standard deviation of the waves. "waves only" has no atoms; "empty" no waves.

    python benchmarks/raw_scans.py -o benchmarks/results/raw_scans.csv
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from friedel.benchmark.settings import Setting
from friedel.benchmark.synthetic import make_synthetic
from friedel.pipeline import detect
from friedel.scoring.matching import match
from friedel.stack import make_stack

#: Largest distance of a pair [nm].
TOLERANCE_NM = 0.5


def topograph(
    seed: int, *, atoms: bool = True, impurities: int | None = None
) -> tuple[xr.Dataset, np.ndarray, np.ndarray, float]:
    """Stack, true positions, which of them are optional, pixel pitch [nm]."""
    random = np.random.default_rng(1000 + seed)
    size, count = random.uniform(40, 60), int(random.integers(195, 257))
    pixel = size / count
    number = int(random.integers(6, 40)) if impurities is None else impurities
    setting = Setting("ag111", (count, count), pixel, (100.0,), impurities=number, noise=0.3, jitter_pm=0.0,
                      rows=0.0, herringbone=False, unlike=False)  # fmt: skip
    simulated = make_synthetic(setting.without_cores(), seed)
    image = simulated.stack["LockinX"].to_numpy()[0].astype(float) - 1
    image /= 1.4826 * np.median(np.abs(image - np.median(image))) if number else image.std()
    truth, optional = simulated.truth()
    rows, columns = np.mgrid[:count, :count]
    if atoms:
        for y, x in simulated.scatterers.position:
            height, width = np.exp(random.uniform(np.log(2), np.log(50))), random.uniform(0.35, 0.55) / pixel
            image += height * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 2 / width**2)
    if random.random() < 0.5:
        for _ in range(int(random.integers(1, 3))):
            (y, x), radius = random.uniform(0, count, 2), random.uniform(1, 3) / pixel
            depth = random.uniform(50, 400)
            image -= depth / (1 + np.exp((np.hypot(rows - y, columns - x) - radius) / (0.25 / pixel)))
    image = _instrument(image, random)
    if random.random() < 0.2:
        strip = count // 6
        image[-strip:] = 0
        keep = truth[:, 0] < count - strip - 0.5
        truth, optional = truth[keep], optional[keep]
    stack = make_stack({"Z": image[None]}, bias_mv=[100.0], pixel_nm=pixel, units={"Z": "nm"})
    return stack, truth, optional, pixel


def _instrument(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Slow background, line offsets, tilt, and in every fifth field a tip change half-way."""
    count = len(image)
    share = random.uniform(0, 3)
    frequency = np.hypot(np.fft.fftfreq(count)[:, None], np.fft.fftfreq(count)[None])
    frequency[0, 0] = 1
    slow = np.fft.ifft2(np.fft.fft2(random.normal(size=image.shape)) / frequency**1.5).real
    image = image + share * slow / slow.std()
    image += np.cumsum(random.normal(size=count))[:, None] * random.uniform(0, 0.2)
    image += random.normal(size=count)[:, None] * random.uniform(0, 1)
    tilt, angle = np.exp(random.uniform(np.log(3), np.log(440))), random.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:count, :count]
    image += tilt * (rows * np.sin(angle) + columns * np.cos(angle)) / count
    if random.random() < 0.2:
        image[count // 2 :] += random.uniform(-20, 20)
    return image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--methods", default="network,matched-field")
    parser.add_argument("--recorded", action="store_true", help="without the preparation")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for method in options.methods.split(","):
        for name in ("as recorded", "waves only", "empty"):
            counts = np.array(
                [_counts(seed, name, method, options.recorded) for seed in range(options.seeds)]
            )
            right, false, missed = counts.sum(axis=0)
            low, high = _interval(counts)
            rows.append({
                "method": method, "topographs": name, "fields": options.seeds, "right": right, "false": false,
                "missed": missed, "F1": f1(counts), "F1 low": low, "F1 high": high,
            })  # fmt: skip
            print(rows[-1], flush=True)
    if options.output:
        pd.DataFrame(rows).to_csv(options.output, index=False, float_format="%.4f")


def _counts(seed: int, name: str, method: str, recorded: bool) -> tuple[int, int, int]:
    """Right, false and missed points of one field."""
    impurities = 0 if name == "empty" else None
    stack, truth, optional, pixel = topograph(seed, atoms=name == "as recorded", impurities=impurities)
    found = detect(stack, dispersion="ag111", prepare=not recorded, method=method)
    pairs = match(found.positions, truth, TOLERANCE_NM / pixel, optional=optional)
    return len(pairs), len(pairs.false), len(pairs.missed)


def f1(counts: np.ndarray) -> float:
    """F1 of all fields together; NaN where there is nothing to find."""
    right, false, missed = counts.sum(axis=0)
    return float(2 * right / (2 * right + false + missed)) if right + missed else float("nan")


def _interval(counts: np.ndarray) -> tuple[float, float]:
    """Interval of 95 % of F1, by drawing fields anew."""
    random = np.random.default_rng(0)
    drawn = [f1(counts[random.integers(0, len(counts), len(counts))]) for _ in range(1000)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
