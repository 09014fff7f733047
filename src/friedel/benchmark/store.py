"""Where the benchmark keeps its runs: a few tables, from which every figure can be worked out again.

``runs.csv`` has one row per finished run (scene, seed, method) with its cost. ``points/METHOD.csv.xz`` holds the
candidates of all runs of a method, ``truth.csv.xz`` the true positions of all fields. Tables are written beside and
renamed, and the row in ``runs.csv`` comes last, so that it stands for a run that is complete.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal

import pandas as pd

from friedel._util.atomic_write import write_beside
from friedel.errors import FriedelError

RUNS, TRUTH = "runs.csv", "truth.csv.xz"
_FIELD = ["scene", "seed"]
_RUN = ["scene", "seed", "method"]
#: Columns of true or found points; the first two columns of each table say whose they are.
TRUTH_COLUMNS = ["row", "column", "optional", "isolated", "bound_px"]
POINT_COLUMNS = ["row", "column", "score", "probability", "sigma_px"]


class Store:
    """The tables of one benchmark folder.

    Parameters
    ----------
    folder : path
        It is made when the first run is saved.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._points: dict[str, pd.DataFrame] = {}

    def runs(self) -> pd.DataFrame:
        """One row per finished run.

        Raises
        ------
        FriedelError
            If there is none.
        """
        path = self.folder / RUNS
        if not path.exists():
            raise FriedelError(f"{path} does not exist; run the benchmark first.")
        return pd.read_csv(path).drop_duplicates(_RUN, keep="last", ignore_index=True)

    def done(self) -> set[tuple[str, int, str]]:
        """(scene, seed, method) of every finished run."""
        if not (self.folder / RUNS).exists():
            return set()
        return {
            (str(one), int(seed), str(name)) for one, seed, name in self.runs()[_RUN].itertuples(index=False)
        }

    def points(self, scene: str, seed: int, method: str) -> pd.DataFrame:
        """Candidates of one run; empty if it found none."""
        return _of_field(self._method(method), scene, seed)[POINT_COLUMNS].astype(float)

    def truth(self, scene: str, seed: int) -> pd.DataFrame:
        """True positions of one field; empty if it has none."""
        table = _of_field(self._truth, scene, seed)[TRUTH_COLUMNS]
        return table.astype(
            {"row": float, "column": float, "optional": bool, "isolated": bool, "bound_px": float}
        )

    def has_truth(self, scene: str, seed: int) -> bool:
        """Whether the truth of this field is stored; a field without impurities has one row of NaN."""
        return bool(_rows(self._truth, scene, seed).any())

    def save_truth(self, scene: str, seed: int, table: pd.DataFrame) -> None:
        """Add the truth of a field."""
        self.__dict__["_truth"] = _replaced(self._truth, scene, seed, table)
        _write(self._truth, self.folder / TRUTH)

    def save_run(self, run: dict[str, object], points: pd.DataFrame) -> None:
        """Add a run: its points first, its row last.

        Parameters
        ----------
        run : dict
            A row of ``runs.csv``: scene, seed, method, threshold, tolerance_px and what it cost.
        points : DataFrame
            `POINT_COLUMNS`.
        """
        scene, seed, method = str(run["scene"]), int(str(run["seed"])), str(run["method"])
        self._points[method] = _replaced(self._method(method), scene, seed, points)
        _write(self._points[method], self._file(method))
        table = pd.DataFrame([run])
        path = self.folder / RUNS
        if path.exists():
            table = pd.concat([pd.read_csv(path), table], ignore_index=True)
        _write(table, path)

    @cached_property
    def _truth(self) -> pd.DataFrame:
        return _read(self.folder / TRUTH, TRUTH_COLUMNS)

    def _method(self, method: str) -> pd.DataFrame:
        if method not in self._points:
            self._points[method] = _read(self._file(method), POINT_COLUMNS)
        return self._points[method]

    def _file(self, method: str) -> Path:
        return self.folder / "points" / f"{method}.csv.xz"


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame(columns=[*_FIELD, *columns])
    return pd.read_csv(path)


def _rows(table: pd.DataFrame, scene: str, seed: int) -> pd.Series[bool]:
    return (table["scene"] == scene) & (table["seed"] == seed)


def _of_field(table: pd.DataFrame, scene: str, seed: int) -> pd.DataFrame:
    return table[_rows(table, scene, seed)].dropna(subset=["row"]).reset_index(drop=True)


def _replaced(table: pd.DataFrame, scene: str, seed: int, new: pd.DataFrame) -> pd.DataFrame:
    """Return `table` with the rows of one field replaced; a field without points is one row of NaN."""
    rows = new if len(new) else pd.DataFrame([dict.fromkeys(new.columns, float("nan"))])
    rows = rows.assign(scene=scene, seed=seed)[[*_FIELD, *new.columns]]
    kept = table[~_rows(table, scene, seed)]
    return rows if kept.empty else pd.concat([kept, rows], ignore_index=True)


def _write(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    compression: Literal["xz", "infer"] = "xz" if path.suffix == ".xz" else "infer"
    with write_beside(path) as beside:
        table.to_csv(beside, index=False, float_format="%.6g", compression=compression, lineterminator="\n")
