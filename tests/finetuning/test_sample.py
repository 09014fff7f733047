"""The sample as a network sees it: geometry, noise, patches, and what is refused."""

import warnings

import numpy as np
import pytest
import torch

from friedel.errors import FriedelWarning, PhysicsError, StackError
from friedel.finetuning.noise_estimate import measure_noise
from friedel.finetuning.sample import prepare_sample
from friedel.physics.dispersion import MATERIALS, Dispersion
from friedel.settings import PrepareSettings
from friedel.stack import make_stack

RANGE = (0.6, 0.95)


#: The preparation would leave a spot of this size out: it is no atom.
AS_RECORDED = PrepareSettings(as_recorded=True)


def blob_stack(pixel_nm, row, column, size=40):
    """One bright spot at a known place, in three maps."""
    y, x = np.mgrid[:size, :size]
    spot = np.exp(-((y - row) ** 2 + (x - column) ** 2) / 18.0)
    return make_stack(
        {"LockinX": np.stack([spot, 1.2 * spot, 1.4 * spot])}, bias_mv=[-200, -100, 0], pixel_nm=pixel_nm
    )


def test_a_sample_at_the_networks_own_pixel_is_left_alone(stack):
    sample = prepare_sample(stack, RANGE, "au111")
    assert sample.zoom == (1.0, 1.0) and sample.maps.shape == (12, 32, 32)
    assert torch.allclose(sample.maps.square().mean(dim=(1, 2)), torch.ones(12), atol=1e-4)
    np.testing.assert_allclose(sample.k.numpy(), MATERIALS["au111"].k(stack["bias"]) * 0.469, rtol=1e-5)


@pytest.mark.parametrize("pixel_nm", [0.23, 0.469, 0.8, (0.3, 0.6)])
def test_positions_survive_rescaling(pixel_nm):
    sample = prepare_sample(blob_stack(pixel_nm, 12.0, 25.0), RANGE, "au111", prepare=AS_RECORDED)
    assert RANGE[0] * 0.9 < sample.k.min() and sample.k.max() < RANGE[1] * 1.1
    # The nearest network pixel is half a network pixel away at most.
    peak = np.array(np.unravel_index(int(sample.maps[0].argmax()), sample.maps[0].shape))
    assert np.abs(sample.to_network([[12.0, 25.0]])[0] - peak).max() <= 0.75
    np.testing.assert_allclose(sample.to_stack(sample.to_network([[3.2, 7.9]])), [[3.2, 7.9]])


def test_an_area_keeps_the_stacks_coordinates(stack):
    sample = prepare_sample(stack, RANGE, "au111", area=((4, 30), (10, 32)))
    np.testing.assert_allclose(sample.to_network([[15, 14]]), [[11, 4]])
    assert sample.maps.shape[1:] == (26, 22)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_noise_is_measured(share):
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:80, :80]
    waves = np.stack([
        sum(np.cos(2 * k * np.hypot(y - r, x - c)) for r, c in rng.uniform(0, 80, (8, 2))) for k in (0.7, 0.8, 0.9)
    ])  # fmt: skip
    waves /= waves.std(axis=(1, 2), keepdims=True)
    noisy = np.sqrt(1 - share**2) * waves + share * rng.normal(size=waves.shape)
    assert measure_noise(noisy, np.array([0.7, 0.8, 0.9])).share == pytest.approx(share, rel=0.12)


def test_pixels_not_acquired_are_masked(stack):
    stack["LockinX"][:, 20:] = np.nan
    sample = prepare_sample(stack, RANGE, "au111")
    assert sample.mask[:20].min() == 1 and sample.mask[20:].max() == 0
    assert torch.isfinite(sample.maps).all() and sample.maps[:, 20:].abs().max() == 0


