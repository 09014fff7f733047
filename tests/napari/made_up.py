"""Small stacks and made-up detections: what the docks do is tested here, not what the network finds."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from friedel.detections import Detections
from friedel.progress import Progress
from friedel.stack import make_stack, pixel_pitch, tip_position


def build_stack(rows: int = 24, columns: int = 30, **attributes: Any) -> xr.Dataset:
    """A stack with a tilted, shifted frame, falling uneven bias and a topograph."""
    random = np.random.default_rng(3)
    bias = np.array([60.0, 30.0, 20.0, -10.0, -50.0])
    data = random.normal(size=(len(bias), rows, columns)) + np.arange(len(bias))[:, None, None]
    options: dict[str, Any] = {
        "scan_centre_x_nm": 12.0,
        "scan_centre_y_nm": -7.0,
        "scan_angle_deg": 30.0,
        "source": "field.3ds",
    }
    return make_stack(
        {"LockinX": data, "Current": data.cumsum(axis=0)},
        bias_mv=bias,
        pixel_nm=(0.4, 0.3),
        units={"LockinX": "V", "Current": "A"},
        images={"Z": random.normal(size=(rows, columns))},
        **{**options, **attributes},
    )


def build_detections(
    stack: xr.Dataset,
    positions: Any = ((3.2, 4.1), (10.0, 20.5), (15.5, 7.25), (20.0, 25.0)),
    probability: Any = (0.95, 0.8, 0.55, 0.2),
    area: Any = None,
    **provenance: Any,
) -> Detections:
    """Detections at given positions, complete as the detector would give them."""
    rows, columns = np.asarray(positions, dtype=float).reshape(-1, 2).T
    pitch_y, pitch_x = pixel_pitch(stack)
    x, y = columns * pitch_x, rows * pitch_y
    tip_x, tip_y = tip_position(stack, x, y)
    p = np.asarray(probability, dtype=float)[: len(rows)]
    table = pd.DataFrame(
        {
            "row": rows,
            "column": columns,
            "x_nm": x,
            "y_nm": y,
            "tip_x_nm": tip_x,
            "tip_y_nm": tip_y,
            "probability": p,
            "s": np.log(p / (1 - p)),
            "sigma_nm": 0.05,
        }
    )
    area = area or ((0, stack.sizes["y"]), (0, stack.sizes["x"]))
    shape = tuple(stop - start for start, stop in area)
    s = np.linspace(-3, 3, int(np.prod(shape))).reshape(shape).astype(np.float32)
    return Detections(
        table, 0.5, s, 1 / (1 + np.exp(-s)), area, {"model": "friedel", "warnings": [], **provenance}
    )


def quick(stack: xr.Dataset, **options: Any) -> Generator[Progress, None, Detections]:
    """A detector that answers at once."""
    yield Progress(0.5, "tile 1 of 2")
    return build_detections(stack, area=options.get("area"))
