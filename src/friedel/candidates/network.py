"""The network's candidates: a forward pass over all tiles, then the maxima of S with their calibrated probability."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from friedel._util.work import HERE, Work
from friedel.candidates.peaks import candidates
from friedel.candidates.result import Candidates
from friedel.candidates.tiling import iter_run, layout
from friedel.errors import FriedelError, ModelError

if TYPE_CHECKING:
    from collections.abc import Generator

    from friedel.models.runtime import DetectionModel
    from friedel.progress import Progress

#: Candidates less probable than this are not listed.
FLOOR = 0.01


def give_back_memory(model: DetectionModel) -> None:
    """Give a GPU's cached memory back to the other programs on it."""
    if model.device.type == "cuda":
        import torch

        torch.cuda.empty_cache()


def iter_network(
    maps: np.ndarray,
    k: np.ndarray,
    mask: np.ndarray,
    model: DetectionModel,
    tiles: str = "blend",
    work: Work = HERE,
) -> Generator[Progress, None, Candidates]:
    """Candidates of a network.

    Parameters
    ----------
    maps : array, shape (bias, rows, columns), float32
        Mean 0, root mean square 1, 0 where not acquired.
    k : array, shape (bias,)
        Wavevectors [rad/px], ascending.
    mask : array of bool, shape (rows, columns)
    model : Model or LightModel
    tiles : {"blend", "paper"}
        See `friedel.candidates.tiling`.
    work : Work
        Where the tiles are computed.

    Yields
    ------
    Progress
        Once per tile.

    Raises
    ------
    ModelError
        If the network cannot be applied to these maps.
    """
    cut = layout(model, tiles)
    try:
        out = yield from iter_run(model, maps, k, mask, cut, work)
    except FriedelError:
        raise
    except RuntimeError as error:  # torch's out-of-memory and shape errors
        raise ModelError(f"The model {model.name!r} failed on this stack: {error}") from error
    finally:
        give_back_memory(model)
    probability = np.asarray(model.probability(out.s), dtype=np.float32)
    # The scale with which σ covers its share of the errors, from the model's calibration.
    sigma = None if out.sigma is None else float(model.header.get("sigma_scale", 1.0)) * out.sigma
    table = candidates(out.s, probability, offset=out.offset, sigma=sigma, floor=min(FLOOR, model.threshold))
    method = {
        "model": model.name,
        "model_sha256": model.sha256,
        "architecture": str(model.header.get("architecture", "")),
        "k_range": [float(v) for v in model.k_range],
        "tiles": asdict(cut),
        "device": str(model.device),
        "runtime": model.runtime,
    }
    return Candidates(table, out.s, probability, model.threshold, True, model.knows_empty, method)
