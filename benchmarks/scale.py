"""How a detection scales: seconds and peak memory against pixels, files per minute against processes.

    python benchmarks/scale.py pixels --sizes 128 256 512 1024 --voltages 16
    python benchmarks/scale.py pixels --sizes 1024 --voltages 200 --add
    python benchmarks/scale.py pixels --sizes 512 2048 4096 --voltages 16 --refit none --rotations 1 --add
    python benchmarks/scale.py files --jobs 1 2
    python benchmarks/scale.py figure
    python benchmarks/scale.py plans

A field is a simulated one of 128×128 px, mirrored into the size that is asked for, with fresh noise. Each runs in a
process of its own; peak memory is that of the resident set (VmHWM: getrusage would count the parent's), pages of
temporary files included. The figures are written to ``benchmarks/results/scale_pixels.csv`` and ``scale_files.csv``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results"
CHILD = """
import faulthandler, json, sys, time
from dataclasses import replace
import friedel
from friedel.models.registry import load_model
from friedel.pipeline import iter_detect
path, refit, limit, rotations = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
model = load_model("friedel", device="cpu")
model.network.config = replace(model.network.config, n_augment=rotations)
if limit < 1e6:
    faulthandler.dump_traceback_later(limit, exit=True)
start = last = time.perf_counter()
seconds = {"prepare": 0.0, "network": 0.0, "refit": 0.0}
begins = {"prepare": (0.0, 0.1), "network": (0.1, 0.5), "refit": (0.6, 0.39)}
work = iter_detect(friedel.open_stack(path), dispersion="au111", model=model, refit=refit)
now, found, share = "prepare", None, 0.0
while found is None:
    try:
        step = next(work)
    except StopIteration as end:
        found, share = end.value, 1.0
    seconds[now] += time.perf_counter() - last
    last = time.perf_counter()
    if found is None:
        if step.message.startswith("detecting impurities"):
            now = "network"
        if step.message.startswith("refit"):
            now = "refit"
        share = max(0.0, (step.fraction - begins[now][0]) / begins[now][1])
    answer = {f"{name}_seconds": value for name, value in seconds.items()} | {"seconds": last - start}
    count = float("nan") if found is None else len(found)
    print(json.dumps(answer | {"stage": now, "share_of_stage": share, "impurities": count}), flush=True)
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


@dataclass(frozen=True)
class Kind:
    """How a field is detected: the refit, the forward passes of the network per tile, and seconds to its end."""

    refit: str
    rotations: int
    limit: float


def measure(path: Path, kind: Kind) -> dict[str, float | str]:
    """Seconds and peak memory of one detection in a fresh process; where it was, if it was stopped at the limit."""
    words = [sys.executable, "-W", "ignore", "-c", CHILD, str(path)]
    words += [kind.refit, str(kind.limit), str(kind.rotations)]
    peak, start = 0.0, time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(words, stdout=out, stderr=errors)
        while child.poll() is None:
            with suppress(OSError, ValueError):
                status = Path(f"/proc/{child.pid}/status").read_text().split()
                peak = int(status[status.index("VmHWM:") + 1]) / 1024
            time.sleep(0.2)
        took = time.perf_counter() - start
        out.seek(0), errors.seek(0)
        lines, trace = out.read().splitlines(), errors.read()
    if child.returncode and "Timeout" not in trace:
        raise RuntimeError(trace)
    result: dict[str, float | str] = json.loads(lines[-1])
    if child.returncode:
        result["seconds"] = took
        if result["stage"] == "prepare":
            steps = re.findall(r"friedel/prepare/(\w+)\.py.* in (\w+)", trace)
            result["stage"] = "prepare: " + (".".join(steps[0]) if steps else "reading")
    return result | {"peak_MB": peak}


def pixels(
    sizes: list[int], voltages: int, kind: Kind, folder: Path, on_row: Callable[[pd.DataFrame], None]
) -> pd.DataFrame:
    """One row per size; `on_row` takes the rows so far: a large field takes an hour."""
    rows = []
    for size in sizes:
        write_field(folder / f"{size}.nc", size, voltages)
        found = measure(folder / f"{size}.nc", kind)
        rows.append({"pixels": size, "voltages": voltages, "refit": kind.refit, "rotations": kind.rotations})
        rows[-1] |= found
        whole = not np.isnan(found["impurities"])  # what was stopped tells its peak, and no cost
        for name in ("prepare_seconds", "network_seconds", "refit_seconds", "seconds"):
            rows[-1][f"{name}_per_megapixel"] = rows[-1][name] / size**2 * 1e6 if whole else np.nan
        print(rows[-1], flush=True)
        (folder / f"{size}.nc").unlink()
        on_row(pd.DataFrame(rows))
    return pd.DataFrame(rows)


