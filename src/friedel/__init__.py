"""Find impurities in STM dI/dV maps from the standing waves around them.

>>> import friedel
>>> stack = friedel.simulate(seed=1)                            # doctest: +SKIP
>>> found = friedel.detect(stack, dispersion="au111")           # doctest: +SKIP

Names are loaded on first use: ``import friedel`` imports neither torch nor napari.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("napari-friedel")
except PackageNotFoundError:  # running from a source tree that is not installed
    __version__ = "0+unknown"

_WHERE = {
    "Detections": "friedel.detections",
    "Dispersion": "friedel.physics.dispersion",
    "Progress": "friedel.progress",
    "StackError": "friedel.errors",
    "detect": "friedel.pipeline",
    "drain": "friedel.progress",
    "evaluate": "friedel.scoring.metrics",
    "fine_tune": "friedel.finetuning.tuner",
    "fit_dispersion": "friedel.dispersion_fit.fourier_ring",
    "iter_detect": "friedel.pipeline",
    "iter_fine_tune": "friedel.finetuning.tuner",
    "list_models": "friedel.models.registry",
    "load_model": "friedel.models.registry",
    "make_stack": "friedel.stack",
    "open_stack": "friedel.io",
    "refit_points": "friedel.detection.refit_points",
    "simulate": "friedel.physics.simulate",
}

__all__ = sorted([*_WHERE, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'friedel' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
