"""A stack in one line, and what a surface band means for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.stack import channel_names, pixel_pitch

if TYPE_CHECKING:
    from friedel.physics.dispersion import Dispersion


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


def describe_band(band: Dispersion, stack: Any) -> str:
    """Half wavelengths and k·pixel of a band on a stack, in words."""
    k = band.k(stack["bias"].to_numpy())
    inside = k[np.isfinite(k)]
    if not inside.size:
        return f"None of the voltages lies inside this band (onset {band.onset_mev:.4g} meV): choose another one."
    pixel = float(np.sqrt(np.prod(pixel_pitch(stack))))
    out = len(k) - inside.size
    text = (
        f"λ/2 = {np.pi / inside.max():.2f}–{np.pi / inside.min():.2f} nm, "
        f"k·pixel = {inside.min() * pixel:.2f}–{inside.max() * pixel:.2f} rad"
    )
    return text + (f"; {out} of {len(k)} voltages lie outside the band" if out else "")
