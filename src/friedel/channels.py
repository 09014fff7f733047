"""What the variables of a stack are: channels, images, the topograph, and the channel that holds dI/dV."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.channel_memory import remembered_channel
from friedel.errors import SettingsError, StackError

if TYPE_CHECKING:
    import xarray as xr

DIMS = ("bias", "y", "x")

# Lock-in channels across vendors, best first: a name that says dI/dV, the in-phase quadrature X, the amplitude R, the
# other quadrature (which holds dI/dV where the phase was set so), then names that only hint at a lock-in.
_LOCK_IN = [
    r"^d[ij]\s*[/_ ]?\s*d[vu]\b",
    r"\bldos\b|\bdos\b",
    r"lock-?in[ _]*x\b|\bli[ _]?x\b|li[ _]?demod[ _]?1[ _]?x|lia[ _]?current|lock-?in.*(x|1)\b",
    r"lock-?in[ _]*r\b|\bli[ _]?r\b|li[ _]?demod[ _]?1[ _]?r\b|lock-?in.*\b(r|amp\w*)\b",
    r"lock-?in[ _]*y\b|\bli[ _]?y\b|li[ _]?demod[ _]?1[ _]?y",
    r"lock-?in|\blia?\b|\bli[ _]|lia|\baux\s?\d|\bdemod",
    r"\b(ext(ernal)?\.?|user)?[ _]?(input|adc|in)[ _]?\d+\b",
]
#: Patterns from this rank on only hint: a current is preferred to them.
_HINT = len(_LOCK_IN) - 1
_CURRENT = re.compile(r"\bcurrent\b|^i\b|^i[ _(]|tunnel", re.IGNORECASE)
_NOT_DIDV = re.compile(r"phase|\bdeg\b|\btheta\b|2 ?omega|demod[ _]?2|\bcurrent\b.*\brms\b", re.IGNORECASE)
_BACKWARD = re.compile(r"\[?\bb(ac)?k?wd?\b\]?|backward|retrace", re.IGNORECASE)
#: "A" is an ampere.
_LENGTHS = ("m", "mm", "um", "µm", "μm", "nm", "pm", "Å")
_HEIGHT = re.compile(r"z([ _(\[-].*)?|topo.*|height.*", re.IGNORECASE)


def channel_names(stack: xr.Dataset) -> list[str]:
    """Names of the variables with the axes (bias, y, x)."""
    return [str(name) for name, variable in stack.data_vars.items() if variable.dims == DIMS]


def image_names(stack: xr.Dataset) -> list[str]:
    """Names of the (y, x) images: those taken with the grid, or those of a plain topograph."""
    return [str(name) for name, variable in stack.data_vars.items() if variable.dims == ("y", "x")]


def is_height(name: str, unit: str = "") -> bool:
    """Whether a name says topograph (``Z``, ``Z [bwd]``, ``Topography``, ``Height``) or a unit is a length."""
    return _HEIGHT.fullmatch(name) is not None or unit in _LENGTHS


def topograph_name(stack: xr.Dataset) -> str | None:
    """Name of the topograph among the images (the forward one first), or None."""
    heights = [
        name for name in image_names(stack) if is_height(name, str(stack[name].attrs.get("units", "")))
    ]
    return min(heights, key=lambda name: (not is_height(name), bool(_BACKWARD.search(name))), default=None)


def is_lock_in(name: str) -> bool:
    """Whether a channel's name says that it holds dI/dV from a lock-in amplifier."""
    return _rank(name) < _HINT


def _rank(name: str) -> int:
    return next((i for i, p in enumerate(_LOCK_IN) if re.search(p, name, re.IGNORECASE)), len(_LOCK_IN))


def didv_candidates(stack: xr.Dataset) -> list[str]:
    """Channels by how likely their names are those of dI/dV, the likeliest first.

    What the user chose for this instrument (`friedel.channel_memory`) comes first. Forward sweeps precede backward
    ones. Phases and higher harmonics come last; between channels of the same rank the order of the file decides.
    """
    names = channel_names(stack)
    # A current at one voltage has no derivative.
    current = _HINT if stack.sizes["bias"] > 1 else _HINT + 2

    chosen = remembered_channel(str(stack.attrs.get("instrument", "")), names)

    def key(name: str) -> tuple[bool, bool, int, bool]:
        rank = _rank(name)
        if rank >= _HINT:
            rank = current if _CURRENT.search(name) else rank + 1
        return name != chosen, bool(_NOT_DIDV.search(name)), rank, bool(_BACKWARD.search(name))

    return sorted(names, key=key)


