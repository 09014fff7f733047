"""Completeness: the amplitude that would just be found is found, half of it is not; what is missing is shown."""

from dataclasses import replace

import numpy as np
import pytest

import friedel
from friedel.benchmark.synthetic import make_synthetic
from friedel.errors import FriedelError
from friedel.physics.optical_paths import OpticalPaths
from friedel.physics.t_matrix_jacobian import Scattering, Waves
from friedel.refit.amplitude_prior import AmplitudePrior
from friedel.refit.completeness import completeness, detectable_amplitude
from friedel.refit.flags import PointFlag
from friedel.refit.source_search import SEARCH, log_odds_alone

from .exact import EXACT


def _matrices(count=20, size=4):
    root = np.random.default_rng(1).normal(size=(count, size, 2 * size)) * 6
    return root @ root.swapaxes(1, 2)


@pytest.mark.parametrize("n_same", [0, 12])
def test_data_of_the_detectable_amplitude_have_odds_at_the_limit(n_same):
    """At the worst phase the odds are the limit's, at no phase are they below it."""
    prior = AmplitudePrior.of(np.ones(max(n_same, 1), bool), 2)
    if n_same:
        prior = prior.pooled(np.full((n_same, 2), 0.1 + 0.05j), np.zeros(n_same, bool))
    matrix = _matrices()
    least = detectable_amplitude(matrix, prior)
    assert ((least > 0) & (least < 1)).all()
    odds = []
    for angle in np.arange(8) * np.pi / 4:
        s = np.zeros((len(matrix), 4))
        s[:, 0], s[:, 1] = least * np.cos(angle), least * np.sin(angle)
        odds.append(log_odds_alone(np.einsum("nij,nj->ni", matrix, s), matrix, prior))
    assert np.min(odds, axis=0) == pytest.approx(SEARCH.min_log_odds, abs=1e-6)


def test_without_information_nothing_is_detectable():
    prior = AmplitudePrior.of(np.ones(1, bool), 2)
    assert detectable_amplitude(1e-3 * np.eye(4)[None], prior)[0] == 1.0


def test_four_times_the_information_halves_the_amplitude_about():
    prior, matrix = AmplitudePrior.of(np.ones(1, bool), 2), 100 * _matrices(1)
    ratio = detectable_amplitude(4 * matrix, prior) / detectable_amplitude(matrix, prior)
    assert ratio[0] == pytest.approx(0.5, abs=0.1)


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


def test_a_weak_field_of_view_needs_stronger_scatterers(lacking):
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


@pytest.mark.xfail(
    strict=True, reason="the told amplitude is too small: planted impurities show from 4 times of it on"
)
def test_a_planted_impurity_is_found_above_the_told_amplitude_and_missed_below(lacking):
    """At places without a scatterer: of 1.7 times the told amplitude it is asked for there, of a third of it not."""
    twin, missing, rest = lacking
    every = np.vstack([rest, missing])
    fit = friedel.refit_points(twin.stack, every, dispersion=twin.dispersion)
    waves = fit.waves
    told = waves.completeness()
    # What is still missing is a true scatterer just beyond the border: nothing else is asked for.
    beyond = [one for one in twin.scatterers.position if not ((one >= 0) & (one <= 35)).all()]
    for pixel in np.argwhere(told.missing):
        assert np.min(np.hypot(*(np.array(beyond) - pixel).T)) < 4
    grid = np.argwhere(np.isfinite(told.amplitude) & (told.amplitude < 0.5))
    grid = grid[((grid > 5) & (grid < 30)).all(axis=1)]
    apart = np.min([np.hypot(*(grid - one).T) for one in waves.fitted.positions], axis=0)
    outcome = {1.7: [], 1 / 3: []}
    for place in grid[np.argsort(-apart)[[0, 3, 7]]]:
        for times, found in outcome.items():
            planted = _planted(waves, place, times * told.amplitude[tuple(place)])
            map_ = completeness(waves.fitted, planted, waves.k, waves.maps.mask)
            row, column = place
            found.append(bool(map_.missing[row - 1 : row + 2, column - 1 : column + 2].any()))
    assert all(outcome[1.7]) and not any(outcome[1 / 3])


def _planted(waves, place, amplitude):
    """The prepared maps with one more scatterer of negative amplitude, at the fit's scale of every map."""
    out, fitted = waves.maps.prepared.copy(), waves.fitted
    (tile,) = fitted.tiles
    pixels = np.argwhere(np.ones(out.shape[1:], bool)).astype(np.float32)
    for v in range(len(out)):
        energy = (waves.k[v].real - fitted.k_middle) / fitted.k_half
        s = tile.coefficients @ energy ** np.arange(tile.coefficients.shape[1])
        maps = []
        for points, values in (
            (tile.position, s),
            (np.vstack([tile.position, place]), np.append(s, -amplitude)),
        ):
            between = OpticalPaths(points, points, tile.shared.ripple)
            scattering = Scattering(between, waves.k[v], values, 80.0)
            paths = OpticalPaths(pixels, points.astype(np.float32), tile.shared.ripple)
            maps.append(Waves(paths, scattering).density.reshape(out.shape[1:]))
        centred = maps[0] - maps[0].mean()
        scale = (centred * out[v]).sum() / (centred**2).sum()
        out[v] += scale * (maps[1] - maps[0])
    return out