def files(counts: list[int], number: int, size: int, folder: Path) -> pd.DataFrame:
    """One row per number of processes: those of --jobs, then workers of a dask cluster."""
    from distributed import LocalCluster

    for index in range(number):
        write_field(folder / f"{index}.nc", size, 16)
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
            rows.append({"executor": kind, "processes": count, "files": number, "pixels": size})
            rows[-1]["files_per_minute"] = number / minutes
            rows[-1]["ratio"] = rows[-1]["files_per_minute"] / rows[0]["files_per_minute"]
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def plans() -> pd.DataFrame:
    """What large plans cost by the largest field of 16 voltages that ran to its end with the quick refit."""
    table = pd.read_csv(RESULTS / "scale_pixels.csv")
    table = table[table["voltages"] == 16]
    whole = table[(table["refit"] == "quick") & (table["share_of_stage"] == 1) & table["impurities"].notna()]
    row = whole.sort_values("pixels").iloc[-1]
    per_pixel = float(row["seconds"]) / float(row["pixels"]) ** 2
    peak = float(table["peak_MB"].max()) / 1000
    rows = []
    for name, pieces, side in (
        ("10⁴ grids of 128×128 px", 10_000, 128),
        ("10⁴ grids of 512×512 px", 10_000, 512),
        ("mosaic of 10⁵×10⁵ px", int(np.ceil(100_000 / (4096 - 64))) ** 2, 4096),
    ):
        hours = pieces * side**2 * per_pixel / 3600
        memory = peak if side > row["pixels"] else float(row["peak_MB"]) / 1000
        rows.append(
            {"plan": name, "megapixels": pieces * side**2 / 1e6, "pieces": pieces, "cpu_hours": hours}
        )
        rows[-1] |= {"hours_on_128_threads": hours / 128, "memory_per_process_GB": memory}
    return pd.DataFrame(rows)


def draw() -> None:
    """Draw what the tables hold: seconds and peak memory against pixels, files per minute against processes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (seconds, memory, rate) = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
    table = pd.read_csv(RESULTS / "scale_pixels.csv")
    whole = table[(table["share_of_stage"] == 1) & table["impurities"].notna()]
    for (voltages, refit, rotations), rows in whole.groupby(["voltages", "refit", "rotations"]):
        label = f"{voltages} voltages, refit {refit}, {rotations} rotations".replace(
            "1 rotations", "1 rotation"
        )
        seconds.loglog(rows["pixels"] ** 2, rows["seconds"], "o-", label=label)
    for voltages, rows in table.groupby("voltages"):
        memory.semilogx(rows["pixels"] ** 2, rows["peak_MB"], "o", label=f"{voltages} voltages")
    seconds.set(xlabel="pixels", ylabel="seconds")
    memory.set(xlabel="pixels", ylabel="peak memory [MB]", ylim=(0, None))
    if (RESULTS / "scale_files.csv").exists():
        for executor, rows in pd.read_csv(RESULTS / "scale_files.csv").groupby("executor"):
            rate.plot(rows["processes"], rows["files_per_minute"], "o-", label=executor)
    rate.set(xlabel="processes", ylabel="files per minute", ylim=(0, None))
    rate.xaxis.get_major_locator().set_params(integer=True)
    for axes in (seconds, memory, rate):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=7, loc="lower right")
    figure.savefig(RESULTS / "scale.png", dpi=110)


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["pixels", "files", "figure", "plans"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256, 512])
    parser.add_argument("--voltages", type=int, default=16)
    parser.add_argument("--refit", default="quick", choices=["none", "quick"])
    parser.add_argument(
        "--rotations",
        type=int,
        default=4,
        choices=[1, 2, 4, 8],
        help="forward passes of the network per tile",
    )
    parser.add_argument(
        "--limit",
        type=float,
        default=np.inf,
        help="seconds after which a detection is stopped; its peak counts",
    )
    parser.add_argument("--add", action="store_true", help="keep the rows that the table has of other sizes")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--files", type=int, default=6)
    parser.add_argument("--file-size", type=int, default=128, help="pixels along a side of each file")
    args = parser.parse_args()
    if args.what == "figure":
        draw()
        return
    if args.what == "plans":
        plans().to_csv(RESULTS / "scale_plans.csv", index=False, float_format="%.4g")
        return
    path = RESULTS / f"scale_{args.what}.csv"
    before = pd.read_csv(path) if args.add and path.exists() else None

    def write(table: pd.DataFrame) -> None:
        if before is not None:
            keys = ["pixels", "voltages", "refit", "rotations"]
            table = pd.concat([before, table]).drop_duplicates(keys, keep="last").sort_values(keys)
        table.to_csv(path, index=False, float_format="%.4g")

    with tempfile.TemporaryDirectory() as name:
        if args.what == "pixels":
            table = pixels(
                args.sizes, args.voltages, Kind(args.refit, args.rotations, args.limit), Path(name), write
            )
        else:
            table = files(args.jobs, args.files, args.file_size, Path(name))
    write(table)


if __name__ == "__main__":
    main()
