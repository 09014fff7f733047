"""The standard scenes: fixed, seeded, never trained on.

Every scene has ten fields (seeds 0 to 9) and, where there are impurities, a variant whose cores are replaced
by their surroundings. The random streams are keyed by the scene's name and by a number that no training
recipe uses.
"""

from __future__ import annotations

import warnings
import zlib
from dataclasses import dataclass

import numpy as np

from friedel.benchmark.settings import Setting
from friedel.benchmark.synthetic import SyntheticField, make_synthetic
from friedel.errors import FriedelError

#: First word of every scene's seed. Training and validation draw from plain integers and other words.
STREAM = 0x2006_15898
#: Appended to a scene's name: the same fields, seen from the waves alone.
NO_CORES = "-no-cores"


@dataclass(frozen=True)
class Scene:
    """One kind of field.

    Parameters
    ----------
    name : str
    title : str
        For tables.
    setting : Setting
    tolerance_px : float
        Largest distance of a pair: the larger of 1 px of the file and 0.1 half wavelengths.
    """

    name: str
    title: str
    setting: Setting
    tolerance_px: float

    def field(self, seed: int) -> SyntheticField:
        """Make field number `seed`; the variant without cores has the same impurities, waves and noise."""
        base = self.name.removesuffix(NO_CORES)
        key = zlib.crc32(base.encode())
        return make_synthetic(self.setting, (STREAM, key, seed))

    def twin(self, seed: int) -> SyntheticField:
        """`field` by the name that version 0.1 gave it."""
        warnings.warn("Scene.twin is now Scene.field.", DeprecationWarning, stacklevel=2)
        return self.field(seed)


_AU = Setting()
_CU_BIAS = tuple(float(v) for v in range(-100, 101, 5))
_AG_BIAS = (70.0, 95.0, 120.0, 145.0, 170.0)
_BASE: dict[str, tuple[str, Setting]] = {
    "like-60": ("60 identical", Setting(unlike=False)),
    "unlike-60": ("60 heterogeneous", _AU),
    "unlike-120": ("120 heterogeneous", Setting(impurities=120)),
    "noise": ("30, noise 3 × rms", Setting(impurities=30, noise=3.0)),
    # The noise of a field of 60, beside the waves of 10.
    "isolated": ("10 heterogeneous, noise of 60", Setting(impurities=10, noise=2.0)),
    "drift": (
        "50, drift, tip change, rows",
        Setting(impurities=50, drift_px=1.3, tip_change=True, rows=0.6),
    ),
    "cu111": (
        "Cu(111), 60, 1.6 Å per pixel",
        Setting("cu111", (256, 256), 0.16, _CU_BIAS, herringbone=False),
    ),
    "ag111": (
        "Ag(111), 25, five voltages",
        Setting("ag111", (80, 80), 0.4, _AG_BIAS, impurities=25, herringbone=False),
    ),
    "empty": ("no impurity", Setting(impurities=0)),
}


def half_wavelength(setting: Setting) -> float:
    """π/k at the mean wavevector [px]."""
    from friedel.physics.dispersion import required

    return np.pi / float(np.mean(required(setting.material).k(setting.bias_mv))) / setting.pixel_nm


def _tolerance(setting: Setting) -> float:
    return max(1.0, 0.1 * half_wavelength(setting))


def _scenes() -> dict[str, Scene]:
    scenes = {name: Scene(name, title, s, _tolerance(s)) for name, (title, s) in _BASE.items()}
    for name, (title, s) in _BASE.items():
        if s.impurities:
            other = name + NO_CORES
            scenes[other] = Scene(other, f"{title}, waves alone", s.without_cores(), _tolerance(s))
    return scenes


#: Name → scene.
SCENES: dict[str, Scene] = _scenes()


def scene(name: str) -> Scene:
    """Return a standard scene by name.

    Raises
    ------
    FriedelError
        If there is none of that name.
    """
    if name not in SCENES:
        raise FriedelError(f"There is no standard scene {name!r}; there are {', '.join(SCENES)}.")
    return SCENES[name]
