import numpy as np
import pytest

from friedel.prepare.bad_data import choose_maps, dead_spectra, repeated_in_maps
from friedel.prepare.bad_search import BadSearch, look_at_maps
from friedel.prepare.gaps import fill_gaps
from friedel.prepare.run import clean
from friedel.prepare.settings import PrepareSettings


def waves(bias=6, rows=48, columns=52, seed=0):
    """Smooth rings and white noise on a constant, dI/dV in arbitrary units."""
    random = np.random.default_rng(seed)
    r, c = np.mgrid[:rows, :columns]
    field = np.zeros((bias, rows, columns))
    for place in random.uniform(0, rows, (8, 2)):
        distance = np.hypot(r - place[0], c - place[1]) + 1
        field += np.cos(np.linspace(0.7, 0.9, bias)[:, None, None] * 2 * distance) / np.sqrt(distance)
    return 5 + field + 0.3 * random.normal(size=field.shape)


def bad_of(values):
    search = BadSearch(values.shape)
    search.add(slice(0, len(values)), look_at_maps(values, dead_spectra(values), search.telling))
    return search.finish().bad


def test_a_sound_stack_holds_no_bad_data():
    assert bad_of(waves()).mean() < 1e-3


def test_a_part_filled_with_zeros_was_not_recorded():
    values = waves()
    values[:, 30:] = 0
    bad = bad_of(values)
    assert bad[:, 30:].all() and bad[:, :30].mean() < 1e-3


def test_a_saturated_stretch_is_bad_in_its_map_only():
    values = waves()
    values[2] = np.minimum(values[2], np.quantile(values[2], 0.95))
    bad = repeated_in_maps(values)
    assert bad[2].mean() == pytest.approx(0.05, abs=0.01) and not bad[[0, 1, 3, 4, 5]].any()


@pytest.mark.parametrize("levels_per_rms", [0.25, 0.33, 0.5, 1, 2, 4, 8, 30])
def test_quantised_maps_are_no_reason_for_doubt(levels_per_rms):
    values = waves(rows=80, columns=80)
    step = (values - values.mean(axis=(1, 2), keepdims=True)).std() / levels_per_rms
    assert not repeated_in_maps(np.round(values / step) * step).any()


@pytest.mark.parametrize("levels_per_rms", [8, 30])
def test_zeros_are_found_in_quantised_maps_too(levels_per_rms):
    values = waves(rows=80, columns=80)
    step = (values - values.mean(axis=(1, 2), keepdims=True)).std() / levels_per_rms
    values = np.round(values / step) * step
    values[:, 50:] = 0
    bad = repeated_in_maps(values)
    assert bad[:, 50:].all() and not bad[:, :50].any()


def test_dead_spectra_are_bad():
    values = waves()
    values[:, 7, 9] = 4.2
    values[:, 20, 3] = -1.0
    dead = dead_spectra(values)
    assert dead[7, 9] and dead[20, 3] and dead.sum() == 2
    bad = bad_of(values)
    assert bad[:, 7, 9].all() and bad[:, 20, 3].all() and bad.sum() == 12


@pytest.mark.parametrize("height", [100, 300, 1000])
def test_a_wild_pixel_is_found_and_nothing_else(height):
    values = waves()
    values[:, 20, 31] += height
    bad = bad_of(values)
    assert bad[:, 20, 31].all() and bad.mean() < 2e-3


def test_a_streak_along_the_fast_axis_is_found():
    values = waves()
    values[1, 12, 10:30] += 40
    assert bad_of(values)[1, 12, 11:29].mean() > 0.8


def test_noisy_lines_are_found():
    values = waves()
    values[:, [5, 40]] += 10 * np.random.default_rng(1).normal(size=(6, 2, 52))
    bad = bad_of(values)
    assert bad[:, [5, 40]].all() and bad[:, 6:40].mean() < 5e-3


def test_an_atom_of_five_pixels_stays():
    values = waves(1)
    r, c = np.mgrid[:48, :52]
    values[0] += 40 * np.exp(-((r - 20) ** 2 + (c - 25) ** 2) / (2 * 2.1**2))
    assert not bad_of(values)[0, 15:26, 20:31].any()


def test_a_strip_that_one_map_lacks_costs_that_map():
    known = np.ones((5, 40, 40), bool)
    known[2, :6] = False
    assert choose_maps(known).tolist() == [0, 1, 3, 4]
    known[:, :6] = False
    assert len(choose_maps(known)) == 5


def test_small_gaps_are_interpolated_and_large_ones_stay():
    r, c = np.mgrid[:30, :30].astype(float)
    maps = (0.1 * r + 0.2 * c)[None].repeat(2, axis=0)
    holed = maps.copy()
    holed[:, 10] = np.nan
    holed[:, 20, 20] = np.nan
    holed[:, :8, :8] = np.nan
    filled = fill_gaps(holed, 2.0)
    assert np.isnan(filled[:, :8, :8]).all()
    assert np.abs(filled - maps)[:, 10, 9:].max() < 0.1 and abs(filled - maps)[0, 20, 20] < 1e-6


def test_clean_says_how_much_was_lost_and_marks_what_was_interpolated():
    values = waves()
    values[:, 20, 31] += 300
    done = clean(values, PrepareSettings())
    assert done.filled[:, 20, 31].all() and np.isfinite(done.maps).all()
    assert done.lost == pytest.approx(1 / (48 * 52), rel=2)
    assert any(step.name == "wild pixels" for step in done.steps)


def test_negative_didv_is_inverted_and_said():
    values = waves()
    upright, inverted = clean(values, PrepareSettings()), clean(-values, PrepareSettings())
    np.testing.assert_allclose(upright.maps, inverted.maps, atol=1e-9)
    assert [step.notable for step in inverted.steps if step.name == "lock-in phase"] == [True]


def test_negative_didv_stays_where_that_is_wanted_and_where_maps_are_taken_as_recorded():
    values = -waves()
    for settings in (PrepareSettings(invert=False), PrepareSettings(as_recorded=True).in_force()):
        done = clean(values, settings)
        assert not any(step.name == "lock-in phase" for step in done.steps)
    kept, upright = clean(values, PrepareSettings(invert=False)), clean(-values, PrepareSettings())
    np.testing.assert_allclose(kept.maps, -upright.maps, atol=1e-9)
