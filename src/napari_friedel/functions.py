"""One-shot actions: what a right click on a layer offers, the table beside the map, a run as Python or as a command."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from friedel.errors import FriedelError
from friedel.settings import PrepareSettings
from friedel.settings.copying import flags_of
from napari_friedel.layers import viewing
from napari_friedel.layers.info import kind_of
from napari_friedel.layers.stack_layers import file_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from friedel.stack import Area

PLUGIN = "napari-friedel"
TABLE = ("napari", "Features table widget")


def activate(context: Any = None) -> None:
    """Attach to the open viewer and enter our actions into napari's menus; npe2 calls this once per process."""
    viewing.activate(context)
    register_menu()


# --- repeat a run -------------------------------------------------------------------------------------------------


def options_of(dock: Any) -> tuple[str, dict[str, Any]]:
    """The file of the dock's stack, and what its detection is called with, without what is the default.

    Raises
    ------
    FriedelError
        If the stack was made in this session and lies in no file.
    """
    stack, channel = dock.current()
    source = file_of(stack) or str(stack.attrs.get("source", ""))
    if not source:
        raise FriedelError("This stack lies in no file: save it first, then a command can name it.")
    area: Area | None = dock.current_area()
    options: dict[str, Any] = {"channel": channel, "area": area, "model": dock.model.currentData()}
    defaults = {"method": "network", "tiles": "blend", "device": "auto", "refit": None, "model": "friedel"}
    options.update(dock.options.values())
    prepare = dock.prepare.settings()
    options["prepare"] = None if prepare == PrepareSettings() else prepare
    return source, {k: v for k, v in options.items() if v is not None and defaults.get(k) != v}


def copy_python(dock: Any) -> None:
    """Put Python that repeats the detection of the dock on the clipboard."""
    from napari_friedel.widgets import copying

    source, options = options_of(dock)
    band = dock.band.dispersion()
    head = ""
    if "prepare" in options:
        given = ", ".join(f"{name}={value!r}" for name, value in options["prepare"].changed().items())
        options["prepare"] = copying.Literal(f"PrepareSettings({given})")
        head = "from friedel.settings import PrepareSettings\n"
    if band is not None:
        options["dispersion"] = copying.Literal(f"Dispersion({band.onset_mev!r}, {band.mass!r})")
        head = "from friedel.physics.dispersion import Dispersion\n" + head
    copying.to_clipboard(head + copying.as_python(source, options))
    dock.message.info("Copied: paste it into a notebook.")


def copy_command(dock: Any) -> None:
    """Put a command that repeats the detection of the dock on the clipboard."""
    from napari_friedel.widgets import copying

    source, options = options_of(dock)
    band = dock.band.dispersion()
    prepare = options.pop("prepare", None)
    if band is not None:
        options.update(onset_mev=band.onset_mev, mass=band.mass)
    flags = flags_of(prepare) if prepare is not None else ()
    copying.to_clipboard(copying.as_command(source, options, flags))
    dock.message.info("Copied: paste it into a terminal.")


def open_table(viewer: Any, layer: Any) -> Any:
    """Show napari's own table of a layer's features, which follows the active layer."""
    if layer is None:
        raise FriedelError("There is no result yet: press “Detect” first.")
    viewer.layers.selection.active = layer
    window = getattr(viewer, "window", None)
    if window is None:
        raise FriedelError("A table needs napari's window.")
    return window.add_plugin_dock_widget(*TABLE, tabify=False)[0]


# --- the context menu of the layer list ---------------------------------------------------------------------------


def dock_of(viewer: Any, name: str) -> Any:
    """Open (or raise) one of our docks and return it."""
    from napari_friedel.widgets.tabs import bring_up

    dock = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)[1]
    bring_up(dock)
    return dock


def detect_here(viewer: Any) -> None:
    """Detect the impurities of the active stack with the settings of the Detect dock."""
    dock = dock_of(viewer, "Detect")
    dock.stack.choose(_stack(viewer))
    dock.safely(dock.detect)()


