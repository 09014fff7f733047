"""A small field for fits: what the model says, and white noise."""

import numpy as np

from friedel.benchmark.settings import Setting
from friedel.benchmark.synthetic import SyntheticField
from friedel.refit.bias_binning import bin_bias
from friedel.refit.joint_fit.data import FitData
from friedel.refit.joint_fit.state import FitState
from friedel.refit.joint_fit.step import begin
from friedel.stack import didv, normalise

#: No disturbance: what is left is the model, exactly, and white noise.
EXACT = Setting(
    shape=(36, 36),
    bias_mv=tuple(float(v) for v in range(-230, 21, 25)),
    impurities=8,
    noise=0.3,
    jitter_pm=0.0,
    rows=0.0,
    herringbone=False,
    cores="replaced",
    margin_nm=1.5,
)


def joint_fit(
    simulated: SyntheticField, points: np.ndarray, *, confident: np.ndarray | None = None, bins: int = 16
) -> tuple[FitData, FitState]:
    """A joint fit of a synthetic field that begins at these points."""
    maps = normalise(didv(simulated.stack).to_numpy())
    data = FitData.from_maps(bin_bias(maps, simulated.k, bins), np.ones(maps.shape[1:], bool))
    return data, begin(data, points, np.full(len(points), 0.3), confident)
