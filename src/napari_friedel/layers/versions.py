"""Parts of napari's viewer that changed their place between napari 0.6.6, the oldest that is tested, and 0.9."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from friedel.errors import FriedelError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The oldest napari that the plugin is tested with.
OLDEST = (0, 6, 6)
#: Lose two references to `None` at every single shot of a timer.
BROKEN_PYSIDE = ("6.12.0",)


class BrokenBindingError(FriedelError):
    """The Qt binding ends the process after a while."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"PySide6 {version} does not work with Python before 3.12: after some minutes it aborts the process. "
            "Install another: python -m pip install 'PySide6<6.12'"
        )


class OldNapariError(FriedelError):
    """The napari that runs is older than the plugin needs."""

    def __init__(self, version: str) -> None:
        oldest = ".".join(map(str, OLDEST))
        super().__init__(
            f"napari-friedel needs napari {oldest} or later, and this is napari {version}. "
            f"Update it with: python -m pip install -U 'napari[all]>={oldest}'"
        )


def check_napari() -> None:
    """Refuse a napari, or a Qt binding, with which the plugin cannot work.

    Raises
    ------
    OldNapariError
        If napari is older than `OLDEST`. A version that cannot be read, as of a development build, passes.
    BrokenBindingError
        If PySide6 is one of `BROKEN_PYSIDE` and this Python counts references to `None`.
    """
    import qtpy

    import napari

    version = str(napari.__version__)
    numbers = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    if numbers and tuple(int(part or 0) for part in numbers.groups()) < OLDEST:
        raise OldNapariError(version)
    binding = str(qtpy.PYSIDE_VERSION)
    if qtpy.PYSIDE6 and binding in BROKEN_PYSIDE and sys.version_info < (3, 12):
        raise BrokenBindingError(binding)


def text_overlay(viewer: Any) -> Any:
    """Overlay of the text in the canvas' corner."""
    return viewer.canvas.overlays.text if hasattr(viewer, "canvas") else viewer.text_overlay


def scale_bar(viewer: Any) -> Any:
    """Overlay of the scale bar."""
    return viewer.canvas.overlays.scale_bar if hasattr(viewer, "canvas") else viewer.scale_bar


def canvas_widget(viewer: Any) -> Any:
    """Qt's widget that draws the layers, or None: napari has no public way to it."""
    window = getattr(getattr(viewer, "window", None), "_qt_viewer", None)
    return getattr(getattr(window, "canvas", None), "native", None)


def camera(viewer: Any) -> Any:
    """Camera that shows the layers."""
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


def name_sliders(viewer: Any, labels: Sequence[str]) -> None:
    """Name the sliders after a layer's axes where they bear numbers: napari 0.6 does not do so itself."""
    now = tuple(viewer.dims.axis_labels)
    last = now[-len(labels) :]
    if len(last) == len(labels) and all(label.lstrip("-").isdigit() for label in last):
        viewer.dims.axis_labels = (*now[: -len(labels)], *labels)


def fit_to_view(viewer: Any) -> None:
    """Show all layers, and leave the camera's angles where napari can."""
    (getattr(viewer, "fit_to_view", None) or viewer.reset_view)()
