"""What the window calls a setting and its values, and what their tool tip says."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from friedel.settings import Setting

#: Names that the field writes otherwise.
LABELS = {
    "alpha": "α",
    "noise": "Noise η",
    "learning_rate": "Learning rate",
    "bias": "Bias",
    "pixel_nm": "Pixel",
    "axes": "Axes are",
    "separate_scans": "Separate scans",
    "onset_mev": "E₀",
    "mass": "m*",
    "bad_data": "Find bad data",
    "row_offsets": "Line offsets",
    "invert": "Invert negative dI/dV",
    "terraces": "Level terraces",
    "register_scans": "Register separate scans",
    "extended": "Leave out steps",
    "periodic": "Subtract lattices",
    "static": "Subtract shared image",
    "second_band": "Filter out second band",
    "high_pass": "High-pass",
    "clip": "Clip",
    "fill_px": "Fill gaps",
    "lockin_phase_deg": "Lock-in phase",
}
#: Units that are too long to stand before a control; the tool tip has them in full.
UNITS = {"half Friedel wavelengths": "λ/2", "deg": "°"}
WORDS = {
    "network": "Network",
    "matched-field": "Matched field (classical)",
    "omp": "Matched field + OMP (classical)",
    "blend": "Overlapping, blended",
    "paper": "Disjoint 20×20 (paper)",
    "none": "None",
    "byx": "bias, y, x",
    "yxb": "y, x, bias",
    "quick": "Quick",
    "full": "Full (slow)",
    "plane": "Plane",
    "high-pass": "Plane and high-pass",
    "auto": "Automatic",
    "cpu": "CPU",
    "cuda": "CUDA",
    "mps": "Apple GPU (MPS)",
}
#: Help where that of the settings lists what is written on a command line.
HELP = {"axes": "The order in which the layer has its axes."}
#: An upper end of a range that is no one's concern.
FAR = 2**31


def label_of(setting: Setting, *, unit: bool = True) -> str:
    """What stands before the control, with the unit."""
    text = LABELS.get(setting.name) or setting.name.replace("_", " ").capitalize()
    word = UNITS.get(setting.option.unit, setting.option.unit) if unit else ""
    return f"{text} ({word})" if word else text


def tip(setting: Setting) -> str:
    """Help, range and default of a setting, for its tool tip."""
    parts, option = [HELP.get(setting.name) or _help(setting)], setting.option
    if option.most is not None and option.most >= FAR:
        option = replace(option, most=None)
    if not setting.choices and (text := option.range()):
        parts.append(f"Range: {text}{' ' + option.unit if option.unit else ''}.")
    default = option.none if setting.default is None else WORDS.get(str(setting.default), setting.default)
    if isinstance(default, bool):
        default = "on" if default else "off"
    if default not in ("", None, ()):
        parts.append(f"Default: {default}.")
    return "\n".join(parts)


def _help(setting: Setting) -> str:
    """The help of a setting; where its values are chosen, they are called as they are called in the window."""
    if setting.name != "device" and not setting.choices:  # typed values are called as they are typed
        return setting.help
    return re.sub(r"\b(auto|cpu|cuda|mps)\b(?!:)", lambda found: WORDS[found[0]], setting.help)
