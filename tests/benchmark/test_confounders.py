"""Confounded fields: the physics of their waves, the truth they carry, and that a seed fixes them."""

import numpy as np
import pytest
from scipy.special import hankel1

from friedel.benchmark.confounders import CONFOUNDERS, HELD_OUT, LEVELS, confounded, families
from friedel.benchmark.confounders.draft import Picture
from friedel.benchmark.greens import Wall, behind_wall, helical, multipole
from friedel.benchmark.instrument import pixels
from friedel.benchmark.t_matrix_exact import Places, distances, scattered
from friedel.errors import FriedelError

K = np.array([0.8 + 0.005j])
POINTS = np.array([[6.0, 7.0], [14.3, 9.6], [11.0, 17.2]])
GRID = pixels((24, 24))
S = np.array([[-0.5 + 0.3j, -0.4 + 0.1j, 0.2 + 0.4j]])


def far(points, distance=4.0):
    return distances(GRID, points).min(axis=1) > distance


def test_multipole_of_s_waves_is_the_point_scatterers_density():
    expected = scattered(Places(distances(GRID, POINTS)), distances(POINTS, POINTS), K[0], S[0])
    ours = multipole(GRID, POINTS, K, S[:, None], (0,))[0]
    assert np.abs(ours - expected)[far(POINTS)].max() < 1e-3


def test_multipole_of_one_p_wave_scatterer_is_twice_h1_squared():
    s = np.array([[[0.3 + 0.4j], [0.0], [0.3 + 0.4j]]])
    ours = multipole(GRID, POINTS[:1], K, s, (-1, 0, 1))[0]
    expected = (2 * s[0, 0, 0] * hankel1(1, K[0] * distances(GRID, POINTS[:1])[:, 0]) ** 2).real
    assert np.abs(ours - expected)[far(POINTS[:1])].max() < 1e-3


def test_multipoles_turn_with_the_field():
    """A quarter turn of points and pixels must not change the density: the angles of all orders are consistent."""
    amplitude = np.stack([S * 0.7, S, S * 0.7, S * 0.3, S * 0.3], axis=1)
    orders = (-1, 0, 1, -2, 2)
    turned = np.stack([POINTS[:, 1], 23 - POINTS[:, 0]], axis=1)
    there = multipole(GRID, POINTS, K, amplitude, orders)[0].reshape(24, 24)
    here = multipole(GRID, turned, K, amplitude, orders)[0].reshape(24, 24)
    # (row, column) → (column, 23 − row)
    away = far(turned, 2.0).reshape(24, 24)
    assert np.allclose(np.rot90(there, -1)[away], here[away], atol=2e-3)


def test_no_scattered_wave_reaches_a_hard_wall():
    wall = Wall((0.0, 1.0), 12.0, -1.0, 0.0)
    line = np.stack([np.arange(24.0), np.full(24, 12.0)], axis=1)
    with_points = behind_wall(line, POINTS[:1], K, S[:, :1], wall)[0]
    alone = behind_wall(line, np.zeros((0, 2)), K, np.zeros((1, 0)), wall)[0]
    assert np.allclose(with_points, alone, atol=1e-3)


def test_standing_waves_at_a_wall_have_half_the_wavelength_and_fall_as_a_root():
    wall = Wall((0.0, 1.0), 0.0, 0.6, 0.0)
    x = np.linspace(10, 60, 2001)
    waves = behind_wall(
        np.stack([0 * x, x], axis=1), np.zeros((0, 2)), np.array([0.8 + 0j]), np.zeros((1, 0)), wall
    )[0]
    expected = 0.6 * np.sqrt(1 / (np.pi * 0.8 * x)) * np.cos(1.6 * (x + 0.4) - np.pi / 4)
    assert np.abs(waves - expected).max() < 0.1 * np.abs(expected).max()


def test_helical_electrons_hardly_scatter_back():
    scalar = multipole(GRID, POINTS[:1], K, S[:, None, :1], (0,))[0]
    spin = helical(GRID, POINTS[:1], K, S[:, :1])[0]
    outside = far(POINTS[:1], 8.0)
    assert spin[outside].std() < 0.35 * scalar[outside].std()


@pytest.mark.parametrize("name", ["creep", "skew"])
def test_moved_points_lie_where_their_spots_appear(name):
    points = np.array([[20.3, 30.6], [60.0, 11.2]])
    square = ((GRID80[:, None] - points) ** 2).sum(-1)
    image = np.exp(-square / 8).sum(1).reshape(1, 80, 80)
    picture = Picture(image, np.ones(1), points, np.zeros(1), np.ones(1), 0.5)
    moved = CONFOUNDERS[name].tip(picture, CONFOUNDERS[name].strong, np.random.default_rng(1))
    assert np.abs(moved.points - points).max() > 0.3
    for point in moved.points:
        near = np.hypot(*(GRID80 - point).T) < 5
        weight = moved.maps[0].ravel()[near]
        centre = (GRID80[near] * weight[:, None]).sum(0) / weight.sum()
        assert np.abs(centre - point).max() < 0.35


GRID80 = pixels((80, 80))


@pytest.mark.parametrize("name", [n for n, one in CONFOUNDERS.items() if one.without or one.alone])
def test_fields_without_impurities_are_finite_and_have_no_truth(name):
    for level in LEVELS[1:]:
        field = confounded(name, level, 3, impurities=False)
        maps = field.stack["LockinX"].to_numpy()
        assert maps.shape[1:] == (80, 80) and np.isfinite(maps).all() and maps.std() > 0
        assert len(field.positions) == 0 and field.family == CONFOUNDERS[name].family


def test_a_seed_fixes_the_field_and_another_changes_it():
    first, again, other = (confounded("islands", "strong", s, impurities=False) for s in (1, 1, 2))
    assert np.array_equal(first.stack["LockinX"], again.stack["LockinX"])
    assert not np.array_equal(first.stack["LockinX"], other.stack["LockinX"])


def test_few_impurities_are_as_many_as_said():
    assert len(confounded("few", "moderate").positions) == 3
    assert len(confounded("few", "strong").positions) == 1


def test_a_wrong_pixel_is_told_but_the_waves_are_the_true_ones():
    field = confounded("wrong-pixel", "strong", 0)
    pitch = float(np.diff(field.stack["x"]).mean())
    assert abs(pitch / (37.5 / 80) - 1) == pytest.approx(0.07, abs=1e-3)
    wrong = confounded("wrong-onset", "strong", 0)
    assert abs(wrong.band.onset_mev - wrong.true_band.onset_mev) == pytest.approx(40)


def test_the_held_out_family_can_be_left_out():
    assert HELD_OUT in families() and HELD_OUT not in families(held_out=False)
    assert len(families()[HELD_OUT]) >= 3


def test_what_is_not_there_is_told():
    with pytest.raises(FriedelError, match="no confounder 'nothing'"):
        confounded("nothing")
    with pytest.raises(FriedelError, match="no level"):
        confounded("edge", "mild")
    with pytest.raises(FriedelError, match="with impurities only"):
        confounded("p-wave", impurities=False)
    with pytest.raises(FriedelError, match="without impurities only"):
        confounded("outside")
