import numpy as np
import pytest
from scipy.spatial import cKDTree

from friedel.classical.detect import iter_omp
from friedel.classical.matched_field import Template, pool
from friedel.classical.omp import _Model, _move, iter_pursue
from friedel.progress import Progress, drain
from friedel.stack import normalise


@pytest.fixture(scope="module")
def fit(twin):
    steps = []
    maps, k = pool(normalise(twin.maps), twin.k_px)
    result = drain(iter_pursue(maps, k), steps.append)
    assert len(steps) > 3 and all(isinstance(step, Progress) for step in steps)
    return result


def test_all_are_found_and_nothing_else(fit, twin, hits):
    assert len(fit.positions) == len(twin.truth)
    assert hits(fit.positions, twin.truth, 0.5) == len(twin.truth)


def test_sigma_is_the_error(fit, twin):
    error = cKDTree(fit.positions).query(twin.truth)[0]
    # The median of a two-dimensional normal distribution's length is 1.18 standard deviations an axis.
    assert 0.5 < np.median(error) / 1.18 / np.median(fit.sigma) < 2


def test_gaps_do_no_harm(twin, hits):
    maps = twin.maps.copy()
    maps[:, 20:26] = np.nan
    maps[3, 40:44, 40:44] = np.nan
    pooled, k = pool(normalise(maps), twin.k_px)
    fit = drain(iter_pursue(pooled, k))
    far = (twin.truth[:, 0] < 19) | (twin.truth[:, 0] > 26)
    assert hits(fit.positions, twin.truth[far]) >= far.sum() - 1
    assert len(fit.positions) <= len(twin.truth) + 1


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


def test_without_pooling_every_map_is_fitted(twin, hits):
    mask = np.ones(twin.maps.shape[1:], bool)
    maps = normalise(twin.maps)
    table, _, _, extra = drain(iter_omp(maps, twin.k_px, mask, pooling=False))
    assert (
        extra["voltage_groups"]
        == len(twin.k_px)
        > drain(iter_omp(maps, twin.k_px, mask))[3]["voltage_groups"]
    )
    assert hits(table[["row", "column"]].to_numpy(), twin.truth, 0.5) == len(twin.truth)
