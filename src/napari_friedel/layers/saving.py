"""Ctrl+S offers our file types first while a layer of ours is active; what they write opens without a question."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from napari_friedel.layers.info import ImpuritiesInfo, MapInfo, info_of

PLUGIN = "napari-friedel"
#: Names that napari opens with this plugin without asking once a table was written by it.
PATTERN = "*impurities*.csv"


def prefer_writers(layer: Any) -> None:
    """Sort napari's writers: ours come first for a result or a map of ours, and last for any other layer.

    npe2 offers writers in the order in which plugins were found, and has no public door to it; where that has
    changed, the order stays as it is.
    """
    ours = isinstance(info_of(layer), (ImpuritiesInfo, MapInfo))
    with contextlib.suppress(AttributeError, ImportError, IndexError, TypeError):
        from npe2 import PluginManager

        writers = PluginManager.instance()._contrib._writers
        writers.sort(key=lambda entry: (entry[-1].plugin_name == PLUGIN) != ours)


def with_suffix(path: str, known: tuple[str, ...]) -> str:
    """The path with the first known suffix where it has none of them, as a layer's name has none."""
    return path if Path(path).suffix.lower() in known else f"{path}{known[0]}"


def open_without_asking(path: str) -> None:
    """Enter into napari's preferences that our tables are opened by this plugin, unless the user has chosen another.

    napari's own reader takes every .csv, so that a drop would ask each time which of the two is meant.
    """
    if not path.lower().endswith(".csv"):
        return
    if "impurities" not in Path(path).name.lower():
        with contextlib.suppress(ImportError):
            from napari.utils.notifications import show_info

            show_info(
                f"{Path(path).name} is saved. Dropped on the window, a table is known by “impurities” in its name; "
                "“Open STM spectroscopy” in the command palette opens it under any name."
            )
        return
    with contextlib.suppress(Exception):  # no napari around, or settings of another version: it will ask
        from napari.plugins.utils import get_preferred_reader
        from napari.settings import get_settings

        if get_preferred_reader(path) is None:
            plugins = get_settings().plugins
            plugins.extension2reader = {**plugins.extension2reader, PATTERN: PLUGIN}
