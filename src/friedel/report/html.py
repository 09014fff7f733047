"""One HTML file that shows a detection: map, points, S, spectra, density; it needs no other file and no network."""

from __future__ import annotations

import base64
import json
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel._util.arguments import instance_of, target_of
from friedel._util.atomic_write import write_beside
from friedel.detections import COLUMNS, FIT_COLUMNS, Detections
from friedel.refit.flags import text as flag_words
from friedel.report.checks import as_table, counted, read_checks
from friedel.report.figures import overview, spectra, thumbnail
from friedel.report.fit_figure import fit_figure
from friedel.report.style import STYLE
from friedel.scoring.areal_density import covered_area, density
from friedel.stack import true_positions, validate

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr
    from matplotlib.figure import Figure

#: What every report begins with; `is_ours` knows it again.
_MARK = "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='generator' content='friedel'>"


def is_ours(path: Path) -> bool:
    """Whether `path` is free, or a report of this module: an interrupted run left it, and it may be replaced."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(len(_MARK)) == _MARK
    except FileNotFoundError:
        return True
    except OSError:
        return False


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
    path = target_of(path)
    instance_of(name, str, "name", "a text")
    made = instance_of(found, Detections, "found", "Detections").provenance
    validate(stack)
    truth = _truth(stack, found)
    area = covered_area(stack, found.area, made["channel"])
    number = density(len(found), area, withheld=found.withheld)
    facts: list[tuple[str, str]] = [
        ("impurities", f"{len(found)} of probability ≥ {found.threshold:.2g}"),
        (
            "density",
            f"{number.value:.4g} nm⁻² (95 %: {number.low:.4g} to {number.high:.4g})"
            if number.known
            else "unknown: no probability is listed",
        ),
        ("area", f"{number.area_nm2:.4g} nm² acquired"),
        ("channel", made["channel"] + (", differentiated" if made["derived"] else "")),
        ("voltages", f"{len(made['bias_mv'])} from {min(made['bias_mv']):g} to {max(made['bias_mv']):g} mV"),
        ("band", _band(made["dispersion"])),
        ("method", f"{made['method']} {made.get('model', '')}".strip()),
    ]
    checks = found.checks or read_checks(made.get("checks"))
    if checks:
        facts.append(("checks", counted(checks)))
    if found.waves is not None:
        share = found.waves.fitted.explained_share
        known = f"the waves explain {100 * share:.0f} % of the structure outside the cores"
        facts.append(("fit", known if np.isfinite(share) else "no wave was fitted"))
    if truth is not None:
        facts.append(("agreement with the truth", _agreement(found, truth)))
    parts = [
        f"{_MARK}<title>{escape(name)}</title>",
        f'<meta name="thumbnail" content="{_data(thumbnail(stack, found), 40)}">',
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<style>{STYLE}</style><h1>{escape(name)}</h1>",
        *(f"<p class='warning'>{escape(text)}</p>" for text in made["warnings"]),
        _rows(facts),
        *([f"<h2>Checks</h2>{as_table(checks)}"] if checks else []),
        f"<h2>Map and points</h2>{_image(overview(stack, found, truth), 'dI/dV and S with the points found')}",
        f"<h2>Spectra</h2>{_image(spectra(stack, found), 'spectra at the impurities and mean of the field')}",
        *_fit(found),
        f"<h2>Impurities</h2>{_points(found)}",
        "<details><summary>How this was made</summary>",
        f"<pre>{escape(json.dumps(made, indent=1, ensure_ascii=False))}</pre></details></html>",
    ]
    with write_beside(path) as beside:
        beside.write_text("\n".join(parts), encoding="utf-8", errors="backslashreplace")


def _fit(found: Detections) -> list[str]:
    """Data, model and residual, where a refit was used."""
    if found.waves is None:
        return []
    return [f"<h2>Fit</h2>{_image(fit_figure(found), 'data, fitted waves and residual of three voltages')}"]


def _truth(stack: xr.Dataset, found: Detections) -> np.ndarray | None:
    """True positions inside the area, if the stack is simulated."""
    if "truth_x_nm" not in stack.attrs:
        return None
    points = true_positions(stack)
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
    """The impurities; with a refit also amplitude, phase shift and absorption with σ, Δχ², and flags as words."""
    table = found.impurities
    fitted = [name for name in FIT_COLUMNS if name in table and name != "flags"]
    units = {name: COLUMNS.get(name, FIT_COLUMNS.get(name, "1")) for name in (*COLUMNS, *fitted)}
    head = "".join(f"<th>{name}{'' if unit == '1' else f' [{unit}]'}</th>" for name, unit in units.items())
    words = flag_words(table["flags"].to_numpy(int)) if "flags" in table else None
    head += "" if words is None else "<th>flags</th>"
    lines = []
    for index, row in table.iterrows():
        cells = [f"<td>{'' if np.isnan(row[name]) else f'{row[name]:.4g}'}</td>" for name in units]
        cells += [] if words is None else [f"<td>{words[int(index)]}</td>"]  # type: ignore[call-overload]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table><tr>{head.replace('_nm', '')}</tr>{''.join(lines)}</table>"


def _image(figure: Figure, text: str) -> str:
    return f"<img alt='{escape(text)}' src='{_data(figure, 110)}'>"


def _data(figure: Figure, dpi: int) -> str:
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=dpi)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
