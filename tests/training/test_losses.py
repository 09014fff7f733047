"""The losses against numbers computed by hand."""

import math

import pytest
import torch

from friedel.training.losses import (
    correction_loss,
    entropy,
    least_prediction_loss,
    log_y,
    prediction_loss,
    regulariser,
    sharpness,
    total_loss,
)

# Softmax of ln 1, ln 2, ln 3, ln 4 is 0.1, 0.2, 0.3, 0.4.
S = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]).log() + 7.0
Y = [0.1, 0.2, 0.3, 0.4]
H = -sum(y * math.log(y) for y in Y)  # 1.2799 nat


def test_softmax_over_the_patch():
    assert torch.allclose(log_y(S).exp().flatten(), torch.tensor(Y))


def test_l0_by_hand():
    label = torch.tensor([[[0.0, 0.5], [0.0, 0.5]]])
    assert prediction_loss(S, label).item() == pytest.approx(-0.5 * (math.log(0.2) + math.log(0.4)), abs=1e-5)


def test_l0_is_averaged_over_the_batch():
    label = torch.tensor([[[0.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]])
    expected = -(math.log(0.2) + math.log(0.4)) / 2
    assert prediction_loss(S.expand(2, 2, 2), label).item() == pytest.approx(expected, abs=1e-5)


def test_l0_cannot_be_less_than_the_labels_allow():
    label = torch.tensor([[[0.5, 0.5], [0.0, 0.0]]])
    s = torch.tensor([[[30.0, 30.0], [0.0, 0.0]]])
    assert prediction_loss(s, label).item() == pytest.approx(math.log(2), abs=1e-5)
    assert least_prediction_loss(torch.tensor([2, 1])) == pytest.approx(math.log(2) / 2)


def test_l_reg_by_hand():
    assert regulariser(S).item() == pytest.approx(H, abs=1e-5)
    flat = torch.zeros(1, 2, 2)
    assert regulariser(torch.cat([S, flat])).item() == pytest.approx((H + math.log(4)) / 2, abs=1e-5)


def test_total_loss_by_hand():
    label = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    l0, l_reg = prediction_loss(S, label), regulariser(S)
    assert total_loss(l0, l_reg, 0.03).item() == pytest.approx(-math.log(0.1) + 0.03 * H, abs=1e-5)
    assert total_loss(l0, l_reg, 0.0).item() == l0.item()


def test_mask_takes_pixels_out_of_the_softmax():
    mask = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])
    assert torch.allclose(log_y(S, mask).flatten()[[1, 3]].exp(), torch.tensor([1 / 3, 2 / 3]))
    expected = -(math.log(1 / 3) / 3 + 2 * math.log(2 / 3) / 3)
    assert entropy(S, mask).item() == pytest.approx(expected, abs=1e-5)


def test_nothing_acquired_gives_finite_gradients():
    s = S.clone().requires_grad_(True)
    regulariser(s, torch.zeros(1, 2, 2)).backward()
    assert torch.isfinite(s.grad).all()


def test_sharpness_is_0_for_flat_and_1_for_a_single_peak():
    peak = torch.zeros(1, 4, 4)
    peak[0, 1, 2] = 50.0
    assert sharpness(peak).item() == pytest.approx(1, abs=1e-4)
    assert sharpness(torch.zeros(1, 4, 4)).item() == pytest.approx(0, abs=1e-5)
    mask = torch.ones(1, 4, 4)
    mask[:, 2:] = 0
    assert sharpness(torch.zeros(1, 4, 4), mask).item() == pytest.approx(0, abs=1e-5)


def test_corrections_by_hand():
    s = torch.zeros(1, 5, 5)
    s[0, 0, 0], s[0, 4, 4] = 2.0, 1.0
    target = torch.full((1, 5, 5), float("nan"))
    target[0, 0, 1], target[0, 4, 4] = 1.0, 0.0  # the first is one pixel beside its peak

    def sigmoid(x):
        return 1 / (1 + math.exp(-x))

    expected = -(math.log(sigmoid(3 * 2 - 1)) + math.log(1 - sigmoid(3 * 1 - 1))) / 2
    assert correction_loss(3 * s - 1, target).item() == pytest.approx(expected, abs=1e-5)
    assert correction_loss(s, torch.full_like(s, float("nan"))).item() == 0
