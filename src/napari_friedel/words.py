"""What went wrong, in words of the window."""

from __future__ import annotations

import re

from friedel.errors import FriedelError


class WorkerError(Exception):
    """An error whose text is a sentence already."""


def sentence(error: BaseException) -> str:
    """Say in words what went wrong; our own errors are sentences already."""
    text = " ".join(str(error).split())
    if isinstance(error, (FriedelError, WorkerError)):
        return in_window_words(text)
    kind = type(error).__name__
    if "OutOfMemory" in kind or "out of memory" in text.lower():
        return f"The device ran out of memory: choose a smaller area, or the CPU as device. ({text[:160]})"
    if isinstance(error, MemoryError):
        return "The computer ran out of memory: choose a smaller area."
    if isinstance(error, ImportError) or (isinstance(error, OSError) and "1114" in text):
        return (
            "A library could not be loaded. If it is torch, close napari and start it with `napari-friedel`, which "
            f"loads torch first. ({text[:200]})"
        )
    return f"{kind}: {text}" if text else kind


#: Boxes of the docks that stand for flags of the command line.
BOXES = {
    "bias": "the box “Bias” (Import)",
    "pixel-nm": "the box “Pixel” (Import)",
    "channel": "the box “Channel” (Import)",
    "axes": "the box “Axes are” (Import)",
    "material": "the box “Band”",
    "onset-mev": "the box “E₀, m*”",
    "mass": "the box “E₀, m*”",
    "model": "the box “Model”",
    "method": "the box “Method”",
    "tiles": "the box “Tiles”",
    "device": "the box “Device”",
    "refit": "the box “Refit”",
    "area": "the box “Area”",
    "threshold": "the slider “Probability”",
}


def in_window_words(text: str) -> str:
    """A message with the window's boxes in place of the command line's flags."""
    return re.sub(r"`?--([a-z][a-z-]*)`?", lambda m: BOXES.get(m[1], f"“{m[1].replace('-', ' ')}”"), text)
