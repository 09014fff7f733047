"""``napari-friedel [FILES]``: open napari with our docks; torch is loaded before Qt, as Windows needs it."""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from napari_friedel.layers import LayerData

PLUGIN = "napari-friedel"
#: In the order of work; the one that is opened last is in front.
DOCKS = ("Import", "Compare", "Fine-tune", "Inspect", "Folder", "Detect")


def main(argv: Sequence[str] | None = None) -> int:
    """Start napari with the docks open and the named files loaded.

    Returns
    -------
    int
        Exit code: 0, or 2 if a file could not be opened.
    """
    parser = argparse.ArgumentParser(prog="napari-friedel", description=__doc__)
    parser.add_argument("files", nargs="*", help="dI/dV files and tables of points to open")
    parser.add_argument("--sample", choices=["au111", "ag111", "cu111"], help="open a simulated field")
    args = parser.parse_args(argv)
    # On Windows torch's libraries refuse to load once Qt's are in the process (WinError 1114).
    with contextlib.suppress(ImportError):
        import torch  # noqa: F401
    import napari

    viewer = open_viewer(args.files, sample=args.sample)
    if viewer is None:
        return 2
    napari.run()
    return 0


def open_viewer(files: Sequence[str] = (), *, sample: str | None = None, show: bool = True):  # type: ignore[no-untyped-def]
    """Make a viewer with the docks in tabs and the files open.

    Parameters
    ----------
    files : sequence of str
    sample : str, optional
        Key of a sample, for example ``"au111"``.
    show : bool
        Whether the window is shown.

    Returns
    -------
    napari.Viewer or None
        None if napari is too old or a file could not be opened (the reason is on stderr).
    """
    from qtpy.QtCore import QTimer

    import napari
    from friedel.errors import FriedelError
    from napari_friedel.endings import is_closed
    from napari_friedel.io.reader import is_points, read
    from napari_friedel.io.tables import table_layer
    from napari_friedel.layers import add_layer, kind_of
    from napari_friedel.layers.adopt import adopt, adoptable
    from napari_friedel.layers.versions import check_napari, fit_to_view
    from napari_friedel.layers.viewing import attach
    from napari_friedel.resident import let_stay

    try:
        check_napari()
    except FriedelError as error:
        print(f"napari-friedel: {error}", file=sys.stderr)
        return None
    layers: list[LayerData] = []
    # Points last: on top, and on the stack that is opened with them.
    for path in sorted(files, key=is_points):
        # Read first: a bad file ends in one line, not in an empty window.
        try:
            layers += [table_layer(path, _only_stack(layers))] if is_points(path) else read(path)
        except (FriedelError, OSError) as error:
            print(f"napari-friedel: {' '.join(str(error).split())}", file=sys.stderr)
            return None
    viewer = napari.Viewer(title="napari-friedel", show=show)
    with contextlib.suppress(
        ImportError
    ):  # napari's table of units is read at the first layer otherwise: a hitch
        import pint

        pint.Unit("nm")
    let_stay(viewer)
    attach(viewer)
    added = [add_layer(viewer, layer) for layer in layers]
    stacks = [layer for layer in added if kind_of(layer) == "stack"]
    if len(stacks) == 1:  # tables that are named beside one stack are results of it
        for layer in added:
            if adoptable(layer):
                with contextlib.suppress(FriedelError):  # of another field: it stays a table
                    viewer.layers.selection.active = adopt(viewer, stacks[0], layer)
    if sample:
        viewer.open_sample(PLUGIN, sample)
    for name in DOCKS:
        viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    # The docks have taken their room from the canvas, which knows it after the next round of events.
    QTimer.singleShot(0, lambda: None if is_closed(viewer) else fit_to_view(viewer))
    return viewer


def _only_stack(layers: list[LayerData]) -> xr.Dataset | None:
    """The stack among layers to be, if there is exactly one."""
    from napari_friedel.layers.info import KEY, StackInfo

    known = [kwargs["metadata"][KEY] for _, kwargs, _ in layers]
    stacks = [info.stack for info in known if isinstance(info, StackInfo)]
    return stacks[0] if len(stacks) == 1 else None


if __name__ == "__main__":
    raise SystemExit(main())
