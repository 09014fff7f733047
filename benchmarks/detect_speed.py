"""Time and peak memory of detection, each case in a process of its own, against one numpy pass over the same bytes.

Usage: python benchmarks/detect_speed.py [--large] [--scene unlike-60] [--method network] [--threads 2]
       [--device cpu] [--repeat 5] [--csv OUT]

The field is noise with the waves of an impurity every 160 px², or the first field of a standard scene.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

CASES = [
    ("network", "friedel"),
    ("network alone", "friedel"),
    ("full refit", "friedel"),
    ("network", "paper"),
    ("matched-field", ""),
    ("omp", ""),
    ("omp-each", ""),
]
#: Minutes each: not for the large field.
SLOW = ("omp-each", "full refit")


def synthetic(side: int) -> xr.Dataset:
    """A stack of noise and waves in memory."""
    import numpy as np

    import friedel
    from friedel.stack import make_stack

    rng = np.random.default_rng(0)
    maps = rng.standard_normal((126, side, side), dtype=np.float32)
    bias = np.arange(-230, 21, 2.0)
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    k = friedel.Dispersion(-520, 0.26).k(bias).astype(np.float32) * np.float32(0.469)
    for row, column in rng.uniform(0, side, (max(1, side * side // 160), 2)):
        # Each scatterer's waves within 24 px, as far as they stand out of the noise.
        r0, c0 = max(0, int(row) - 24), max(0, int(column) - 24)
        part = np.s_[r0 : r0 + 48, c0 : c0 + 48]
        r = np.hypot(rows[part] - row, columns[part] - column) + 1
        maps[(slice(None), *part)] += 3 * np.cos(2 * k[:, None, None] * r + 1) / r
    return make_stack({"LockinX": maps}, bias_mv=bias, pixel_nm=0.469)


def measure(field: str, method: str, model: str, device: str, repeat: int) -> dict[str, float]:
    """Run in the child; `field` is a side [px] or a scene's name."""
    import warnings

    import friedel
    from friedel.benchmark.methods import by_omp
    from friedel.benchmark.scenes import SCENES
    from friedel.models.registry import load_model

    warnings.simplefilter("ignore")
    if field.isdigit():
        stack, dispersion = synthetic(int(field)), friedel.Dispersion(-520, 0.26)
    else:
        simulated = SCENES[field].field(0)
        stack, dispersion = simulated.stack, simulated.dispersion
    options = {"dispersion": dispersion, "device": device}
    if model:
        refit = {"network alone": "none", "full refit": "full"}.get(method)
        options |= {"model": load_model(model, device), "refit": refit}
    else:
        options |= {"method": method}

    def find(one: xr.Dataset) -> int:
        if method == "omp-each":  # every map fitted, as the benchmark's method of that name
            found = by_omp(pooling=False)(one, dispersion)
            return int(found.accepted.sum())
        return len(friedel.detect(one, **options))

    find(stack.isel(x=slice(0, 40), y=slice(0, 40)))  # imports, caches
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    values = stack["LockinX"].to_numpy()
    times, passes = [], []
    for _ in range(repeat):
        start = time.perf_counter()
        float((values - values.mean()).std())
        passes.append(time.perf_counter() - start)
        start = time.perf_counter()
        points = find(stack)
        times.append(time.perf_counter() - start)
    return {
        "seconds": median(times),
        "numpy_pass_seconds": median(passes),
        "ratio": median(times) / median(passes),
        "peak_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "loaded_MB": loaded,
        "stack_MB": values.nbytes / 1e6,
        "points": points,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="also 512×512×126")
    parser.add_argument("--scene", action="append", help="a standard scene's first field; can be repeated")
    parser.add_argument(
        "--method",
        action="append",
        choices=dict.fromkeys(method for method, _ in CASES),
        help="only this one",
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="of the network; the refit runs on the CPU")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        field, method, model, repeat = args.child
        import torch

        torch.set_num_threads(args.threads)
        print(json.dumps(measure(field, method, model, args.device, int(repeat))))
        return
    rows = []
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(args.threads),
        "OPENBLAS_NUM_THREADS": str(args.threads),
    }
    print(f"{'field':>12} {'method':>21} {'seconds':>8} {'× a pass':>9} {'peak MB':>8} {'points':>7}")
    for field in args.scene or (["80", "512"] if args.large else ["80"]):
        for method, model in CASES:
            if (field == "512" and method in SLOW) or (args.method and method not in args.method):
                continue
            repeat = 1 if field == "512" or (method == "full refit" and args.scene) else args.repeat
            command = [sys.executable, __file__, "--threads", str(args.threads), "--device", args.device]
            command += ["--child", field, method, model, str(repeat)]
            done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
            name = f"{model} {'' if method == 'network' else method}".strip()
            title = f"{field}×{field}×126" if field.isdigit() else field
            if done.returncode:
                print(f"{title:>12} {name:>21} failed: {done.stderr.strip().splitlines()[-1]}")
                continue
            row = json.loads(done.stdout)
            rows.append(
                {"field": field, "method": name, "device": args.device, "threads": args.threads, **row}
            )
            print(
                f"{title:>12} {name:>21} {row['seconds']:8.3f} {row['ratio']:9.0f} "
                f"{row['peak_MB']:8.0f} {row['points']:7.0f}",
                flush=True,
            )
    if args.csv and rows:
        with args.csv.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
