import numpy as np
import pytest
from hypothesis import given, strategies as st

from friedel.errors import PhysicsError
from friedel.physics.dispersion import MATERIALS
from friedel.resample import plan

RANGE = (0.6, 0.95)


def wave(shape, pitch, k, at):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    r = np.hypot((rows - at[0]) * pitch[0], (columns - at[1]) * pitch[1])
    return np.cos(2 * k * r) / (r + 1)


def test_the_papers_sampling_is_left_alone():
    k = MATERIALS["au111"].k(np.arange(-230, 21, 2))
    scaling = plan(k, (0.469, 0.469), (80, 80), RANGE)
    assert scaling.identity and len(scaling.keep) == 126
    assert scaling.k.min() == pytest.approx(0.659, abs=0.002)
    assert scaling.k.max() == pytest.approx(0.900, abs=0.002)


@given(
    shape=st.tuples(st.integers(40, 90), st.integers(40, 90)),
    pitch=st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9)),
    k=st.floats(0.9, 1.6),
)
def test_points_come_back_where_they_were(shape, pitch, k):
    try:
        scaling = plan(np.array([k, 1.05 * k]), pitch, shape, RANGE)
    except PhysicsError:
        return
    assert RANGE[0] - 1e-9 <= scaling.k[0] and scaling.k[1] <= RANGE[1] + 1e-9
    points = np.array([[0, 0], [3.2, 7.7], [shape[0] - 1, shape[1] - 1]])
    np.testing.assert_allclose(scaling.to_old(scaling.to_new(points)), points, atol=1e-9)
    # Both grids share the centre, and their borders agree within half a new pixel.
    np.testing.assert_allclose(
        scaling.to_old((np.array(scaling.new_shape) - 1) / 2), (np.array(shape) - 1) / 2, atol=1e-9
    )
    assert np.all(
        np.abs(np.array(scaling.new_shape) * scaling.step - shape) <= 0.5 * np.array(scaling.step) + 1e-9
    )


@pytest.mark.parametrize("pitch", [(0.16, 0.16), (0.6, 0.6), (0.2, 0.45)])
def test_a_resampled_wave_is_the_wave(pitch):
    k = 1.6
    shape = (90, 84)
    at = np.array([41.3, 38.8])
    scaling = plan(np.array([k]), pitch, shape, RANGE)
    out, mask = scaling.resample(wave(shape, pitch, k, at)[None])
    new = np.array(scaling.step) * pitch
    assert new == pytest.approx([scaling.pixel_nm] * 2)
    expected = wave(scaling.new_shape, new, k, scaling.to_new(at[None])[0])
    inner = np.s_[4:-4, 4:-4]
    far = (
        np.hypot(*(np.mgrid[: out.shape[1], : out.shape[2]] - scaling.to_new(at[None])[0][:, None, None])) > 4
    )
    error = np.where(far, out[0] - expected, 0)[inner]
    assert np.abs(error).max() < 0.15 * np.abs(np.where(far, expected, 0)).max()
    assert mask.all() and out.dtype == np.float32


def test_gaps_stay_gaps_and_do_not_leak():
    scaling = plan(np.array([1.6]), (0.16, 0.16), (90, 90), RANGE)
    maps = np.ones((1, 90, 90), np.float32)
    maps[:, 30:60] = np.nan
    out, mask = scaling.resample(maps)
    assert 0.6 < mask.mean() < 0.73
    np.testing.assert_allclose(out[0][mask], 1, atol=1e-5)
    back = scaling.back(np.where(mask, out[0], np.nan))
    assert np.isnan(back[45, 45]) and back[5, 5] == pytest.approx(1, abs=1e-5)


def test_downsampling_does_not_alias():
    scaling = plan(np.array([1.6]), (0.1, 0.1), (120, 120), RANGE)
    stripes = np.where(np.arange(120) % 2, 1.0, -1.0)[None, None, :] * np.ones((1, 120, 1))
    out, _ = scaling.resample(stripes)
    assert np.abs(out[:, 3:-3, 3:-3]).max() < 0.05


def test_voltages_outside_the_band_are_left_out_with_a_remark():
    bias = np.array([-600.0, -550, -200, -150, -100])
    scaling = plan(MATERIALS["au111"].k(bias), (0.469, 0.469), (80, 80), RANGE)
    assert scaling.keep.tolist() == [2, 3, 4]
    assert "2 of 5" in scaling.remarks[0]


def test_too_wide_a_range_keeps_the_most_voltages():
    k = np.concatenate([[0.3, 0.4], np.linspace(1.2, 1.7, 10)])
    scaling = plan(k, (0.469, 0.469), (80, 80), RANGE)
    assert len(scaling.keep) == 10 and "10 of 12" in scaling.remarks[0]


@pytest.mark.parametrize(
    ("k", "pitch", "shape", "words"),
    [
        (np.array([np.nan]), (0.4, 0.4), (80, 80), "inside the surface band"),
        (np.array([1.5]), (2.0, 2.0), (80, 80), "too coarse"),
        (np.array([0.5]), (0.05, 0.05), (60, 60), "too small"),
    ],
)
def test_what_cannot_be_is_said(k, pitch, shape, words):
    with pytest.raises(PhysicsError, match=words):
        plan(k, pitch, shape, RANGE)


def test_the_mean_wavevector_is_brought_where_the_network_knows_it_best():
    k = np.array([1.9, 2.4])  # at 0.16 nm far below the range
    edge, middle = (plan(k, (0.16, 0.16), (256, 256), (0.5, 1.15), k_mean=m) for m in (None, (0.7, 0.9)))
    assert edge.k[0] == pytest.approx(0.5)
    assert np.sqrt(middle.k[0] * middle.k[-1]) == pytest.approx(0.7)
    # A field that is sampled well already stays as it is.
    assert plan(k, (0.36, 0.36), (80, 80), (0.5, 1.15), k_mean=(0.7, 0.9)).identity
    # The range is the law, the mean a wish: wavevectors that fill the range leave no choice.
    wide = plan(np.array([1.0, 2.3]), (0.1, 0.1), (256, 256), (0.5, 1.15), k_mean=(0.9, 1.0))
    assert wide.k == pytest.approx([0.5, 1.15])
