"""Stacks written for other programs; netCDF keeps everything, the others what they can hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import StackError
from friedel.io.written import STACKS, listed
from friedel.stack import didv, didv_channel, image_names, pixel_pitch, tip_frame, validate

if TYPE_CHECKING:
    import os

    import xarray as xr


def write_stack(
    stack: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    channel: str | None = None,
    bias_mv: float | None = None,
) -> None:
    """Write a stack; the suffix names the format.

    Parameters
    ----------
    stack : xarray.Dataset
    path : path
        ``.nc`` and ``.zarr`` (everything, without loss), ``.gwy`` (Gwyddion: all channels and images), ``.npz`` (all
        channels, the bias axis and the pixel size), ``.gsf`` (one image of one channel), ``.ibw`` and ``.itx``
        (Igor: one channel of even bias, needs igorwriter). Replaced in one step.
    channel : str, optional
        For ``.gsf``: the channel, dI/dV if None, or an image such as the topograph, which has no voltage to choose.
        For Igor: the channel.
    bias_mv : float, optional
        For ``.gsf``: the plane nearest to this bias [mV].

    Raises
    ------
    StackError
        If the suffix is unknown, or a ``.gsf`` of several planes names no bias.
    """
    try:
        target = Path(path)
    except TypeError:
        raise StackError(f"A stack is written to a path, not to {path!r:.60}.") from None
    validate(stack)
    suffix = target.suffix.lower()
    if suffix not in STACKS:
        raise StackError(f"{target}: stacks are written as {listed(STACKS)}.")
    if suffix == ".nc":
        from friedel.io.netcdf import write

        write(stack, target)
    elif suffix == ".zarr":
        from friedel.io.zarr_store import write as write_zarr

        write_zarr(stack, target)
    elif suffix == ".gwy":
        from friedel.io.gwyddion_write import write as write_gwy

        write_gwy(stack, target)
    elif suffix == ".npz":
        _write_npz(stack, target)
    elif suffix in (".ibw", ".itx"):
        _write_igor(stack, target, channel)
    else:
        _write_plane(stack, target, channel, bias_mv)


def _write_npz(stack: xr.Dataset, target: Path) -> None:
    from friedel._util.atomic_write import write_beside
    from friedel.stack import channel_names

    stack = stack.sortby(["y", "x"])  # the archive holds no direction
    arrays: dict[str, Any] = {name.replace("/", "_"): stack[name].to_numpy() for name in channel_names(stack)}
    arrays |= {"bias": stack["bias"].to_numpy(), "pixel_nm": np.array(pixel_pitch(stack))}
    if stack.attrs.get("separate_scans"):
        arrays["separate_scans"] = np.array(1)
    with write_beside(target) as beside, beside.open("wb") as file:
        np.savez(file, **arrays)


def _write_igor(stack: xr.Dataset, target: Path, channel: str | None) -> None:
    """Write one channel as an Igor wave with the axes (x, y, bias)."""
    from friedel._util.atomic_write import write_beside

    try:
        from igorwriter import IgorWave
    except ImportError:
        raise StackError(
            f"{target}: writing for Igor needs an extra package: pip install igorwriter."
        ) from None
    stack = stack.sortby(["y", "x"])
    data = didv(stack) if channel is None else _plain(stack, channel)
    bias = stack["bias"].to_numpy()
    steps = np.diff(bias)
    if len(steps) and not np.allclose(steps, steps.mean(), rtol=1e-3):
        raise StackError(
            f"{target}: the bias axis is uneven, which the scale of a wave cannot say; write .nc or .npz."
        )
    pitch = pixel_pitch(stack)
    wave = IgorWave(np.asfortranarray(data.to_numpy().transpose(2, 1, 0)), name="didv")
    starts = float(stack["x"][0]), float(stack["y"][0])
    for dim, start, step in zip("xy", starts, pitch[::-1], strict=True):
        wave.set_dimscale(dim, start * 1e-9, step * 1e-9, "m")
    wave.set_dimscale("z", bias[0] * 1e-3, (float(steps.mean()) if len(steps) else 1.0) * 1e-3, "V")
    wave.set_datascale(str(data.attrs.get("units", "")))
    with write_beside(target) as beside:
        (wave.save if target.suffix.lower() == ".ibw" else wave.save_itx)(str(beside))


def _write_plane(stack: xr.Dataset, target: Path, channel: str | None, bias_mv: float | None) -> None:
    from friedel.io.maps import write_map

    if channel is not None and channel in image_names(stack):
        image, title = stack[channel].sortby(["y", "x"]), channel
    else:
        image, title = _plane(stack, target, channel, bias_mv)
    write_map(
        image.to_numpy(),
        target,
        pixel_nm=pixel_pitch(stack),
        name=title,
        units=str(image.attrs.get("units", "")) or "1",
        origin_nm=(float(image["y"][0]), float(image["x"][0])),
        y_direction=tip_frame(stack)[3],
    )


def _plane(
    stack: xr.Dataset, target: Path, channel: str | None, bias_mv: float | None
) -> tuple[xr.DataArray, str]:
    """The map of a channel at one voltage, and its title."""
    # A channel that is named is written as it is; dI/dV of a current is derived only where none is.
    data = didv(stack) if channel is None else _plain(stack, channel)
    data = data.sortby(["y", "x"])  # the formats know rising axes only
    axis = stack["bias"].to_numpy()
    if bias_mv is None and len(axis) > 1:
        raise StackError(
            f"{target}: a .gsf file holds one image; name its bias [mV], from {axis.min():g} to {axis.max():g}.",
            settings="at",
        )
    if bias_mv is not None and len(axis) > 1:
        step = np.diff(np.sort(axis)).max()
        if not axis.min() - step <= bias_mv <= axis.max() + step:
            raise StackError(
                f"{target}: no plane is near {bias_mv:g} mV; the bias runs from {axis.min():g} to {axis.max():g} mV.",
                settings="at",
            )
    index = 0 if bias_mv is None else int(np.argmin(np.abs(axis - bias_mv)))
    return data.isel(bias=index), f"{data.attrs['channel']} {axis[index]:g} mV"


def _plain(stack: xr.Dataset, channel: str) -> xr.DataArray:
    name, derived = didv_channel(stack, channel)
    data = stack[name].assign_attrs(channel=name) if derived else didv(stack, name)
    return data if "bias" in data.dims else data.expand_dims(bias=stack["bias"])
