import numpy as np
import pytest
from hypothesis import given, settings as examples, strategies as st

from friedel.errors import SettingsError
from friedel.prepare.background import level
from friedel.prepare.run import clean, flatten
from friedel.prepare.settings import PrepareSettings

SHAPE = (40, 44)
K, PITCH = np.array([0.8, 0.9]), (0.45, 0.45)


def maps(seed=0):
    """Two maps of rings about five scatterers, with noise."""
    random = np.random.default_rng(seed)
    r, c = np.mgrid[: SHAPE[0], : SHAPE[1]] * PITCH[0]
    out = 0.3 * random.normal(size=(2, *SHAPE))
    for y, x in random.uniform(0, 18, (5, 2)):
        distance = np.hypot(r - y, c - x) + 0.5
        out += np.cos(2 * K[:, None, None] * distance) / np.sqrt(distance)
    return out


def prepared(values):
    # A tilt may carry a whole map below zero; only a dI/dV is inverted then.
    return flatten(clean(values, PrepareSettings(), didv=False), K, PITCH, PrepareSettings()).maps


@examples(max_examples=8, deadline=None)
@given(
    slopes=st.tuples(st.floats(-20, 20), st.floats(-20, 20)), gain=st.floats(0.1, 50), seed=st.integers(0, 99)
)
def test_plane_line_offsets_and_gain_leave_the_result_the_same(slopes, gain, seed):
    values = maps()
    offsets = 10 * np.random.default_rng(seed).normal(size=(2, SHAPE[0], 1))
    r, c = np.mgrid[: SHAPE[0], : SHAPE[1]]
    other = gain * (values + slopes[0] * r + slopes[1] * c + offsets)
    expected = prepared(values)
    np.testing.assert_allclose(prepared(other) / gain, expected, atol=1e-5 * np.abs(expected).max())


def test_waves_survive():
    values = maps()
    flat = values - values.mean(axis=(1, 2), keepdims=True)
    for before, after in zip(flat, prepared(values), strict=True):
        assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.95


def test_atoms_do_not_tilt_the_plane():
    values = maps()[:1]
    values[0, 5:9, 30:36] += 300
    rest = level(values + 3 * np.arange(SHAPE[1]))[0]
    assert abs(np.polyfit(np.arange(SHAPE[1]), np.median(rest, axis=0), 1)[0]) < 0.02


def test_a_map_of_slow_noise_is_not_high_passed():
    random = np.random.default_rng(3)
    f = np.hypot(np.fft.fftfreq(80)[:, None], np.fft.fftfreq(80))
    f[0, 0] = 1
    slow = np.fft.ifft2(np.fft.fft2(random.normal(size=(3, 80, 80))) / f**1.5).real
    done = flatten(clean(slow, PrepareSettings()), np.array([0.8, 0.85, 0.9]), PITCH, PrepareSettings())
    assert not done.high_passed.any()


def test_slow_background_is_subtracted_where_rings_show():
    random = np.random.default_rng(3)
    r, c = np.mgrid[:80, :80] * 0.45
    values = 0.1 * random.normal(size=(1, 80, 80)) + 3 * np.sin(c / 9) * np.cos(r / 8)
    for y, x in random.uniform(0, 36, (12, 2)):
        distance = np.hypot(r - y, c - x) + 0.5
        values += np.cos(1.7 * distance) / np.sqrt(distance)
    done = flatten(clean(values, PrepareSettings()), np.array([0.85]), PITCH, PrepareSettings())
    assert done.high_passed.all()
    assert done.maps[0].std() < 0.6 * values.std()


@pytest.mark.parametrize(
    "wrong", [{"background": "median"}, {"clip": 1}, {"high_pass": 9}, {"lockin_phase_deg": "best"}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SettingsError):
        PrepareSettings(**wrong)