def check_name(channel: Any) -> None:
    """Refuse what cannot be a channel's name; None stands for the channel by rule."""
    if channel is not None and not isinstance(channel, str):
        raise SettingsError(
            f"A channel is given by its name, a text, not {channel!r:.60}.", settings="channel"
        )


def didv_channel(stack: xr.Dataset, channel: str | None = None) -> tuple[str, bool]:
    """Choose the channel that holds dI/dV.

    Parameters
    ----------
    stack : xarray.Dataset
    channel : str, optional
        The user's choice, a channel or, at one bias, an image such as the topograph ``"Z"``; if None the
        one that was chosen for this instrument before, else a lock-in channel by rule.

    Returns
    -------
    name : str
    derive : bool
        True if the channel is a current, of which dI/dV is the numerical derivative.

    Raises
    ------
    StackError
        If the named channel does not exist, the stack holds no channel, or it was swept over something else than the
        bias.
    """
    names = channel_names(stack)
    check_name(channel)
    if stack.attrs.get("sweep", "bias") != "bias":
        raise StackError(
            f"This grid was swept over {stack.attrs['sweep']!r}, not over the bias: it holds no dI/dV map."
        )
    if channel is not None:
        if channel in names:
            return channel, bool(_CURRENT.search(channel)) and not is_lock_in(channel)
        if channel not in image_names(stack):
            known = ", ".join(map(repr, [*names, *image_names(stack)]))
            raise StackError(f"There is no channel {channel!r} in this stack; it has {known}.")
        if stack.sizes.get("bias", 0) != 1:
            raise StackError(
                f"{channel!r} is one image at the setpoint, not a map at each of {stack.sizes.get('bias', 0)} voltages."
            )
        return channel, False
    if not names:
        images = ", ".join(map(repr, image_names(stack))) or "nothing"
        raise StackError(
            f"This file holds no dI/dV, only images ({images}). Name one of them as the channel to use it."
        )
    best = didv_candidates(stack)[0]
    return best, bool(_CURRENT.search(best)) and not is_lock_in(best)


def didv(stack: xr.Dataset, channel: str | None = None) -> xr.DataArray:
    """Return dI/dV of shape (bias, y, x): the lock-in channel, else the current's numerical derivative.

    An image that is named, such as the topograph, comes back as one plane at the stack's bias. The attribute
    ``derived`` is 1 where dI/dV was differentiated from a current, and ``channel`` names the source.
    """
    name, derive = didv_channel(stack, channel)
    data = stack[name]
    if data.dims != DIMS:
        setpoint_bias(stack)
        data = data.expand_dims(bias=stack["bias"])
    if derive:
        bias = stack["bias"].to_numpy()
        if len(bias) < 2:
            raise StackError(f"{name!r} is a current at one bias voltage: dI/dV cannot be derived from it.")
        values = np.gradient(data.to_numpy(), bias, axis=0).astype(np.float32)
        data = data.copy(data=values)
        data.attrs["units"] = f"{data.attrs.get('units', '')}/mV".lstrip("/") or "1/mV"
    return data.assign_attrs(channel=name, derived=int(derive))


def need_voltage(stack: xr.Dataset) -> None:
    """Refuse images of which nothing says the voltage, before maps of known energy are searched in them.

    Raises
    ------
    StackError
        If neither the bias axis nor an image's attribute ``bias_mv`` holds a voltage.
    """
    known = np.isfinite(stack["bias"].to_numpy()).any() or any(
        "bias_mv" in stack[name].attrs for name in image_names(stack)
    )
    if stack.attrs.get("sweep", "bias") == "bias" and not known:
        source = str(stack.attrs.get("source", ""))
        raise StackError(
            f"{source + ': t' if source else 'T'}he file does not say its bias voltage: give it as bias, in mV.",
            settings="bias",
        )


def setpoint_bias(stack: xr.Dataset) -> float:
    """Bias [mV] of a stack of one plane or of a plain topograph; `StackError` if several or not known."""
    bias = np.atleast_1d(stack["bias"].to_numpy())
    if len(bias) != 1:
        raise StackError(f"This stack has {len(bias)} voltages, not one.")
    if not np.isfinite(bias[0]):
        raise StackError("The bias of this image is not known: give it (bias, in mV).")
    return float(bias[0])
