"""The two kinds of calibration."""

import numpy as np
import pytest
import torch

from friedel.models.calibration import linear_logit, logit, scales
from friedel.models.registry import Model

RELATIVE = {"spread": 2.0, "noise": 1.0, "intercept": -3.0, "typical_spread": 4.0, "typical_noise": 2.0}


def test_absolute_by_hand():
    s = torch.tensor([[0.0, 1.0], [2.0, -1.0]])
    assert torch.equal(logit(s, {"slope": 2.0, "intercept": -1.0}), 2 * s - 1)
    assert torch.equal(logit(s, {}), s)


def test_scales_of_gaussian_noise_are_its_width():
    s = 3.0 * torch.randn(1, 300, 300, generator=torch.Generator().manual_seed(0)) + 7
    spread, noise = scales(s)
    assert spread.item() == pytest.approx(3, rel=0.02) and noise.item() == pytest.approx(3, rel=0.02)


def test_peaks_raise_the_spread_and_hardly_the_noise():
    s = torch.randn(50, 50, generator=torch.Generator().manual_seed(0))
    s[::10, ::10] += 30
    spread, noise = scales(s)
    assert spread.item() > 2.5 and noise.item() == pytest.approx(1, rel=0.1)


def test_relative_by_hand():
    s = torch.randn(40, 40, generator=torch.Generator().manual_seed(0))
    s[3, 4] = 12.0
    spread, noise = (one.item() for one in scales(s))
    expected = 2 * np.log(12 / spread) + np.log(12 / noise) - 3
    assert logit(s, RELATIVE)[3, 4].item() == pytest.approx(expected, abs=1e-4)


def test_relative_does_not_see_the_scale_of_s_and_gives_nothing_below_zero():
    s = torch.randn(2, 20, 20, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(logit(s, RELATIVE)[s > 0.01], logit(100 * s, RELATIVE)[s > 0.01], atol=1e-3)
    assert logit(s, RELATIVE)[s < 0].sigmoid().max() < 1e-6


def test_not_acquired_pixels_change_nothing_elsewhere():
    s = torch.randn(20, 20, generator=torch.Generator().manual_seed(0))
    half = s.clone()
    half[10:] = float("nan")
    assert torch.allclose(logit(half, RELATIVE)[:10], logit(s[:10], RELATIVE))


def test_single_values_take_the_typical_scales():
    value = logit(torch.tensor([8.0]), RELATIVE).item()
    assert value == pytest.approx(2 * np.log(2) + np.log(4) - 3, abs=1e-5)


@pytest.mark.parametrize("calibration", [{}, {"slope": 2.0, "intercept": -1.0}, RELATIVE])
def test_arrays_and_tensors_agree(calibration):
    model = Model(torch.nn.Linear(1, 1), {"calibration": calibration})
    s = np.random.default_rng(0).normal(size=(3, 12, 12))
    of_array, of_tensor = model.probability(s), model.probability(torch.from_numpy(s))
    assert isinstance(of_array, np.ndarray) and of_array.shape == s.shape
    np.testing.assert_allclose(of_array, of_tensor.numpy(), atol=1e-6)
    assert of_array.min() >= 0 and of_array.max() <= 1


def test_the_tangent_touches_at_even_odds_and_goes_on_below_zero():
    s = torch.randn(30, 30, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    spread, noise = scales(s.detach())
    even = (spread**2 * noise * np.exp(3)) ** (1 / 3)
    at = even.item()
    with torch.no_grad():
        s[5, 5], s[6, 6] = at, 1.001 * at
    curve, line = logit(s, RELATIVE), linear_logit(s, RELATIVE)
    assert abs(line[5, 5] - curve[5, 5]) < 5e-3
    assert (line[6, 6] - line[5, 5]).item() == pytest.approx((curve[6, 6] - curve[5, 5]).item(), rel=0.02)
    below = line[s < 0]
    assert torch.isfinite(below).all() and below.max() < -2
    line.sum().backward()
    assert torch.isfinite(s.grad).all()
