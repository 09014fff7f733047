"""Points from any source: planted phase shifts are recovered, false points get a low probability."""

import numpy as np
import pytest

import friedel
from friedel.benchmark.cramer_rao import isolated
from friedel.benchmark.synthetic import make_synthetic
from friedel.errors import FriedelError, FriedelWarning, StackError
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


def test_points_of_another_place_get_no_probability(fitted):
    simulated, truth, _, _ = fitted
    with pytest.warns(FriedelWarning, match="could not be fitted, and have no probability"):
        found = friedel.refit_points(simulated.stack, truth[:6, ::-1], dispersion=simulated.dispersion)
    assert len(found) == 0
    assert found.table["probability"].isna().all() or (found.table["probability"].dropna() < 0.5).all()


def test_a_point_given_twice_is_one(fitted):
    simulated, truth, _, alone = fitted
    with pytest.warns(FriedelWarning, match="2 of .* points lie on another one"):
        twice = friedel.refit_points(
            simulated.stack, np.concatenate([truth, truth[:2]]), dispersion=simulated.dispersion
        )
    assert twice.table.drop(columns="number").equals(alone.table.drop(columns="number"))


def test_points_outside_are_left_out_with_a_remark_and_keep_their_numbers(fitted):
    simulated, truth, _, alone = fitted
    with pytest.warns(FriedelWarning, match=r"3 of \d+ points lie outside the field"):
        found = friedel.refit_points(
            simulated.stack, np.concatenate([[[500.0, 3.0]], truth]), dispersion=simulated.dispersion
        )
    assert found.table["number"].tolist() == (alone.table["number"] + 1).tolist()
    assert found.positions == pytest.approx(alone.positions)
    with pytest.raises(StackError, match="None of the 1 points lies in rows 0 to"):
        friedel.refit_points(simulated.stack, [[500.0, 3.0]], dispersion=simulated.dispersion)


def test_a_table_of_three_columns_is_no_list_of_points(fitted):
    simulated, truth, _, _ = fitted
    with pytest.raises(StackError, match=r"shape \(n, 2\)"):
        friedel.refit_points(
            simulated.stack, np.column_stack([truth, truth[:, 0]]), dispersion=simulated.dispersion
        )


def test_the_explained_share_of_a_map_does_not_depend_on_the_unit(fitted):
    simulated, truth, _, found = fitted
    small = friedel.refit_points(simulated.stack * 1e-16, truth, dispersion=simulated.dispersion)
    assert small.waves.explained_variance(0) == pytest.approx(found.waves.explained_variance(0), abs=1e-3)
