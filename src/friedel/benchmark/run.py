"""Every method on the standard scenes: runs that can be stopped and taken up again.

A run is one (scene, seed, method). Its candidates go into ``points/SCENE-SEED-METHOD.csv``, what it cost into
one row of ``runs.csv``; the truth with its bound into ``truth/SCENE-SEED.csv``. Files are written beside and
renamed, and what is there is not done again. All figures are worked out from these files
(`friedel.benchmark.report`), so that a new figure needs no new run.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from friedel._util.atomic_write import write_beside
from friedel.benchmark.cramer_rao import isolated, position_bound
from friedel.benchmark.methods import Found, method
from friedel.benchmark.scenes import Scene, scene
from friedel.benchmark.synthetic import Twin
from friedel.errors import FriedelError
from friedel.progress import Progress

RUNS = "runs.csv"
#: Points this close to the field's border may be found or not.
BORDER_PX = 1.0
_KEYS = ["scene", "seed", "method"]


def iter_benchmark(
    folder: str | Path,
    scenes: Sequence[str],
    methods: Sequence[str],
    seeds: Sequence[int],
    *,
    bound: bool = True,
) -> Generator[Progress, None, pd.DataFrame]:
    """Run what is not there yet.

    Parameters
    ----------
    folder : path
        Where the results are kept.
    scenes, methods : sequence of str
        Names in `friedel.benchmark.scenes.SCENES` and `friedel.benchmark.methods.METHODS`, or models.
    seeds : sequence of int
        Numbers of the fields.
    bound : bool
        Whether the Cramér-Rao bound is worked out (seconds a field).

    Yields
    ------
    Progress
        Once a run.

    Returns
    -------
    pandas.DataFrame
        ``runs.csv``.

    Raises
    ------
    FriedelError
        If a scene or method is not known.
    """
    target = Path(folder)
    (target / "points").mkdir(parents=True, exist_ok=True)
    (target / "truth").mkdir(exist_ok=True)
    chosen, finders = [scene(name) for name in scenes], {name: method(name) for name in methods}
    # The variant without cores comes right after its field, whose waves are then still at hand.
    fields = sorted(((one, seed) for one in chosen for seed in seeds), key=lambda f: _order(f, list(scenes)))
    done = _done(target)
    total, count = len(fields) * len(methods), 0
    for one, seed in fields:
        missing = [name for name in methods if (one.name, seed, _file_name(name)) not in done]
        count += len(methods) - len(missing)
        truth_file = target / "truth" / f"{one.name}-{seed}.csv"
        if not missing and truth_file.exists():
            continue
        yield Progress(count / total, f"{one.name} {seed}: simulating")
        twin = one.twin(seed)
        if not truth_file.exists():
            _write(truth_table(twin, bound), truth_file)
        for name in missing:
            yield Progress(count / total, f"{one.name} {seed}: {name}")
            found, cost = measure(finders[name], twin)
            _save(target, one, seed, name, found, cost)
            count += 1
        yield Progress(count / total, f"{one.name} {seed}")
    return read_runs(target)


def read_runs(folder: str | Path) -> pd.DataFrame:
    """``runs.csv`` of a benchmark's folder.

    Raises
    ------
    FriedelError
        If there is none.
    """
    path = Path(folder) / RUNS
    if not path.exists():
        raise FriedelError(f"{path} does not exist; run `friedel benchmark` first.")
    return pd.read_csv(path).drop_duplicates(_KEYS, keep="last", ignore_index=True)


def truth_table(twin: Twin, bound: bool = True) -> pd.DataFrame:
    """True positions of a twin: row, column, optional, isolated, bound_px (NaN if not wanted)."""
    positions, optional = twin.truth(BORDER_PX)
    limits = position_bound(twin, BORDER_PX) if bound else np.full(len(positions), np.nan)
    return pd.DataFrame(
        {
            "row": positions[:, 0] if len(positions) else np.zeros(0),
            "column": positions[:, 1] if len(positions) else np.zeros(0),
            "optional": optional,
            "isolated": isolated(twin, BORDER_PX),
            "bound_px": limits,
        }
    )


def measure(find: Callable[..., Found], twin: Twin) -> tuple[Found, dict[str, float]]:
    """Run a method; seconds on the clock and of processor time, and by how many MB the process grew at its peak."""
    import warnings

    from friedel.errors import FriedelWarning

    gc.collect()
    with warnings.catch_warnings(), _Memory() as memory:
        warnings.simplefilter("ignore", FriedelWarning)
        start, busy = time.perf_counter(), time.process_time()
        found = find(twin.stack, twin.dispersion)
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
    return found, {"seconds": seconds, "cpu_seconds": busy, "memory_mb": memory.growth_mb}


class _Memory:
    """Peak of the resident memory above its level at the start, sampled every 10 ms; NaN where unknown."""

    def __enter__(self) -> _Memory:
        self.growth_mb = float("nan")
        self._start = self._peak = _resident_mb()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self._peak = max(self._peak, _resident_mb())

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.growth_mb = max(self._peak, _resident_mb()) - self._start


def _resident_mb() -> float:
    try:
        import os

        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError, AttributeError):
        return float("nan")


def _order(field: tuple[Scene, int], names: list[str]) -> tuple[int, int, int]:
    from friedel.benchmark.scenes import NO_CORES

    base = field[0].name.removesuffix(NO_CORES)
    first = min(i for i, name in enumerate(names) if name.removesuffix(NO_CORES) == base)
    return first, field[1], names.index(field[0].name)


def _file_name(name: str) -> str:
    """A method's name as it stands in files: a model's path becomes its stem."""
    return Path(name).stem if name.endswith(".safetensors") else name


def _done(folder: Path) -> set[tuple[str, int, str]]:
    if not (folder / RUNS).exists():
        return set()
    runs = read_runs(folder)
    return {
        (one, int(seed), name)
        for one, seed, name in runs[_KEYS].itertuples(index=False)
        if (folder / "points" / f"{one}-{seed}-{name}.csv").exists()
    }


def _save(folder: Path, one: Scene, seed: int, name: str, found: Found, cost: dict[str, float]) -> None:
    """Points first, the row last: a row stands for a finished run."""
    short = _file_name(name)
    table = pd.DataFrame(
        {
            "row": found.positions[:, 0],
            "column": found.positions[:, 1],
            "score": found.score,
            "probability": found.probability,
            "sigma_px": found.sigma_px,
        }
    )
    _write(table, folder / "points" / f"{one.name}-{seed}-{short}.csv")
    row: dict[str, Any] = {
        "scene": one.name,
        "seed": seed,
        "method": short,
        "threshold": found.threshold,
        "tolerance_px": one.tolerance_px,
        "candidates": len(table),
        "accepted": int(found.accepted.sum()),
        **cost,
    }
    path = folder / RUNS
    runs = pd.DataFrame([row])
    if path.exists():
        runs = pd.concat([pd.read_csv(path), runs], ignore_index=True)
    _write(runs, path)


def _write(table: pd.DataFrame, path: Path) -> None:
    with write_beside(path) as beside:
        table.to_csv(beside, index=False, float_format="%.6g")
