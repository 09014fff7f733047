"""Completeness: of twice the told amplitude impurities are found, of a quarter missed; what is missing is shown."""

from dataclasses import replace

import numpy as np
import pytest

import friedel
from friedel.benchmark.synthetic import make_synthetic
from friedel.errors import FriedelError
from friedel.refit.bias_binning import bin_bias
from friedel.refit.completeness import Acceptance, detectable_amplitude
from friedel.refit.core_profile import CoreProfile
from friedel.refit.flags import PointFlag
from friedel.refit.joint_fit.data import FitData
from friedel.refit.joint_fit.step import begin
from friedel.refit.model_selection import posterior_probability, required_delta_chi2, typical_delta_chi2
from friedel.refit.pruning import DECISIONS

from .exact import EXACT


def test_of_the_detectable_amplitude_nine_in_ten_have_the_required_delta_chi2():
    """Wald's statistic of amplitudes drawn with the covariance M⁻¹, at the phase that is hardest to see."""
    random = np.random.default_rng(1)
    root = random.normal(size=(4, 8)) * 8
    matrix, required = root @ root.T, 60.0
    (least,) = detectable_amplitude(matrix[None], required)
    hardest = np.linalg.eigh(matrix[:2, :2])[1][:, 0]
    share = []
    for u in (hardest, hardest[::-1] * [1, -1]):
        drawn = np.append(least * u, [0, 0]) + random.multivariate_normal(
            np.zeros(4), np.linalg.inv(matrix), 20000
        )
        share.append((np.einsum("ni,ij,nj->n", drawn, matrix, drawn) > required).mean())
    assert share[0] == pytest.approx(0.9, abs=0.01)
    assert share[1] > 0.9


def test_without_information_nothing_is_detectable():
    assert detectable_amplitude(1e-3 * np.eye(4)[None], 20.0) == pytest.approx([1.0])


def test_four_times_the_information_halves_the_amplitude():
    matrix = 50 * np.eye(4)[None]
    ratio = detectable_amplitude(4 * matrix, 20.0) / detectable_amplitude(matrix, 20.0)
    assert ratio == pytest.approx([0.5])


def test_the_least_delta_chi2_of_an_accepted_impurity_has_the_threshold_as_probability():
    """With the typical impurity of the field beside it, and a network that says one half."""
    for kind in ("quick", "full"):
        for threshold in (0.3, 0.5, 0.8):
            others = np.full(7, 800.0)
            required = required_delta_chi2(typical_delta_chi2(others), kind, threshold)
            probability = np.append(np.full(7, 0.9), 0.5 - 1e-12)
            found = posterior_probability(probability, np.append(others, required), kind)
            assert found[-1] == pytest.approx(threshold, abs=1e-6)


def test_the_share_of_the_data_is_that_of_the_last_iteration():
    """Quick: every second of the maps, every second of the pixels. Full: all of them."""
    maps = np.random.default_rng(0).normal(size=(8, 12, 12))
    data = FitData.from_maps(bin_bias(maps, np.linspace(0.6, 0.8, 8), 8), np.ones((12, 12), bool))
    assert Acceptance("quick").share(data) == pytest.approx(0.25)
    assert Acceptance("full").share(data) == 1.0


def test_a_core_profile_is_the_mean_weight_at_each_distance():
    """One scatterer: masked out to 1.5 px, weight ½ out to 2.5 px, 1 beyond."""
    mask = np.ones((21, 21), bool)
    data = FitData.from_maps(bin_bias(np.zeros((3, 21, 21)), np.array([0.6, 0.7, 0.8]), 3), mask)
    state = begin(data, np.array([[10.0, 10.0]]), np.ones(1))
    away = np.hypot(*(data.pixels - 10).T)
    state.errors = replace(state.errors, weight=np.where(away < 2.5, 0.5, 1.0))
    core = CoreProfile.of(data, state)
    assert core.root_weight(np.array([0.5, 2.25, 3.6, 30])) ** 2 == pytest.approx([0, 0.5, 1, 1], abs=0.01)


@pytest.fixture(scope="module")
def lacking():
    """A refit of all impurities but one, which is told."""
    twin = make_synthetic(EXACT, 3)
    truth, optional = twin.truth()
    every = twin.scatterers.position
    apart = np.array([np.sort(np.hypot(*(every - place).T))[1] for place in truth])
    inside = ((truth > 3) & (truth < 32)).all(axis=1) & ~optional
    one = int(np.flatnonzero(inside)[apart[inside].argmax()])
    rest = np.delete(every, np.hypot(*(every - truth[one]).T).argmin(), axis=0)
    rest = rest[((rest > 0) & (rest < 35)).all(axis=1)]
    return twin, truth[one], rest