@pytest.mark.parametrize("pixel_nm", [0.23, 0.8])
def test_gaps_survive_rescaling(pixel_nm):
    gappy = blob_stack(pixel_nm, 12.0, 25.0)
    gappy["LockinX"][:, 24:] = np.nan
    sample = prepare_sample(gappy, RANGE, "au111", prepare=AS_RECORDED)
    edge = sample.to_network([[23.5, 0.0]])[
        0, 0
    ]  # between the last row that was acquired and the first that was not
    rows = np.flatnonzero(sample.mask.numpy().all(axis=1))
    assert rows[0] == 0 and abs(rows[-1] + 0.5 - edge) <= 0.75
    assert np.array_equal(sample.mask.numpy().any(axis=1), sample.mask.numpy().all(axis=1))
    assert torch.isfinite(sample.maps).all() and sample.maps[:, rows[-1] + 1 :].abs().max() == 0


def test_patches_are_cut_turned_and_normalised(stack):
    sample = prepare_sample(stack, RANGE, "au111")
    maps, k, mask = sample.patches(
        torch.tensor([[0, 0], [12, 5]]), 20, torch.tensor([0, 3, 7]), torch.tensor([0, 1])
    )
    assert maps.shape == (2, 3, 20, 20) and k.shape == (2, 3) and mask.shape == (2, 20, 20)
    assert torch.allclose(maps.mean(dim=(-2, -1)), torch.zeros(2, 3), atol=1e-5)
    raw = sample.maps[3, 12:32, 5:25].rot90()
    assert torch.corrcoef(torch.stack([maps[1, 1].flatten(), raw.flatten()]))[0, 1] > 0.999


def test_patches_prefer_what_was_acquired(stack):
    stack["LockinX"][:, 22:] = np.nan
    sample = prepare_sample(stack, RANGE, "au111")
    corners = sample.random_corners(8, 10, torch.Generator().manual_seed(0))
    share = [sample.mask[r : r + 10, c : c + 10].mean().item() for r, c in corners.tolist()]
    assert len(share) == 8 and np.mean(share) > 0.85


def test_a_sample_without_band_or_enough_pixels_is_refused_with_the_reason(stack):
    with pytest.raises(PhysicsError, match="surface band"):
        prepare_sample(stack, RANGE, None)
    with pytest.raises(PhysicsError, match="inside the surface band"):
        prepare_sample(stack, RANGE, Dispersion(100.0, 0.3))
    with pytest.raises(PhysicsError, match="too coarse"):
        prepare_sample(blob_stack(1.1, 12.0, 25.0), RANGE, "au111")
    with pytest.raises(PhysicsError, match="too small"):
        prepare_sample(
            make_stack(
                {"LockinX": np.random.default_rng(0).normal(size=(2, 4, 40))}, bias_mv=[0, 5], pixel_nm=0.469
            ),
            RANGE,
            "au111",
        )
    empty = stack.copy(deep=True)
    empty["LockinX"][:, 1:] = np.nan
    with pytest.raises(StackError, match="64 pixels"):
        prepare_sample(empty, RANGE, "au111")


def test_wavevectors_beyond_the_range_are_warned_of():
    wide = make_stack(
        {"LockinX": np.random.default_rng(0).normal(size=(3, 40, 40))}, bias_mv=[-500, 0, 500], pixel_nm=0.469
    )
    with pytest.warns(FriedelWarning, match="2 of 3 voltages are used"):
        assert len(prepare_sample(wide, RANGE, "au111").k) == 2


@pytest.mark.parametrize("pixel_nm", [0.23, 0.469, 0.8])
def test_the_detector_sees_the_same_pixels(pixel_nm):
    """Fine-tuning on other pixels than detection looks at would be fine-tuning for nothing."""
    from friedel._util.remarks import Remarks
    from friedel.prepare import PrepareSettings, Sampling, prepare

    stack = blob_stack(pixel_nm, 12.0, 25.0)
    stack["LockinX"][:, 30:, :7] = np.nan
    sample = prepare_sample(stack, RANGE, "au111")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FriedelWarning)
        seen = prepare(stack, None, MATERIALS["au111"], Sampling(RANGE), PrepareSettings(), Remarks())
    np.testing.assert_allclose(sample.maps.numpy(), seen.maps, atol=1e-4)
    np.testing.assert_allclose(sample.k.numpy(), seen.scaling.k, rtol=1e-6)
    assert np.array_equal(sample.mask.numpy() > 0, seen.mask)