def compare_here(viewer: Any) -> None:
    """Compare the active stack's result, or take the active map as the reference."""
    dock = dock_of(viewer, "Compare")
    active = viewer.layers.selection.active
    if kind_of(active) == "stack":
        dock.stack.choose(active)
    elif type(active).__name__ == "Image":
        dock.map.choose(active)
    dock.safely(dock.compare)()


def waves_here(viewer: Any) -> None:
    """Show or hide the waves of the active stack."""
    dock = dock_of(viewer, "Detect")
    dock.stack.choose(_stack(viewer))
    dock.safely(dock.show_waves)()


def fit_here(viewer: Any) -> None:
    """Show the fitted waves and the residual of the active stack at the slider's bias."""
    dock = dock_of(viewer, "Detect")
    dock.stack.choose(_stack(viewer))
    dock.fit.waves.click()


def missed_here(viewer: Any) -> None:
    """Show what could have been missed on the active stack."""
    dock = dock_of(viewer, "Detect")
    dock.stack.choose(_stack(viewer))
    dock.fit.missed.click()


def fit_points_here(viewer: Any) -> None:
    """Fit the waves of the active points on the current stack."""
    dock = dock_of(viewer, "Detect")
    dock.fit.points.choose(viewer.layers.selection.active)
    dock.fit.fit.click()


def python_here(viewer: Any) -> None:
    """Copy Python that repeats the detection of the active stack."""
    dock = dock_of(viewer, "Detect")
    dock.stack.choose(_stack(viewer))
    dock.safely(lambda: copy_python(dock))()


def adopt_here(viewer: Any) -> None:
    """Make the active points a result of the current stack."""
    dock = dock_of(viewer, "Detect")
    dock.points.choose(viewer.layers.selection.active)
    dock.safely(dock.adopt_points)()


EITHER = "active_layer_type == 'image' or active_layer_type == 'points'"
MENU: tuple[tuple[str, str, Callable[[Any], None], str], ...] = (
    ("detect_here", "Detect impurities here", detect_here, "active_layer_type == 'image'"),
    ("compare_here", "Compare with the reference", compare_here, EITHER),
    ("waves_here", "Show the waves", waves_here, "active_layer_type == 'image'"),
    ("fit_here", "Show the fitted waves and the residual", fit_here, EITHER),
    ("missed_here", "Show what could be missed", missed_here, "active_layer_type == 'image'"),
    ("fit_points_here", "Fit the waves of these points", fit_points_here, "active_layer_type == 'points'"),
    ("python_here", "Copy detection as Python", python_here, "active_layer_type == 'image'"),
    ("adopt_here", "Adopt as impurities", adopt_here, "active_layer_type == 'points'"),
)
_registered: list[bool] = []


def register_menu() -> None:
    """Enter our actions into the context menu of napari's layer list, once per process.

    napari's manifest has no door to this menu; where its application model has changed, the menu stays as it is.
    """
    if _registered:
        return
    _registered.append(True)
    with contextlib.suppress(Exception):
        from app_model.expressions import parse_expression
        from app_model.types import Action, MenuRule
        from napari._app_model import get_app_model

        get_app_model().register_actions(
            [
                Action(
                    id=f"{PLUGIN}.{name}",
                    title=title,
                    callback=_with_viewer(function),
                    menus=[
                        MenuRule(id="napari/layers/context", group="0_friedel", when=parse_expression(when))
                    ],
                    palette=False,
                )
                for name, title, function, when in MENU
            ]
        )


def _with_viewer(function: Callable[[Any], None]) -> Callable[[], None]:
    def run() -> None:
        import napari

        viewer = napari.current_viewer()
        if viewer is not None:
            function(viewer)

    return run


def _stack(viewer: Any) -> Any:
    active = viewer.layers.selection.active
    return (
        active
        if type(active).__name__ == "Image" and active.ndim == 3
        else viewing.attach(viewer).stack_layer()
    )
