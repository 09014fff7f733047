"""One HTML file that shows a detection: map, points, S, spectra, density; it needs no other file and no network."""

from __future__ import annotations

import base64
import json
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from friedel._util.atomic_write import write_beside
from friedel.cli.figures import overview, spectra
from friedel.detections import COLUMNS, Detections
from friedel.scoring.areal_density import covered_area, density

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
img{max-width:100%;height:auto} table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.15rem .7rem;text-align:right;border-bottom:1px solid #ddd} th:first-child,td:first-child{text-align:left}
.warning{background:#fff4e0;border-left:4px solid #d95f02;padding:.4rem .8rem;margin:.4rem 0}
details{margin:1rem 0} pre{white-space:pre-wrap;background:#f6f6f6;padding:.8rem}
"""


def write_report(stack: xr.Dataset, found: Detections, path: Path, *, name: str) -> None:
    """Write the report of one detection.

    Parameters
    ----------
    stack : xarray.Dataset
    found : Detections
        Of this stack.
    path : path
        The HTML file; replaced in one step.
    name : str
        Title, for example the file's name.
    """
    made = found.provenance
    truth = _truth(stack, found)
    number = density(len(found), covered_area(stack, found.area, made["channel"]))
    facts: list[tuple[str, str]] = [
        ("impurities", f"{len(found)} of probability ≥ {found.threshold:.2g}"),
        ("density", f"{number.value:.4g} nm⁻² (95 %: {number.low:.4g} to {number.high:.4g})"),
        ("area", f"{number.area_nm2:.4g} nm² acquired"),
        ("channel", made["channel"] + (", differentiated" if made["derived"] else "")),
        ("voltages", f"{len(made['bias_mv'])} from {min(made['bias_mv']):g} to {max(made['bias_mv']):g} mV"),
        ("band", _band(made["dispersion"])),
        ("method", f"{made['method']} {made.get('model', '')}".strip()),
    ]
    if truth is not None:
        facts.append(("agreement with the truth", _agreement(found, truth)))
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(name)}</title>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<style>{_STYLE}</style><h1>{escape(name)}</h1>",
        *(f"<p class='warning'>{escape(text)}</p>" for text in made["warnings"]),
        _rows(facts),
        f"<h2>Map and points</h2>{_image(overview(stack, found, truth), 'dI/dV and S with the points found')}",
        f"<h2>Spectra</h2>{_image(spectra(stack, found), 'spectra at the impurities and mean of the field')}",
        f"<h2>Impurities</h2>{_points(found)}",
        "<details><summary>How this was made</summary>",
        f"<pre>{escape(json.dumps(made, indent=1, ensure_ascii=False))}</pre></details></html>",
    ]
    with write_beside(path) as beside:
        beside.write_text("\n".join(parts), encoding="utf-8")


def _truth(stack: xr.Dataset, found: Detections) -> np.ndarray | None:
    """True positions inside the area, if the stack is simulated."""
    if "truth_row" not in stack.attrs:
        return None
    points = np.column_stack(
        [np.atleast_1d(stack.attrs["truth_row"]), np.atleast_1d(stack.attrs["truth_column"])]
    )
    low, high = (np.array([axis[i] for axis in found.area]) - 0.5 for i in (0, 1))
    return points[((points >= low) & (points < high)).all(axis=1)]


def _agreement(found: Detections, truth: np.ndarray) -> str:
    from friedel.scoring.matching import match

    pairs = len(match(found.positions, truth, 1.0))
    precision, recall = pairs / max(len(found), 1), pairs / max(len(truth), 1)
    return f"{pairs} of {len(truth)} within 1 px; precision {precision:.2f}, recall {recall:.2f}"


def _band(band: dict[str, Any]) -> str:
    if "onset_mev" not in band:
        return f"unknown; k = {band['k_per_nm']:.3g} nm⁻¹ assumed"
    return f"E₀ = {band['onset_mev']:.0f} meV, m* = {band['mass']:.3g} ({band['origin']})"


def _rows(facts: list[tuple[str, str]]) -> str:
    lines = (f"<tr><td>{escape(key)}</td><td>{escape(value)}</td></tr>" for key, value in facts)
    return f"<table>{''.join(lines)}</table>"


def _points(found: Detections) -> str:
    head = "".join(f"<th>{name}{'' if unit == '1' else f' [{unit}]'}</th>" for name, unit in COLUMNS.items())
    body = "".join(
        "<tr>"
        + "".join(f"<td>{'' if np.isnan(row[name]) else f'{row[name]:.4g}'}</td>" for name in COLUMNS)
        + "</tr>"
        for _, row in found.impurities.iterrows()
    )
    return f"<table><tr>{head.replace('_nm', '')}</tr>{body}</table>"


def _image(figure: Any, text: str) -> str:
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return f"<img alt='{escape(text)}' src='data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}'>"
