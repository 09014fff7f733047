"""How a detection scales: seconds and peak memory against pixels, files per minute against processes.

    python benchmarks/scale.py pixels --sizes 128 256 512 1024 2048 --voltages 16
    python benchmarks/scale.py pixels --sizes 1024 --voltages 200 --add
    python benchmarks/scale.py pixels --sizes 4096 --voltages 16 --limit 1500 --add
    python benchmarks/scale.py files --jobs 1 2

A field is a simulated one of 128×128 px, mirrored into the size that is asked for, with fresh noise. Each runs in a
process of its own; peak memory is that of the resident set (VmHWM: getrusage would count the parent's), pages of
temporary files included. The figures are written to ``benchmarks/results/scale_pixels.csv`` and ``scale_files.csv``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results"
CHILD = """
import json, re, sys, time
from pathlib import Path
import friedel
from friedel.pipeline import iter_detect
path, refit, limit = sys.argv[1], sys.argv[2], float(sys.argv[3])

def peak():
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) / 1024

start = last = time.perf_counter()
seconds = {"prepare": 0.0, "network": 0.0, "refit": 0.0}
peaks = dict(seconds)
begins = {"prepare": (0.0, 0.1), "network": (0.1, 0.5), "refit": (0.6, 0.39)}
work = iter_detect(friedel.open_stack(path), dispersion="au111", refit=refit)
now, found, total = "prepare", None, time.perf_counter() - start
while True:
    try:
        step = next(work)
    except StopIteration as end:
        found = end.value
    seconds[now] += time.perf_counter() - last
    last = time.perf_counter()
    peaks[now] = peak()
    if found is not None:
        break
    if step.message.startswith("detecting impurities"):
        now = "network"
    if step.message.startswith("refit"):
        now = "refit"
    if last - start > limit:
        work.close()
        break
answer = {f"{name}_seconds": value for name, value in seconds.items()}
answer |= {"seconds": last - start, "peak_MB": max(peaks.values()), "prepare_peak_MB": peaks["prepare"]}
first, length = begins[now]
share = 1.0 if found is not None else max(0.0, (step.fraction - first) / length)
answer |= {"stage": now, "share_of_stage": share}
answer["impurities"] = float("nan") if found is None else len(found)
print(json.dumps(answer))
"""


def write_field(path: Path, size: int, voltages: int) -> None:
    """Write a field of size × size px as netCDF, map by map."""
    import h5netcdf

    import friedel

    bias = np.linspace(-200, 20, voltages).round(3)
    stack = friedel.simulate(seed=1, shape=(128, 128), bias_mv=bias, impurities=100, noise=0.3)
    seed = stack["LockinX"].to_numpy()
    random = np.random.default_rng(0)
    times = -(-size // 128)
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {"bias": voltages, "y": size, "x": size}
        for name in ("bias", "y", "x"):
            values = stack["bias"].to_numpy() if name == "bias" else np.arange(size) * 0.469
            axis = file.create_variable(name, (name,), "f8")
            axis[:] = values
            axis.attrs["units"] = "mV" if name == "bias" else "nm"
        data = file.create_variable("LockinX", ("bias", "y", "x"), "f4")
        data.attrs["units"] = "V"
        for index, plane in enumerate(seed):
            quarter = np.pad(plane, ((0, 128), (0, 128)), mode="symmetric")
            whole = np.tile(quarter, (-(-times // 2), -(-times // 2)))[:size, :size]
            data[index] = whole + 0.1 * plane.std() * random.normal(size=whole.shape)
        file.attrs.update(acquired=size * size, expected=size * size)


def measure(path: Path, refit: str, limit: float) -> dict[str, float | str]:
    """Seconds, peak memory and number of impurities of one detection in a fresh process."""
    words = [sys.executable, "-W", "ignore", "-c", CHILD, str(path), refit, str(limit)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, float | str] = json.loads(done.stdout.splitlines()[-1])
    return result


def pixels(sizes: list[int], voltages: int, refit: str, limit: float, folder: Path) -> pd.DataFrame:
    """One row per size."""
    rows = []
    for size in sizes:
        write_field(folder / f"{size}.nc", size, voltages)
        found = measure(folder / f"{size}.nc", refit, limit)
        rows.append({"pixels": size, "voltages": voltages, "refit": refit, **found})
        for name in ("prepare_seconds", "network_seconds", "refit_seconds", "seconds"):
            rows[-1][f"{name}_per_megapixel"] = rows[-1][name] / size**2 * 1e6
        print(rows[-1], flush=True)
        (folder / f"{size}.nc").unlink()
    return pd.DataFrame(rows)


def files(counts: list[int], number: int, folder: Path) -> pd.DataFrame:
    """One row per number of processes: those of --jobs, then workers of a dask cluster."""
    from distributed import LocalCluster

    for index in range(number):
        write_field(folder / f"{index}.nc", 128, 16)
    names = sorted(str(path) for path in folder.glob("*.nc"))
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    rows = []
    for kind in ("jobs", "dask"):
        for count in counts:
            words = [sys.executable, "-m", "friedel", "detect", *names, "--material", "au111"]
            words += ["-o", str(folder / f"{kind}{count}")]
            cluster = None
            if kind == "dask":
                cluster = LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None)
                words += ["--scheduler", cluster.scheduler_address]
            else:
                words += ["--jobs", str(count)]
            start = time.perf_counter()
            subprocess.run(words, check=True, capture_output=True, env=env)
            minutes = (time.perf_counter() - start) / 60
            if cluster is not None:
                cluster.close()
            rows.append({"executor": kind, "processes": count, "files_per_minute": number / minutes})
            rows[-1]["ratio"] = rows[-1]["files_per_minute"] / rows[0]["files_per_minute"]
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["pixels", "files"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256, 512])
    parser.add_argument("--voltages", type=int, default=16)
    parser.add_argument("--refit", default="quick", choices=["none", "quick"])
    parser.add_argument(
        "--limit",
        type=float,
        default=np.inf,
        help="seconds after which a detection is stopped; its peak counts",
    )
    parser.add_argument("--add", action="store_true", help="keep the rows that the table has of other sizes")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--files", type=int, default=6)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if args.what == "pixels":
            table = pixels(args.sizes, args.voltages, args.refit, args.limit, Path(name))
        else:
            table = files(args.jobs, args.files, Path(name))
    path = RESULTS / f"scale_{args.what}.csv"
    if args.add and path.exists():
        keys = ["pixels", "voltages", "refit"]
        table = pd.concat([pd.read_csv(path), table]).drop_duplicates(keys, keep="last").sort_values(keys)
    table.to_csv(path, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
