"""napari's door to `friedel.io`: says quickly whether a file is ours, and opens it as layers in nm and mV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari_friedel.layers import LayerData, stack_layers

PathOrPaths = str | Sequence[str]


def get_reader(path: PathOrPaths) -> Callable[[PathOrPaths], list[LayerData]] | None:
    """Return a reader if `path` holds STM spectroscopy or an STM image, else None.

    Decided by the first bytes of the file, not by its name alone; needs no heavy import, opens no dialog.
    """
    from friedel.io import sniff

    first = path if isinstance(path, str | Path) else next(iter(path), None)
    if first is None:
        return None
    try:
        return read if sniff(first) is not None else None
    except OSError:
        return None


def read(path: PathOrPaths) -> list[LayerData]:
    """Open one file, a folder, or several files that belong together (a map each) as napari layers."""
    from friedel.io import open_stack

    source: Any = path if isinstance(path, str | Path) else list(path)
    if isinstance(source, list) and len(source) == 1:
        source = source[0]
    return stack_layers(open_stack(source))
