"""``friedel info``: what is in a file, before anything is computed from it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import click

from friedel.cli.common import describe_input
from friedel.cli.options import FriedelCommand, from_settings
from friedel.cli.output import say, say_json
from friedel.settings import BandSettings, ImportSettings

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from friedel.physics.dispersion import Dispersion


@click.command(cls=FriedelCommand)
@click.argument("file", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--header", is_flag=True, help="Print the file's own header, too.")
@click.option(
    "--remember-channel",
    "keep",
    metavar="NAME",
    help="Take this channel as dI/dV in files of this instrument from now on; '-' forgets what was chosen.",
)
@from_settings("axes", ImportSettings, section="Axes, for files that do not hold them")
@from_settings("band", BandSettings, section="Surface band")
def command(
    file: tuple[str, ...],
    as_json: bool,
    header: bool,
    keep: str | None,
    axes: ImportSettings,
    band: BandSettings,
) -> int:
    """Say what is in a file: channels, grid, bias range, pixel, completeness.

    FILE is a file, a folder of spectra or images, or several files that form one stack.
    """
    from friedel.io import AxesMissing
    from friedel.physics.dispersion import MATERIALS, resolve

    chosen = resolve(band)
    try:
        stack = describe_input(file, axes)
    except AxesMissing as error:
        found = {
            "file": file[0],
            "format": _format(list(file)),
            "arrays": error.arrays,
            "missing": error.missing,
            "remark": str(error),
        }
        if as_json:
            say_json(found)
        else:
            say("\n".join(_bare(found)))
        return 0
    if keep is not None:
        _remember(stack, keep)
    known = describe(stack, [chosen] if chosen is not None else list(MATERIALS.values()))
    known = {"file": stack.attrs["source"], "format": _format(list(file)), **known}
    if header:
        known["header"] = json.loads(stack.attrs["header"])
    if as_json:
        say_json(known)
    else:
        say("\n".join(_lines(known)))
    return 0


def _remember(stack: xr.Dataset, name: str) -> None:
    """Keep the user's choice of channel for the instrument of this file."""
    from friedel.channel_memory import forget_channels, remember_channel
    from friedel.stack import didv_channel

    instrument = str(stack.attrs["instrument"])
    if name == "-":
        forget_channels(instrument)
        return
    didv_channel(stack, name)  # there is such a channel
    remember_channel(instrument, name)


def _bare(found: dict[str, Any]) -> list[str]:
    """What is in a file that holds no axes of its own."""
    arrays = [f"  {name}: {' × '.join(map(str, shape))}" for name, shape in found["arrays"].items()]
    return [str(found["file"]), f"  format    {found['format']}", "arrays", *arrays, f"  {found['remark']}"]


def describe(stack: xr.Dataset, dispersions: list[Dispersion]) -> dict[str, Any]:
    """Gather what `friedel info` prints, as plain JSON types.

    Parameters
    ----------
    stack : xarray.Dataset
    dispersions : list of Dispersion
        Surface bands for which the Friedel wavelength is given.

    Returns
    -------
    dict
        Lengths in nm, voltages in mV, the wavelength π/k in pixels.
    """
    import numpy as np

    from friedel.stack import (
        channel_names,
        image_names,
        pixel_pitch,
        row_direction,
        tip_position,
        topograph_name,
    )

    attrs = stack.attrs
    axis = stack["bias"].to_numpy()
    rows, columns = stack.sizes["y"], stack.sizes["x"]
    # One spectrum at one point has no pixel size.
    pitch_y, pitch_x = (
        pixel_pitch(stack) if rows * columns > 1 or "pitch_nm" in stack["x"].attrs else (None, None)
    )
    middle = [float(stack[dim][0] + stack[dim][-1]) / 2 for dim in ("x", "y")]
    steps = np.diff(axis)
    even = len(steps) == 0 or bool(np.allclose(steps, steps[0], rtol=1e-3, atol=1e-9))
    unit = str(stack["bias"].attrs.get("units", "mV"))
    return {
        "instrument": attrs.get("instrument", "unknown"),
        "grid": {"columns": stack.sizes["x"], "rows": stack.sizes["y"], "bias": stack.sizes["bias"]},
        "sweep": {
            "of": attrs.get("sweep", "bias"),
            "start": _finite(axis[0]),
            "stop": _finite(axis[-1]),
            "step": float(steps.mean()) if len(steps) else None,
            "even": even,
            "unit": unit,
        },
        "size_nm": None if pitch_x is None or pitch_y is None else [columns * pitch_x, rows * pitch_y],
        "pixel_nm": None if pitch_x is None else [pitch_x, pitch_y],
        "centre_nm": [float(value) for value in tip_position(stack, *middle)],
        "angle_deg": attrs.get("scan_angle_deg", 0.0),
        "first_row": "bottom" if pitch_y is None or row_direction(stack) > 0 else "top",
        "acquired": int(attrs.get("acquired", 0)),
        "expected": int(attrs.get("expected", 0)),
        "channels": {name: str(stack[name].attrs.get("units", "")) for name in channel_names(stack)},
        "images": {name: str(stack[name].attrs.get("units", "")) for name in image_names(stack)},
        "topograph": topograph_name(stack),
        "didv": _didv(stack),
        "friedel_wavelength_px": [_wavelength(band, axis, (pitch_y * pitch_x) ** 0.5) for band in dispersions]
        if attrs.get("sweep", "bias") == "bias" and pitch_y and pitch_x and np.isfinite(axis).all()
        else [],
    }


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _format(paths: list[str]) -> str:
    from friedel.io import FORMATS, sniff

    name = sniff(paths[0] if len(paths) == 1 else paths)
    return FORMATS[name].title if name else "unknown"


