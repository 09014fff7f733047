"""Calls of the public functions that work, and values that are wrong for most of their arguments."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import friedel


@dataclass(frozen=True)
class Call:
    """A function with arguments that work, and the names of all that it takes."""

    function: Callable[..., Any]
    arguments: dict[str, Any]
    names: tuple[str, ...]


class Odd:
    """No type that any function knows."""


@functools.cache
def stack():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return friedel.simulate("au111", shape=(12, 12), impurities=2, bias_mv=[-150.0, -50.0, 0.0], seed=1)


@functools.cache
def points() -> pd.DataFrame:
    return pd.DataFrame({"row": [2.0, 8.0], "column": [3.0, 7.0], "probability": [0.9, 0.4]})


@functools.cache
def odd_values() -> tuple[Any, ...]:
    """What a caller may hand in by mistake."""
    return (
        None, True, 3, -1, 10**400, 2.5, float("nan"), float("inf"), "", "x", "\0", "a\nb", b"b", [], [1], ["a"],
        (1, 2), {}, {"a": 1}, set(), Odd(), Odd, len, 1j, Path("none"), object(), np.zeros(0), np.zeros((3, 3)),
        np.zeros((3, 12, 12)), np.array(["a"]), pd.DataFrame(), points(), stack(), stack().isel(x=slice(0)),
        stack().isel(x=[3]), stack().isel(y=[3]),
    )  # fmt: skip


def _call(function: Callable[..., Any], *more: str, **arguments: Any) -> Call:
    known = inspect.signature(function).parameters.values()
    names = [one.name for one in known if one.kind is not one.VAR_KEYWORD]
    return Call(function, arguments, (*names, *more))


#: Names of `calls`, which takes seconds to make.
FUNCTIONS = (
    "detect", "fit_dispersion", "evaluate", "make_stack", "open_stack", "read_points", "simulate", "write_points",
    "write_stack", "write_summary", "load_model", "save_model", "as_python", "as_command", "settings_of",
    "Dispersion", "refit_points", "write_report", "fine_tune", "detect_many",
)  # fmt: skip


@functools.cache
def calls() -> dict[str, Call]:
    """Name → call; files are written into the current folder, and read from it (see `files`)."""
    places, grid = points()[["row", "column"]], stack()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = friedel.detect(grid, dispersion="au111", method="matched-field")
    model = friedel.load_model("paper", "cpu")
    attributes = (
        "sweep",
        "source",
        "scan_angle_deg",
        "tip_origin_x_nm",
        "y_direction",
        "acquired",
        "expected",
    )
    made = [
        _call(friedel.detect, stack=grid, dispersion="au111", method="matched-field"),
        _call(friedel.fit_dispersion, stack=grid),
        _call(friedel.evaluate, found=places, truth=places, scores=[0.9, 0.4]),
        _call(
            friedel.make_stack, *attributes, "scan_centre_x_nm",
            channels={"LockinX": np.zeros((2, 4, 4))}, bias_mv=[0, 1], pixel_nm=1.0,
        ),
        _call(friedel.open_stack, path="grid.npz"),
        _call(friedel.read_points, path="points.csv"),
        _call(
            friedel.simulate, *inspect.signature(friedel.Simulation).parameters,
            shape=(8, 8), impurities=1, bias_mv=[-100.0],
        ),
        _call(friedel.write_points, detections=points(), path="w.csv"),
        _call(friedel.write_stack, stack=grid, path="o.npz"),
        _call(friedel.write_summary, folder="."),
        _call(friedel.load_model, name_or_path="paper", device="cpu"),
        _call(friedel.save_model, path="m", network=model.network, header=model.header, overwrite=True),
        _call(friedel.as_python, settings=friedel.DetectSettings()),
        _call(friedel.as_command, settings=friedel.DetectSettings()),
        _call(friedel.settings_of, cls=friedel.DetectSettings),
        _call(friedel.Dispersion, onset_mev=-500.0, mass=0.3),
        _call(friedel.refit_points, stack=grid, points=points(), dispersion="au111"),
        _call(friedel.write_report, stack=grid, found=found, path="r.html", name="x"),
        _call(friedel.fine_tune, "dispersion", "reference", "channel", "area", model="paper", stack=grid),
        _call(
            friedel.detect_many, files=["grid.npz"], folder="many", overwrite=True,
            settings=friedel.DetectSettings(method="matched-field"),
        ),
    ]  # fmt: skip
    return {one.function.__name__: one for one in made}


def files(folder: Path) -> None:
    """Write what the calls read."""
    friedel.write_stack(stack(), folder / "grid.npz")
    points().to_csv(folder / "points.csv", index=False)
