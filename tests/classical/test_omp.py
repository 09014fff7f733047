import warnings

import numpy as np
import pytest
from scipy.spatial import cKDTree

from friedel.classical.detect import iter_omp
from friedel.classical.matched_field import Template, pool
from friedel.classical.omp import _Model, _move, iter_pursue
from friedel.progress import Progress, drain
from friedel.stack import normalise


@pytest.fixture(scope="module")
def fit(simulated):
    steps = []
    maps, k = pool(normalise(simulated.maps), simulated.k_px)
    result = drain(iter_pursue(maps, k), steps.append)
    assert len(steps) > 3 and all(isinstance(step, Progress) for step in steps)
    return result


def test_all_are_found_and_nothing_else(fit, simulated, hits):
    assert len(fit.positions) == len(simulated.truth)
    assert hits(fit.positions, simulated.truth, 0.5) == len(simulated.truth)


def test_sigma_is_the_error(fit, simulated):
    error = cKDTree(fit.positions).query(simulated.truth)[0]
    # The median of a two-dimensional normal distribution's length is 1.18 standard deviations an axis.
    assert 0.5 < np.median(error) / 1.18 / np.median(fit.sigma) < 2


def test_gaps_do_no_harm(simulated, hits):
    maps = simulated.maps.copy()
    maps[:, 20:26] = np.nan
    maps[3, 40:44, 40:44] = np.nan
    pooled, k = pool(normalise(maps), simulated.k_px)
    fit = drain(iter_pursue(pooled, k))
    far = (simulated.truth[:, 0] < 19) | (simulated.truth[:, 0] > 26)
    assert hits(fit.positions, simulated.truth[far]) >= far.sum() - 1
    assert len(fit.positions) <= len(simulated.truth) + 1


def test_noise_alone_gives_nothing():
    rng = np.random.default_rng(5)
    found = [
        len(
            drain(
                iter_pursue(normalise(rng.standard_normal((6, 48, 48))), np.linspace(0.7, 0.9, 6))
            ).positions
        )
        for _ in range(8)
    ]
    assert sum(found) <= 2


def test_a_scatterer_beyond_one_corner_reaches_the_opposite_one():
    shape = (40, 40)
    maps = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    model = _Model(maps, np.array([0.7, 0.8]), np.ones(shape, bool), Template())
    corner = _move(np.full((1, 2), 39.0), np.full((1, 2), 0.5), shape)
    for _ in range(20):  # as far out as a point may go
        corner = _move(corner, np.full((1, 2), 0.5), shape)
    t, _, _ = model.fit(corner, curvature=True)
    assert np.isfinite(t).all()


def test_without_pooling_every_map_is_fitted(simulated, hits):
    mask = np.ones(simulated.maps.shape[1:], bool)
    maps = normalise(simulated.maps)
    each = drain(iter_omp(maps, simulated.k_px, mask, pooling=False))
    assert (
        each.method["voltage_groups"]
        == len(simulated.k_px)
        > drain(iter_omp(maps, simulated.k_px, mask)).method["voltage_groups"]
    )
    assert hits(each.table[["row", "column"]].to_numpy(), simulated.truth, 0.5) == len(simulated.truth)


def test_a_map_of_zeros_stops_no_pursuit(simulated):
    maps = normalise(simulated.maps[:4])
    maps[2] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        found = drain(iter_omp(maps, simulated.k_px[:4], np.ones(maps.shape[1:], dtype=bool), pooling=False))
    assert np.isfinite(found.table["probability"]).all()
