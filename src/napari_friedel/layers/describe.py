"""A stack in one line."""

from __future__ import annotations

from typing import Any

from friedel.stack import channel_names, pixel_pitch


def describe(stack: Any, channel: str) -> str:
    """One line about a stack: channel, voltages, pixels, completeness."""
    bias = stack["bias"].to_numpy()
    pitch_y, pitch_x = pixel_pitch(stack)
    rows, columns = stack.sizes["y"], stack.sizes["x"]
    pitch = f"{pitch_x:.4g}" if abs(pitch_x - pitch_y) < 1e-6 * pitch_x else f"{pitch_y:.4g}×{pitch_x:.4g}"
    span = f"{bias.min():+.4g} to {bias.max():+.4g} mV" if len(bias) > 1 else f"{bias[0]:+.4g} mV"
    text = f"{channel}: {len(bias)} voltage{'s' if len(bias) > 1 else ''}, {span}; {rows}×{columns} px of {pitch} nm"
    acquired, expected = int(stack.attrs.get("acquired", 0)), int(stack.attrs.get("expected", 0))
    if acquired < expected:
        text += f"; {acquired} of {expected} pixels acquired"
    if len(channel_names(stack)) > 1:
        text += f"; {len(channel_names(stack)) - 1} more channels (Import)"
    return text