def _didv(stack: xr.Dataset) -> dict[str, Any]:
    from friedel.channel_memory import remembered_channel
    from friedel.errors import StackError
    from friedel.stack import channel_names, didv_candidates, didv_channel, is_lock_in, topograph_name

    none = {"channel": None, "derived": False}
    if not channel_names(stack):
        topograph = "no channel looks like dI/dV; this is a topograph"
        return none | {"remark": topograph if topograph_name(stack) else "only images"}
    try:
        name, derive = didv_channel(stack)
    except StackError as error:
        return none | {"remark": str(error)}
    if name == remembered_channel(str(stack.attrs.get("instrument", "")), channel_names(stack)):
        return {"channel": name, "derived": derive, "remark": "chosen for this instrument before"}
    remark = ""
    others = [other for other in didv_candidates(stack) if other != name][:5]
    if derive and stack.sizes["bias"] < 2:
        others = [other for other in others if not didv_channel(stack, other)[1]]
        remark = f"{name!r} is a current at one voltage: dI/dV cannot be derived from it" + _others(others)
        return none | {"remark": remark}
    if derive:
        remark = "differentiated numerically; there is no lock-in channel" + _others(others)
    elif not is_lock_in(name):
        remark = (
            "taken for lack of a lock-in channel or a current; name the channel if it is another"
            + _others(others)
        )
    return {"channel": name, "derived": derive, "remark": remark}


def _others(names: list[str]) -> str:
    """Name the channels that dI/dV may be in instead, the likeliest first."""
    if not names:
        return ""
    return f". If it is in another one ({', '.join(names)}), --remember-channel keeps your choice"


def _wavelength(band: Dispersion, axis: np.ndarray, pixel_nm: float) -> dict[str, Any]:
    """Half the electron's wavelength, π/k, is the period of a Friedel oscillation."""
    import numpy as np

    k = band.k(axis)
    inside = np.isfinite(k) & (k > 0)
    result: dict[str, Any] = {"band": band.name, "onset_mev": band.onset_mev, "mass": band.mass, "at": []}
    if inside.any():
        where = np.flatnonzero(inside)
        order = where[np.argsort(axis[where])]
        for index in dict.fromkeys([order[0], order[np.argmin(np.abs(axis[order]))], order[-1]]):
            result["at"].append(
                {
                    "bias_mv": float(axis[index]),
                    "pixels": float(np.pi / k[index] / pixel_nm),
                    "nm": float(np.pi / k[index]),
                    "k_pixel": float(k[index] * pixel_nm),
                }
            )
    return result


def _lines(known: dict[str, Any]) -> list[str]:
    grid, sweep, didv = known["grid"], known["sweep"], known["didv"]
    step = (
        ""
        if sweep["step"] is None
        else f", step {sweep['step']:.4g}{'' if sweep['even'] else ' on average, uneven'}"
    )
    if sweep["start"] is None:
        span, step = "not known", ""
    else:
        span = _span(sweep)
    share = known["acquired"] / max(known["expected"], 1)
    rows = [
        ("format", f"{known['format']} ({known['instrument']})"),
        ("grid", f"{grid['columns']} columns × {grid['rows']} rows × {grid['bias']} {sweep['of']}"),
        (sweep["of"], f"{span}{step}"),
        ("size", "{:.5g} × {:.5g} nm".format(*known["size_nm"]) if known["size_nm"] else "one point"),
        (
            "pixel",
            _pair(known["pixel_nm"]) + " nm" if known["pixel_nm"] else "none: this is one spectrum, no map",
        ),
        ("centre", "({:.6g}, {:.6g}) nm".format(*known["centre_nm"])),
        ("angle", f"{known['angle_deg']:g}° clockwise; row 0 is the {known['first_row']} line"),
        ("acquired", f"{known['acquired']} of {known['expected']} pixels ({share:.1%})"),
    ]
    lines = [str(known["file"]), *(f"  {name:<9} {value}" for name, value in rows), "channels (bias, y, x)"]
    for name, unit in known["channels"].items():
        mark = (
            ""
            if name != didv["channel"]
            else ("  ← dI/dV is derived from it" if didv["derived"] else "  ← dI/dV")
        )
        lines.append(f"  {name} [{unit or '?'}]{mark}")
    if didv["remark"]:
        lines.append(f"  dI/dV: {didv['remark']}")
    if known["images"]:
        lines.append("images (y, x)")
        for name, unit in known["images"].items():
            mark = "  ← topograph" if name == known["topograph"] else ""
            lines.append(f"  {name} [{unit or '?'}]{mark}")
    if known["friedel_wavelength_px"]:
        lines.append("Friedel wavelength π/k")
        lines.extend(_band(band) for band in known["friedel_wavelength_px"])
    for key, value in known.get("header", {}).items():
        lines.append(f"  {key}: {' '.join(str(value).split())}")
    return lines


def _span(sweep: dict[str, Any]) -> str:
    first = f"{sweep['start']:.6g}"
    return (first if sweep["step"] is None else f"{first} to {sweep['stop']:.6g}") + f" {sweep['unit']}"


def _pair(values: list[float]) -> str:
    x, y = values
    return f"{x:.4g}" if abs(x - y) <= 1e-6 * x else f"{x:.4g} × {y:.4g}"


def _band(band: dict[str, Any]) -> str:
    title = f"  {band['band']:<7} (E₀ {band['onset_mev']:g} meV, m* {band['mass']:g})"
    if not band["at"]:
        return f"{title}: the whole bias range lies outside the band"
    at = (
        f"{a['pixels']:.3g} px = {a['nm']:.3g} nm at {a['bias_mv']:.4g} mV ({a['k_pixel']:.2g} rad/px)"
        for a in band["at"]
    )
    return f"{title}: " + ", ".join(at)
