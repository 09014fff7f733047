"""napari's door to `friedel.io`: says quickly whether a file is ours, and opens it as layers in nm and mV.

A table of points is claimed only if its first lines say that this program wrote it: napari's own CSV stays napari's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from friedel.errors import StackError
from napari_friedel.io import tables
from napari_friedel.layers import viewing
from napari_friedel.layers.info import KEY, info_of
from napari_friedel.layers.stack_layers import LayerData, add_layer, map_layer, stack_layers
from napari_friedel.turns import in_event_loop

PathOrPaths = str | Sequence[str]


def get_reader(path: PathOrPaths = "") -> Callable[[PathOrPaths], list[LayerData]] | None:
    """Return a reader if `path` holds STM spectroscopy, an STM image or our table of points, else None.

    Decided by the first bytes of the file, not by its name alone; needs no heavy import, opens no dialog.
    """
    from friedel.io import sniff

    if not path:
        if isinstance(path, str):
            ask_and_open()
        return None
    first = path if isinstance(path, str | Path) else next(iter(path), None)
    if first is None:
        return None
    viewing.activate()  # npe2 does so once per process, which leaves out the second viewer of a notebook
    table = Path(first).suffix.lower() in tables.SUFFIXES
    ours = tables.is_table(first) if table else sniff(first) is not None
    # In a window the user has dropped it, or has chosen this reader: the sentence of `read` tells what is wrong, where
    # napari would only say that the file was refused.
    return read_for_window if ours or (in_event_loop() and Path(first).exists()) else None


def ask_and_open() -> None:
    """Ask for a file and open it in the current viewer; napari's command palette calls the reader so."""
    from qtpy.QtWidgets import QFileDialog

    import napari

    viewer = napari.current_viewer()
    path, _ = QFileDialog.getOpenFileName(None, "Open STM spectroscopy")
    if path and viewer is not None:
        for layer in read_for_window(path):
            if layer[0] is not None:
                add_layer(viewer, layer)


def read_for_window(path: PathOrPaths) -> list[Any]:
    """As `read`; a running window goes on drawing, and an error is a notification of one sentence.

    napari would say "refused the file" and hide the reason behind a traceback. A stack is shown first; images that
    were taken with it come below it in the next turns of the event loop.
    """
    from friedel.errors import FriedelError
    from napari_friedel.turns import after_drawing, draw_while, in_turns
    from napari_friedel.words import sentence

    if not in_event_loop():
        return read(path)
    import napari

    try:
        layers = draw_while(lambda: read(path))
    except (FriedelError, OSError) as error:
        show_error(_without_folder(sentence(error), path))
        return [(None,)]  # napari's sign for "nothing to add"
    viewer, *images, stack = napari.current_viewer(), *layers
    if viewer is not None and images and stack[1]["metadata"][KEY].kind == "stack":
        after_drawing(lambda: in_turns(_below(viewer, images, stack), viewer=viewer))
        return [stack]
    return layers


def _without_folder(text: str, path: PathOrPaths) -> str:
    """A sentence without the folder of its file: a notification shows one line of it at first."""
    first = Path(path if isinstance(path, str | Path) else next(iter(path)))
    return text.replace(f"{first.parent}{os.sep}", "") if first.parent.name else text


def _below(viewer: Any, images: list[LayerData], stack: LayerData) -> Generator[None, None, None]:
    """Add images below the layer that was made of `stack`, one at each step."""
    told = stack[1]["metadata"][KEY]
    for made in images:
        above = next((layer for layer in viewer.layers if info_of(layer) is told), None)
        if above is None:  # napari has not taken it, or the user has removed it already
            return
        active = viewer.layers.selection.active
        add_layer(viewer, made, below=above)
        viewer.layers.selection.active = active
        yield


def show_error(text: str) -> None:
    """Show a sentence as a notification of napari."""
    from napari.utils.notifications import show_error as show

    show(text)


def read(path: PathOrPaths) -> list[LayerData]:
    """Open one file, a folder, or several files that belong together (a map each) as napari layers."""
    from friedel.io import open_stack

    if is_points(path):
        return [tables.table_layer(one) for one in ([path] if isinstance(path, str | Path) else path)]
    source: Any = path if isinstance(path, str | Path) else list(path)
    if isinstance(source, list) and len(source) == 1:
        source = source[0]
    try:
        return stack_layers(open_stack(source))
    except StackError:
        # A single map in nm without a bias voltage (an exported S, a Gwyddion field) is worth showing too.
        if isinstance(source, str | Path) and Path(source).suffix.lower() in (".gsf", ".nc"):
            try:
                return [read_single_map(source)]
            except StackError:
                pass
        raise


def is_points(path: PathOrPaths) -> bool:
    """Whether a path that the user named is a table of points: one of ours, or no other known format."""
    from friedel.io import sniff

    first = path if isinstance(path, str | Path) else next(iter(path), "")
    if Path(first).suffix.lower() not in tables.SUFFIXES:
        return False
    return tables.is_table(first) or (Path(first).is_file() and sniff(first) is None)


def read_single_map(path: str | Path, kind: str = "image") -> LayerData:
    """Open a map without a bias voltage, as `friedel.io.maps.write_map` and Gwyddion write it.

    Raises
    ------
    StackError
        If the file is not a single map.
    """
    from friedel.io.maps import read_map
    from friedel.stack import make_stack

    found = read_map(path)
    x, y = found["x"].to_numpy(), found["y"].to_numpy()
    pitch = tuple(float(axis[1] - axis[0]) if len(axis) > 1 else 1.0 for axis in (y, x))
    # The stack only carries the geometry: nothing is known about the bias.
    carrier = make_stack({"map": found.to_numpy()[None]}, bias_mv=[0.0], pixel_nm=pitch, source=str(path))  # type: ignore[arg-type]
    return map_layer(carrier.assign_coords(x=x, y=y), found.to_numpy(), kind, f"{Path(path).stem} · map")
