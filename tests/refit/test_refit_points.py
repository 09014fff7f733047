"""Points from any source: planted phase shifts are recovered, false points get a low probability."""

import numpy as np
import pytest

import friedel
from friedel.benchmark.cramer_rao import isolated
from friedel.benchmark.synthetic import make_synthetic
from friedel.errors import FriedelError, StackError
from friedel.refit.flags import PointFlag

from .exact import EXACT


@pytest.fixture(scope="module")
def fitted():
    simulated = make_synthetic(EXACT, 3)
    truth, optional = simulated.truth()
    found = friedel.refit_points(simulated.stack, truth, dispersion=simulated.dispersion)
    return simulated, truth, ~optional & isolated(simulated), found


def _rows(found, places):
    table = found.table
    there = table[["row", "column"]].to_numpy()
    return [int(np.hypot(*(there - place).T).argmin()) for place in places]


def test_planted_phase_shifts_are_recovered(fitted):
    simulated, truth, counts, found = fitted
    index = _rows(found, truth[counts])
    true = [np.hypot(*(simulated.scatterers.position - place).T).argmin() for place in truth[counts]]
    middle = (min(EXACT.bias_mv) + max(EXACT.bias_mv)) / 2
    offset = found.provenance["refit"]["phase_shift_bias_mv"] - middle
    s = simulated.scatterers.amplitude(offset)[true]
    z = 1 + 2 * s
    table = found.table.iloc[index]
    shift = np.angle(z * np.exp(-2j * table["phase_shift_rad"].to_numpy())) / 2
    assert np.median(np.abs(shift)) < 0.06
    assert np.median(np.abs(table["amplitude"] - np.abs(s))) < 0.06
    assert (table["delta_chi2"] > 100).all()


def test_a_point_without_a_scatterer_gets_a_low_probability(fitted):
    simulated, truth, _, _ = fitted
    grid = np.argwhere(np.ones(EXACT.shape, bool)).astype(float)
    grid = grid[((grid > 4) & (grid < 31)).all(axis=1)]
    near = np.min([np.hypot(*(grid - place).T) for place in simulated.scatterers.position], axis=0)
    points = np.vstack([truth, grid[near.argmax()]])
    found = friedel.refit_points(simulated.stack, points, dispersion=simulated.dispersion, hold=True)
    (index,) = _rows(found, points[-1:])
    assert found.table["probability"][index] < 0.5 < found.table["probability"].median()


def test_held_points_stay(fitted):
    simulated, truth, _, _ = fitted
    found = friedel.refit_points(simulated.stack, truth, dispersion=simulated.dispersion, hold=True)
    inside = truth[((truth > 0) & (truth < np.array(EXACT.shape) - 1)).all(axis=1)]
    index = _rows(found, inside)
    assert found.table[["row", "column"]].to_numpy()[index] == pytest.approx(inside, abs=2e-3)
    assert ((found.table["flags"] & int(PointFlag.BY_HAND)) > 0).all()


def test_model_and_residual_add_up_to_the_data(fitted):
    simulated, _, _, found = fitted
    data = simulated.stack["LockinX"].to_numpy() if "LockinX" in simulated.stack else None
    for index in (0, 5):
        whole = found.model(index) + found.residual(index)
        assert whole == pytest.approx(found.waves.recorded[index], rel=1e-5)
        assert found.waves.explained_variance(index) > 0.5
        assert np.nanstd(found.residual(index)) < np.nanstd(whole)
    assert data is None or found.model(0).shape == data.shape[1:]


def test_without_a_refit_there_is_no_model():
    simulated = make_synthetic(EXACT, 3)
    found = friedel.detect(simulated.stack, dispersion=simulated.dispersion, method="matched-field")
    with pytest.raises(FriedelError, match="no refit was used"):
        found.model(0)


def test_points_that_are_none_are_refused(fitted):
    simulated = fitted[0]
    with pytest.raises(StackError, match="at least one point"):
        friedel.refit_points(simulated.stack, np.zeros((0, 2)), dispersion=simulated.dispersion)
