"""A simulator that shares no code with the package: single scattering, LDOS ∝ Re[s H₀⁽¹⁾(kr)²]."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.special import hankel1

from friedel.physics.dispersion import MATERIALS, Dispersion
from friedel.stack import make_stack

# hankel1 per pixel takes most of a test's time; straight lines between these nodes are right to 1e-5.
_X = np.arange(0.05, 400, 0.002)
_H2 = hankel1(0, _X) ** 2


def hankel_squared(x: np.ndarray) -> np.ndarray:
    return np.interp(x, _X, _H2.real) + 1j * np.interp(x, _X, _H2.imag)


class SyntheticField:
    """A stack with its true positions (row, column) [px]."""

    def __init__(self, stack: xr.Dataset, truth: np.ndarray, dispersion: Dispersion) -> None:
        self.stack, self.truth, self.dispersion = stack, truth, dispersion
        self.bias = stack["bias"].to_numpy()
        self.maps = stack["LockinX"].to_numpy()
        self.k_px = dispersion.k(self.bias) * float(stack["x"][1] - stack["x"][0])


def make_synthetic(  # noqa: PLR0913 - what a field is made of
    *,
    impurities: int = 20,
    shape: tuple[int, int] = (64, 64),
    pixel_nm: float | tuple[float, float] = 0.469,
    bias: np.ndarray | None = None,
    dispersion: str = "au111",
    noise: float = 0.8,
    seed: int = 0,
    spread: float = 0.0,
    core: float = 1.0,
) -> SyntheticField:
    """Scatterers at random places at least 3 px apart; `spread` [rad] is the spread of their phases."""
    rng = np.random.default_rng(seed)
    bias = np.arange(-230, 21, 10.0) if bias is None else bias
    band = MATERIALS[dispersion]
    pitch_y, pitch_x = (pixel_nm, pixel_nm) if np.isscalar(pixel_nm) else pixel_nm
    truth = np.zeros((0, 2))
    while len(truth) < impurities:
        point = rng.uniform(2, np.array(shape) - 3)
        if not len(truth) or np.hypot(*(truth - point).T).min() > 3:
            truth = np.vstack([truth, point])
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    phases = 1.2 + spread * rng.uniform(-1, 1, impurities)
    k = band.k(bias)
    maps = np.zeros((len(bias), *shape))
    for (r, c), phase in zip(truth, phases, strict=True):
        distance = np.hypot((rows - r) * pitch_y, (columns - c) * pitch_x)
        distance = np.maximum(distance, core * pitch_x)
        amplitude = (np.exp(2j * (phase + 3e-4 * bias)) - 1) / 2
        maps += np.where(np.isfinite(k), 1, 0)[:, None, None] * np.nan_to_num(
            np.real(amplitude[:, None, None] * hankel_squared(k[:, None, None] * distance))
        )
    scale = maps.std(axis=(1, 2), keepdims=True)
    maps = maps / np.where(scale > 0, scale, 1) + noise * rng.standard_normal(maps.shape)
    stack = make_stack({"LockinX": 1 + 0.1 * maps}, bias_mv=bias, pixel_nm=(pitch_y, pitch_x))
    return SyntheticField(stack, truth, band)


@pytest.fixture(scope="session")
def simulated() -> SyntheticField:
    return make_synthetic()


@pytest.fixture
def hits():
    """Count of true positions that have a found one within a tolerance, one to one."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    def count(found: np.ndarray, truth: np.ndarray, tolerance: float = 1.0) -> int:
        distance = cdist(np.asarray(found).reshape(-1, 2), truth)
        cost = np.where(distance <= tolerance, distance - 1e3, 0)
        pairs = linear_sum_assignment(cost)
        return int((distance[pairs] <= tolerance).sum())

    return count
