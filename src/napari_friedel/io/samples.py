"""File ▸ Open Sample: simulated fields with known impurities, made when they are asked for.

napari wants the layers of a sample at once, and takes none later: the window is kept drawing while they are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from friedel.stack import DIMS
from napari_friedel.layers import LayerData, map_layer, stack_layers

if TYPE_CHECKING:
    import xarray as xr


def _sample(material: str, title: str, **options: object) -> list[LayerData]:
    from napari.utils.notifications import show_info

    from napari_friedel.jobs import draw_while

    def work() -> xr.Dataset:
        from friedel.physics.simulate import simulate  # loads torch

        return simulate(material=material, **options)  # type: ignore[arg-type]

    show_info(f"Simulating {title.removesuffix(' simulated')}: multiple scattering takes some seconds.")
    stack = draw_while(work)
    stack.attrs["source"] = stack.attrs.get("source") or title
    assert all(dim in stack.dims for dim in DIMS)
    return [*stack_layers(stack, name=title), *_truth(stack, title)]


def _truth(stack, title: str) -> list[LayerData]:  # type: ignore[no-untyped-def]
    """The impurities that were put in, as a hidden Points layer to compare with."""
    import numpy as np

    rows = np.atleast_1d(stack.attrs["truth_row"])
    columns = np.atleast_1d(stack.attrs["truth_column"])
    layer = map_layer(stack, np.zeros((2, 2)), "truth", f"{title} · truth")[1]
    for key in ("colormap", "contrast_limits"):
        layer.pop(key)
    layer.update(size=1.6, symbol="cross", face_color="#ffb000", border_width=0, visible=False)
    return [(np.column_stack([rows, columns]), layer, "points")]


def au111() -> list[LayerData]:
    """Open the field of arXiv 2006.15898, simulated: Au(111), 80×80 pixels, 126 voltages, 37.5 nm."""
    return _sample("au111", "Au(111) simulated", seed=0)


def ag111() -> list[LayerData]:
    """Open Ag(111): longer waves, unoccupied states, finer pixels."""
    import numpy as np

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
    import numpy as np

    bias = np.array([-200.0, -150.0, -110.0, -80.0, -50.0, -30.0, -10.0, 10.0, 40.0, 80.0])
    return _sample(
        "cu111", "Cu(111) simulated", shape=(120, 120), pixel_nm=0.4, bias_mv=bias, impurities=50, seed=2
    )
