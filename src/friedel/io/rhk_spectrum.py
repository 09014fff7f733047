"""One spectrum of an RHK file: its sweeps averaged, or the one that is asked for by its number."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.axes import single
from friedel.io.point_spectra import PointSpectra, stack_of_points
from friedel.io.rhk_pages import LINE, Page

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

#: Key (in a page's header) of spectra of several places that the file, as far as it is known, does not tell.
UNPLACED = "RHK_Unplaced"
_NUMBERED = re.compile(r"spectrum\s*(\d+)", re.IGNORECASE)


def number_of(dataset: str | None) -> int | None:
    """The number in ``dataset="spectrum 3"``; None for any other."""
    found = _NUMBERED.fullmatch((dataset or "").strip())
    return int(found[1]) if found else None


def numbered(pages: list[Page], number: int, path: Path, bias: Any) -> xr.Dataset:
    """The spectrum of that number, from 1, with the channels that were recorded at the same place.

    Raises
    ------
    StackError
        If there are not so many.
    """
    lines = [page for page in pages if page.header["RHK_PageDataType"] == LINE and page.raw.ndim == 2]
    count = lines[0].raw.shape[1] if lines else 0
    if not 1 <= number <= count:
        raise StackError(
            f"{path}: there is no spectrum {number}; the file holds {count}.", settings="dataset"
        )
    same = [page for page in lines if page.raw.shape == lines[0].raw.shape]
    return one_spectrum([_column(page, number - 1) for page in same], path, bias)


def _column(page: Page, index: int) -> Page:
    places = {
        key: np.atleast_1d(page.header[key])[index : index + 1]
        for key in ("RHK_SpecDrift_Xcoord", "RHK_SpecDrift_Ycoord")
        if placed(page)
    }
    return Page(page.name, page.raw[:, index : index + 1], page.header | places)


def placed(page: Page) -> bool:
    """Whether every spectrum of a page has its position."""
    count = page.raw.shape[1] if page.raw.ndim == 2 else 0
    places = [np.atleast_1d(page.header.get(f"RHK_SpecDrift_{axis}coord", ())) for axis in "XY"]
    return count > 0 and all(len(place) == count for place in places)


def one_spectrum(pages: list[Page], path: Path, bias: Any) -> xr.Dataset:
    """One spectrum: the mean over the sweeps of a page without positions."""
    first = pages[0]
    same = [page for page in pages if page.raw.shape == first.raw.shape]
    sweep, unit = sweep_of(first)
    is_bias = unit == "V"
    places = np.full((1, 2), np.nan)
    if placed(first) and first.raw.shape[1] == 1:
        places = np.array([[float(first.header[f"RHK_SpecDrift_{axis}coord"][0]) * 1e9 for axis in "XY"]])
    return stack_of_points(
        PointSpectra(
            where=str(path),
            axis=sweep,
            values={page.name: page.values().mean(axis=1)[None] for page in same},
            positions_nm=places,
            units={page.name: str(page.header.get("RHK_Zunits", "")) for page in same},
            attributes={
                "header": header_of(first),
                "instrument": "RHK",
                "sweep": "bias" if is_bias else f"{first.header.get('RHK_Xlabel', 'sweep')} ({unit})",
            },
            sweep_unit="mV" if is_bias else unit,
        ),
        None,
        bias,
    )


def sweep_of(page: Page) -> tuple[np.ndarray, str]:
    """Sweep of a page of spectra, in mV if it is of the bias, and its unit in the file."""
    points = page.raw.shape[0]
    axis = single(page.number("RHK_Xoffset")) + single(page.number("RHK_Xscale")) * np.arange(points)
    unit = str(page.header.get("RHK_Xunits", "V"))
    return np.round(axis, 9) * (1e3 if unit == "V" else 1.0), unit


def header_of(page: Page) -> dict[str, Any]:
    """The numbers and texts of a page's header."""
    kept = {}
    for key, value in page.header.items():
        if isinstance(value, (str, int, float)):
            kept[key] = value
        elif isinstance(value, np.generic):
            kept[key] = value.item()
    return kept
