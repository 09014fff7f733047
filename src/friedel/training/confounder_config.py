"""How often training scenes are confounded, and how strongly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from friedel.training.confounder_shapes import Bounds


@dataclass(frozen=True)
class ConfounderConfig:
    """How many training scenes are confounded, and how strongly; heights are in rms of the waves, log-uniform.

    Parameters
    ----------
    share : float
        Of all scenes.
    strength : float
        Factor of all heights.
    empty : float
        Share of the confounded scenes without any impurity.
    second : float
        Share of the confounded scenes with a second confounder.
    split : float
        Share of the scenes with a step edge across which the waves are another scene's, where the batch
        has one of the same wavevectors.
    prepared : float
        Share of all scenes, confounded or not, that pass `prepare_cheaply`.
    """

    share: float = 0.5
    strength: float = 1.0
    empty: float = 0.4
    second: float = 0.35
    split: float = 0.05
    prepared: float = 0.6
    waves: Bounds = (0.3, 4.0)  # standing waves at an edge
    terrace: Bounds = (0.5, 12.0)
    line: Bounds = (0.5, 8.0)  # on the edge itself
    island: Bounds = (0.7, 12.0)
    spot: Bounds = (0.7, 14.0)
    pattern: Bounds = (0.2, 5.0)
    background: Bounds = (0.5, 6.0)
    noise: Bounds = (0.3, 1.5)
    lines: Bounds = (1.0, 15.0)
    spectra: Bounds = (2.0, 25.0)
    hum: Bounds = (0.3, 3.0)
    smoothing: Bounds = (0.5, 1.6)  # of noise [px]
    blur: Bounds = (0.4, 1.5)  # [px]
    ghost: Bounds = (0.15, 0.7)  # second tip's share
    level: Bounds = (0.03, 0.3)  # rms that the waves of an empty field would have
