"""Averaged voltages: in order, in the middle of their time, and with the waves that a mean map really holds."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from friedel.physics.optical_paths import OpticalPaths, Ripple
from friedel.physics.t_matrix_jacobian import Scattering, Waves
from friedel.refit.bias_binning import BINNING, bin_bias, even_times


def _flat(k: np.ndarray) -> np.ndarray:
    return np.real(k)[:, None, None] * np.ones((len(k), 2, 2))


def test_the_order_is_that_of_k():
    k = np.array([0.73, 0.71, 0.72, 0.70])
    found = bin_bias(_flat(k), k, 2)
    assert found.k == pytest.approx([0.705, 0.725])
    assert found.maps[:, 0, 0] == pytest.approx([0.705, 0.725])
    assert found.blur == pytest.approx([0.005, 0.005])


@given(count=st.integers(1, 40), groups=st.integers(1, 20), data=st.data())
def test_nothing_is_lost_and_time_is_that_of_the_series(count, groups, data):
    k = np.array(data.draw(st.lists(st.floats(0.5, 1.3), min_size=count, max_size=count)))
    found = bin_bias(_flat(k), k, groups)
    assert min(count, groups) <= len(found.k) <= min(count, 2 * groups)
    sizes = [len(part) for part in np.array_split(np.arange(count), len(found.k))]
    assert np.average(found.k.real, weights=sizes) == pytest.approx(k.mean())
    assert np.average(found.time, weights=sizes) == pytest.approx(0, abs=1e-9)
    assert (np.diff(found.time) > 0).all() and found.time[-1] == (1 if len(found.k) > 1 else 0)
    assert (found.blur >= 0).all()


def test_single_maps_are_taken_one_after_the_other():
    assert even_times(np.array([0.9, 0.7, 0.8])) == pytest.approx([1, -1, 0])
    assert even_times(np.array([0.9])) == pytest.approx([0])


def test_a_wide_range_of_wavevectors_has_more_groups():
    narrow, wide = np.linspace(0.7, 0.9, 60), np.linspace(0.5, 1.0, 60)
    assert len(bin_bias(_flat(narrow), narrow, 4).k) == 4
    found = bin_bias(_flat(wide), wide, 4)
    assert len(found.k) == 7 and found.blur.max() < BINNING.max_width_rad_per_px / np.sqrt(12)


@pytest.mark.parametrize(("width", "rest"), [(0.03, 0.4), (0.06, 0.4)])
def test_a_mean_map_holds_waves_that_wash_out_far_away(width, rest):
    """The mean of exact maps is explained several times better with the blur than by the mean wavevector alone."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 60, (25, 2))
    amplitude = (0.8 * np.exp(2j * rng.uniform(0, np.pi, 25)) - 1) / 2
    place = rng.uniform(0, 60, (1500, 2))
    place = place[np.hypot(*(place[:, None] - points).transpose(2, 0, 1)).min(axis=1) > 1.5]
    away, between = OpticalPaths(place, points, Ripple()), OpticalPaths(points, points, Ripple())

    def density(k: complex, blur: float = 0.0) -> np.ndarray:
        return Waves(away, Scattering(between, k, amplitude, 90.0, blur)).density

    k = 0.8 + 0.01j + np.linspace(-0.5, 0.5, 16) * width
    mean = np.mean([density(one) for one in k], axis=0)
    plain, blurred = (np.std(mean - density(k.mean(), blur)) for blur in (0.0, k.real.std()))
    assert plain > 0.05 * width / 0.03 * mean.std()
    assert blurred < rest * plain
