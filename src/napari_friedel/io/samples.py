"""File ▸ Open Sample: simulated fields with known impurities, made when they are asked for.

napari wants the layers of a sample at once. In a running window they are made in a thread, with a bar in the activity
dock, and added when they are there; a script gets them as napari's API promises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.geometry import true_positions
from napari_friedel.layers.info import KEY, LayerInfo, kind_of
from napari_friedel.layers.stack_layers import LayerData, add_layer, map_layer, stack_layers

if TYPE_CHECKING:
    from collections.abc import Generator

    from friedel.progress import Progress

#: Samples that are being made, by their title, with the job that must stay alive.
_making: dict[str, Any] = {}


def show_error(text: str) -> None:
    """Show a sentence as a notification of napari."""
    from napari.utils.notifications import show_error as show

    show(text)


def _sample(material: str, title: str, **options: object) -> list[LayerData]:
    def layers() -> list[LayerData]:
        from friedel.physics.simulate import simulate  # loads torch

        stack = simulate(material=material, **options)  # type: ignore[arg-type]
        stack.attrs["source"] = stack.attrs.get("source") or title
        return [*stack_layers(stack, name=title), *_truth(stack, title)]

    from napari_friedel.turns import in_event_loop

    if not in_event_loop():
        return layers()
    if title not in _making:
        _make(title, layers)
    return [_placeholder(title)]


def _placeholder(title: str) -> LayerData:
    """An empty layer that says what is being made: napari takes no sample for nothing."""
    info = LayerInfo("waiting")
    name = f"{title.removesuffix(' simulated')} is being simulated…"
    return (
        np.zeros((0, 2)),
        {"name": name, "metadata": {KEY: info}, "units": ("nm", "nm"), "axis_labels": ("y", "x")},
        "points",
    )


def _clear(viewer: Any) -> None:
    for layer in [x for x in viewer.layers if kind_of(x) == "waiting"]:
        viewer.layers.remove(layer)


def _adding(viewer: Any, layers: list[LayerData]) -> Generator[None, None, None]:
    _clear(viewer)
    for layer in layers:
        yield
        add_layer(viewer, layer)


def _make(title: str, layers: Any) -> None:
    from napari.utils.notifications import show_info

    import napari
    from friedel.progress import Progress
    from napari_friedel.endings import is_closed
    from napari_friedel.jobs import Job
    from napari_friedel.layers.viewing import attach
    from napari_friedel.turns import in_turns

    viewer = napari.current_viewer()
    job = Job(name=f"simulation of {title}")
    _making[title] = job
    show_info(f"Simulating {title.removesuffix(' simulated')}: multiple scattering takes some seconds.")

    def work() -> Generator[Progress, None, Any]:
        yield Progress(0.0, "simulating")
        return layers()

    def made(found: list[LayerData]) -> None:
        _making.pop(title, None)
        if viewer is not None and not is_closed(viewer):
            attach(viewer)
            in_turns(_adding(viewer, found), viewer=viewer)

    def failed(text: str, _details: str) -> None:
        _making.pop(title, None)
        if viewer is not None:
            _clear(viewer)
        show_error(f"{title} could not be simulated. {text}")

    job.returned.connect(made)
    job.failed.connect(failed)
    job.cancelled.connect(lambda: _making.pop(title, None))
    job.start(work)


def _truth(stack, title: str) -> list[LayerData]:  # type: ignore[no-untyped-def]
    """The impurities that were put in, as a hidden Points layer to compare with."""
    layer = map_layer(stack, np.zeros((2, 2)), "truth", f"{title} · truth")[1]
    for key in ("colormap", "contrast_limits"):
        layer.pop(key)
    layer.update(size=1.6, symbol="cross", face_color="#ffb000", border_width=0, visible=False)
    return [(true_positions(stack), layer, "points")]


def au111() -> list[LayerData]:
    """Open the field of arXiv 2006.15898, simulated: Au(111), 80×80 pixels, 126 voltages, 37.5 nm."""
    return _sample("au111", "Au(111) simulated", seed=0)


def ag111() -> list[LayerData]:
    """Open Ag(111): longer waves, unoccupied states, finer pixels."""
    return _sample(
        "ag111",
        "Ag(111) simulated",
        shape=(96, 96),
        pixel_nm=0.6,
        bias_mv=np.arange(20.0, 241.0, 4.0),
        impurities=30,
        seed=1,
    )


def cu111() -> list[LayerData]:
    """Open Cu(111): a larger field, a few uneven voltages."""
    bias = np.array([-200.0, -150.0, -110.0, -80.0, -50.0, -30.0, -10.0, 10.0, 40.0, 80.0])
    return _sample(
        "cu111", "Cu(111) simulated", shape=(120, 120), pixel_nm=0.4, bias_mv=bias, impurities=50, seed=2
    )
