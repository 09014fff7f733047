"""Every method on the standard scenes: runs that can be stopped and taken up again.

A run is one (scene, seed, method). Its candidates, its cost and the truth with its bound go into the tables of a
`friedel.benchmark.store.Store`; what is there is not done again. All figures are worked out from these tables
(`friedel.benchmark.report`), so that a new figure needs no new run.
"""

from __future__ import annotations

import gc
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from friedel.benchmark.cramer_rao import isolated, position_bound
from friedel.benchmark.methods import Found, method
from friedel.benchmark.scenes import Scene, scene
from friedel.benchmark.store import Store
from friedel.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from friedel.benchmark.synthetic import SyntheticField

#: Points this close to the field's border may be found or not.
BORDER_PX = 1.0


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
        Whether the Cramér-Rao bound is worked out (seconds per field).

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
    store = Store(folder)
    chosen, finders = [scene(name) for name in scenes], {name: method(name) for name in methods}
    # The variant without cores comes right after its field, whose waves are then still at hand.
    fields = sorted(((one, seed) for one in chosen for seed in seeds), key=lambda f: _order(f, list(scenes)))
    done = store.done()
    total, count = len(fields) * len(methods), 0
    for one, seed in fields:
        missing = [name for name in methods if (one.name, seed, _file_name(name)) not in done]
        count += len(methods) - len(missing)
        known = store.has_truth(one.name, seed)
        if not missing and known:
            continue
        yield Progress(count / total, f"{one.name} {seed}: simulating")
        field = one.field(seed)
        if not known:
            store.save_truth(one.name, seed, truth_table(field, bound))
        for name in missing:
            yield Progress(count / total, f"{one.name} {seed}: {name}")
            _save(store, one, seed, name, measure(finders[name], field))
            count += 1
        yield Progress(count / total, f"{one.name} {seed}")
    return store.runs()


def truth_table(field: SyntheticField, bound: bool = True) -> pd.DataFrame:
    """True positions of a synthetic field: row, column, optional, isolated, bound_px (NaN if not wanted)."""
    positions, optional = field.truth(BORDER_PX)
    limits = position_bound(field, BORDER_PX) if bound else np.full(len(positions), np.nan)
    return pd.DataFrame(
        {
            "row": positions[:, 0] if len(positions) else np.zeros(0),
            "column": positions[:, 1] if len(positions) else np.zeros(0),
            "optional": optional,
            "isolated": isolated(field, BORDER_PX),
            "bound_px": limits,
        }
    )


@dataclass(frozen=True)
class Measured:
    """What a method found in a field, and what it took.

    Parameters
    ----------
    found : Found
    seconds, cpu_seconds : float
        On the clock, and of processor time.
    memory_mb : float
        By how much the process grew at its peak.
    """

    found: Found
    seconds: float
    cpu_seconds: float
    memory_mb: float


def measure(find: Callable[..., Found], field: SyntheticField) -> Measured:
    """Run a method on a field."""
    import warnings

    from friedel.errors import FriedelWarning

    gc.collect()
    with warnings.catch_warnings(), _Memory() as memory:
        warnings.simplefilter("ignore", FriedelWarning)
        start, busy = time.perf_counter(), time.process_time()
        found = find(field.stack, field.dispersion)
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
    return Measured(found, seconds, busy, memory.growth_mb)


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


def _save(store: Store, one: Scene, seed: int, name: str, measured: Measured) -> None:
    found = measured.found
    table = pd.DataFrame(
        {
            "row": found.positions[:, 0],
            "column": found.positions[:, 1],
            "score": found.score,
            "probability": found.probability,
            "sigma_px": found.sigma_px,
        }
    )
    row = {
        "scene": one.name,
        "seed": seed,
        "method": _file_name(name),
        "threshold": found.threshold,
        "tolerance_px": one.tolerance_px,
        "candidates": len(table),
        "accepted": int(found.accepted.sum()),
        "seconds": measured.seconds,
        "cpu_seconds": measured.cpu_seconds,
        "memory_mb": measured.memory_mb,
    }
    store.save_run(row, table)
