"""Find impurities in STM dI/dV maps from the standing waves around them.

>>> import friedel
>>> stack = friedel.simulate(seed=1)                            # doctest: +SKIP
>>> found = friedel.detect(stack, dispersion="au111")           # doctest: +SKIP

The public names stand in ``__init__.pyi``. Each is loaded on first use: ``import friedel`` imports neither torch nor
napari.
"""

from typing import Any

import lazy_loader

from friedel._util import moved

moved.install()

_load, _, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = sorted([*_names, "__version__"])


def __getattr__(name: str) -> Any:
    if name != "__version__":
        return _load(name)
    from importlib.metadata import PackageNotFoundError, version  # parses e-mail headers: slow to load

    try:
        return version("napari-friedel")
    except PackageNotFoundError:  # running from a source tree that is not installed
        return "0+unknown"


def __dir__() -> list[str]:
    return __all__
