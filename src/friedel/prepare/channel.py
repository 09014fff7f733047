"""Which channel is analysed: dI/dV, or a topograph as a stack of one voltage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from friedel.channels import check_name
from friedel.errors import StackError
from friedel.prepare.lockin_phase import best_phase, rotate
from friedel.stack import channel_names, didv, didv_channel, image_names, is_lock_in, topograph_name

if TYPE_CHECKING:
    from friedel.prepare.settings import PrepareSettings

#: Where headers keep the bias of the feedback loop, and its unit in mV.
_BIAS_KEYS = {"Bias>Bias (V)": 1e3, "BIAS": 1e3, "Bias (V)": 1e3, "Bias": 1e3, "Biasvolt[mV]": 1.0}


class ChannelMaps:
    """dI/dV of a channel, read some maps at a time; the numerical derivative where the channel is a current.

    Parameters
    ----------
    data : xarray.DataArray
        Of the axes (bias, y, x); lazy or not.
    derive : bool
    """

    def __init__(self, data: xr.DataArray, derive: bool) -> None:
        self.data, self.derive = data, derive

    @property
    def shape(self) -> tuple[int, ...]:
        """Bias, rows, columns."""
        return self.data.shape

    def __getitem__(self, part: slice) -> np.ndarray:
        """The maps of a part of the voltages."""
        start, stop, _ = part.indices(self.shape[0])
        if not self.derive:
            return self.data[start:stop].to_numpy()
        first, last = max(start - 1, 0), min(stop + 1, self.shape[0])
        near = self.data[first:last]
        slope = np.gradient(near.to_numpy(), near["bias"].to_numpy(), axis=0).astype(np.float32)
        return np.asarray(slope[start - first : stop - first])


@dataclass(frozen=True)
class Chosen:
    """The channel that is analysed.

    Parameters
    ----------
    values : array or ChannelMaps, shape (bias, rows, columns)
    bias_mv : array, shape (bias,)
    name : str
    derived : bool
        Whether it is the numerical derivative of a current.
    topograph : bool
        Whether it is a constant-current image.
    sentence : str
        What was chosen and why, if it is worth saying.
    """

    values: np.ndarray | ChannelMaps
    bias_mv: np.ndarray
    name: str
    derived: bool
    topograph: bool
    sentence: str = ""


def choose(stack: xr.Dataset, channel: str | None, settings: PrepareSettings) -> Chosen:
    """Choose the channel.

    A named channel or image is taken. Otherwise it is the lock-in channel or, for a single voltage without one, the
    topograph: a current at one voltage is the error of the feedback loop.

    Parameters
    ----------
    stack : xarray.Dataset
    channel : str, optional
    settings : PrepareSettings
        Its `lockin_phase_deg`.

    Returns
    -------
    Chosen

    Raises
    ------
    StackError
        If there is no such channel, or the voltage of a topograph is not known.
    """
    check_name(channel)
    if channel is not None and channel in image_names(stack):
        return _image(stack, channel, f"The image {channel!r} is taken as a map at one voltage.")
    if channel is None and stack.sizes["bias"] == 1 and stack.attrs.get("sweep", "bias") == "bias":
        name = topograph_name(stack) or _topograph_channel(stack)
        if name is not None and not any(is_lock_in(one) for one in channel_names(stack)):
            others = [one for one in channel_names(stack) if one != name]
            why = "the file holds no lock-in channel"
            if others:
                why += f", and {', '.join(map(repr, others[:3]))} at one voltage is the error of the feedback loop"
            return _image(stack, name, f"The topograph {name!r} is taken: {why}.")
    name, derived = didv_channel(stack, channel)
    topograph = name == _topograph_channel(stack)
    data, bias = stack[name], stack["bias"].to_numpy()
    if settings.lockin_phase_deg is not None:
        values, text = _rotated(stack, name, didv(stack, channel).to_numpy(), settings.lockin_phase_deg)
        return Chosen(values, bias, name, derived, topograph, text)
    if data.ndim != 3 or (derived and len(bias) < 2):
        return Chosen(didv(stack, channel).to_numpy(), bias, name, derived, topograph)
    return Chosen(ChannelMaps(data, derived), bias, name, derived, topograph)


def _topograph_channel(stack: xr.Dataset) -> str | None:
    """Name of a topograph among the channels of the axes (bias, y, x), or None."""
    names = channel_names(stack)
    images = xr.Dataset({name: (("y", "x"), np.zeros((1, 1))) for name in names})
    return topograph_name(images)


def _image(stack: xr.Dataset, name: str, sentence: str) -> Chosen:
    values = stack[name].to_numpy()
    if values.ndim == 3:
        return Chosen(values, stack["bias"].to_numpy(), name, False, True, sentence)
    bias = np.array([image_bias(stack, name)])
    topograph = topograph_name(stack[[name]]) is not None
    return Chosen(values[np.newaxis], bias, name, False, topograph, sentence)


def image_bias(stack: xr.Dataset, name: str) -> float:
    """Voltage at which an image was taken [mV].

    Parameters
    ----------
    stack : xarray.Dataset
    name : str
        Of a (y, x) variable; its own attribute ``bias_mv`` comes first.

    Raises
    ------
    StackError
        If neither the stack nor its header tells it.
    """
    if "bias_mv" in stack[name].attrs:
        return float(stack[name].attrs["bias_mv"])
    if stack.sizes["bias"] == 1:
        return float(stack["bias"].to_numpy()[0])
    try:
        header = json.loads(stack.attrs.get("header", "{}"))
    except ValueError:
        header = {}
    for key, unit in _BIAS_KEYS.items():
        try:
            return float(header[key]) * unit
        except (KeyError, TypeError, ValueError):
            continue
    raise StackError(
        f"The voltage at which {name!r} was taken is not known: neither the stack nor its header tells it. Make a "
        "stack of this image alone, with its voltage as the bias axis."
    )


def _rotated(stack: xr.Dataset, name: str, values: np.ndarray, phase: float | str) -> tuple[np.ndarray, str]:
    """Both quadratures rotated by the lock-in phase, and what was done."""
    other = quadrature(stack, name)
    if other is None:
        raise StackError(
            f"A lock-in phase needs both quadratures; there is no partner of {name!r} in this stack."
        )
    second = stack[other].to_numpy()
    degrees = best_phase(values, second) if isinstance(phase, str) else float(phase)
    return rotate(values, second, degrees), f"{name!r} and {other!r} are rotated by {degrees:.1f}°."


def quadrature(stack: xr.Dataset, name: str) -> str | None:
    """Name of the out-of-phase channel that belongs to a lock-in channel, or None."""
    names = channel_names(stack)
    for one, two in (("X", "Y"), ("Y", "X"), ("x", "y"), ("y", "x")):
        at = name.rfind(one)
        if at >= 0 and (other := name[:at] + two + name[at + 1 :]) in names:
            return other
    return None