def test_in_more_noise_scatterers_must_be_stronger(lacking, monkeypatch):
    """Without the floor below which doubtful ones are pruned, which hides it."""
    monkeypatch.setattr("friedel.refit.completeness.DECISIONS", replace(DECISIONS, min_amplitude=0.0))
    twin, _, rest = lacking
    noisy = make_synthetic(replace(EXACT, noise=1.2), 3)
    found = [
        friedel.refit_points(one.stack, rest, dispersion=one.dispersion).completeness()
        for one in (twin, noisy)
    ]
    assert found[0].amplitude.shape == EXACT.shape
    known = np.isfinite(found[0].amplitude) & np.isfinite(found[1].amplitude)
    assert known.mean() > 0.7
    quiet, loud = (np.median(one.amplitude[known]) for one in found)
    assert 1.5 < loud / quiet < 6


def test_a_detection_refits_points_of_its_own_and_says_where_pixels_are_bad(lacking):
    twin, _, rest = lacking
    first = friedel.refit_points(twin.stack, rest, dispersion=twin.dispersion)
    again = first.refit(rest, hold=True)
    assert len(again.table) == len(first.table)
    order = ["row", "x_nm", "tip_x_nm"]
    # Held at the given places, a pair may come in the other order of its rows.
    nearest_of = [
        np.hypot(again.table["row"] - r, again.table["column"] - c).argmin() for r, c in first.positions
    ]
    here, there = first.impurities[order], again.table.iloc[nearest_of][order]
    assert there.to_numpy() == pytest.approx(here.to_numpy(), abs=0.5)
    assert again.provenance["refit"]["hold"] and not first.provenance["refit"]["hold"]
    assert again.provenance["channel"] == first.provenance["channel"]

    hole = twin.stack.copy(deep=True)
    row, column = rest[0].round().astype(int)
    for name in hole.data_vars:
        hole[name].values[..., row, column] = np.nan
    holed = friedel.refit_points(hole, rest, dispersion=twin.dispersion).table
    nearest = np.hypot(holed["row"] - row, holed["column"] - column).argmin()
    bad = (holed["flags"] & int(PointFlag.BAD_DATA)) > 0
    assert bad[nearest] and bad.sum() <= 2
    assert not (first.table["flags"] & int(PointFlag.BAD_DATA)).any()


def test_without_fitted_maps_nothing_can_be_refitted(lacking):
    twin, _, rest = lacking
    found = friedel.detect(twin.stack, dispersion=twin.dispersion, method="matched-field")
    with pytest.raises(FriedelError, match="no fitted maps"):
        found.refit(rest)
    with pytest.raises(FriedelError, match="no refit was used"):
        found.completeness()


def test_planted_impurities_are_found_of_twice_the_told_amplitude_and_missed_of_a_quarter():
    """Simulated anew with more impurities, of phases and cores of their own, and detected as any other field."""
    times = {2.0: [], 0.25: []}
    places = np.array([[9.0, 9.0], [9.0, 27.0], [18.0, 18.0], [27.0, 9.0], [27.0, 27.0]])
    for seed in (3, 5):
        twin = make_synthetic(EXACT, seed)
        told = friedel.detect(twin.stack, dispersion=twin.dispersion).completeness().amplitude
        apart = np.min([np.hypot(*(places - one).T) for one in twin.scatterers.position], axis=0)
        free = places[apart > 2.5]
        least = told[tuple(free.round().astype(int).T)]
        free, least = free[np.isfinite(least)], least[np.isfinite(least)]
        assert len(free) >= 2
        for factor, outcome in times.items():
            s = factor * least * np.exp(0.8j * np.pi)
            z = 1 + 2 * s
            more = np.column_stack([free, np.angle(z) / 2, np.zeros(len(free)), np.abs(z)])
            planted = make_synthetic(replace(EXACT, planted=tuple(map(tuple, more.tolist()))), seed)
            points = friedel.detect(planted.stack, dispersion=planted.dispersion).positions
            outcome += [np.hypot(*(points - place).T).min() < 1.5 for place in free]
    assert np.mean(times[2.0]) >= 0.8, times
    assert np.mean(times[0.25]) <= 0.2, times


def test_what_is_told_as_missing_is_a_scatterer_just_beyond_the_border(lacking):
    """With every scatterer of the field in the fit, nothing else is asked for."""
    twin, missing, rest = lacking
    fit = friedel.refit_points(twin.stack, np.vstack([rest, missing]), dispersion=twin.dispersion)
    told = fit.completeness()
    beyond = [one for one in twin.scatterers.position if not ((one >= 0) & (one <= 35)).all()]
    for pixel in np.argwhere(told.missing):
        assert np.min(np.hypot(*(np.array(beyond) - pixel).T)) < 4
