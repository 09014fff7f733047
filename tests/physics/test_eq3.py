"""Eq. 3 against a slow loop, and the labels and scaling that go with it."""

import numpy as np
import pytest
import torch

from friedel.physics.eq3 import FriedelConfig, density, labels, paper_k, scale, scenes


def slow_density(positions, amplitude, phase, k, size, epsilon, decay):
    """Eq. 3, one pixel, voltage and impurity at a time."""
    batch, voltages = k.shape
    out = np.zeros((batch, voltages, size, size))
    for b in range(batch):
        for v in range(voltages):
            for row in range(size):
                for column in range(size):
                    for w in range(positions.shape[1]):
                        r = np.sqrt((row - positions[b, w, 0]) ** 2 + (column - positions[b, w, 1]) ** 2)
                        wave = np.cos(2 * k[b, v] * r + phase[b, v, w])
                        out[b, v, row, column] += amplitude[b, v, w] * wave / (r + epsilon) ** decay
    return out


@pytest.mark.parametrize(("epsilon", "decay"), [(1.0, 2.0), (0.5, 1.0)])
def test_density_equals_a_slow_loop(epsilon, decay):
    rng = np.random.default_rng(1)
    positions = rng.uniform(0, 8, (2, 3, 2))
    amplitude, phase = rng.uniform(0.5, 1, (2, 4, 3)), rng.uniform(0, 6, (2, 4, 3))
    k = rng.uniform(0.6, 0.9, (2, 4))
    fast = density(*map(torch.from_numpy, (positions, amplitude, phase, k)), 9, epsilon, decay).numpy()
    np.testing.assert_allclose(
        fast, slow_density(positions, amplitude, phase, k, 9, epsilon, decay), atol=1e-12
    )


def test_k_of_the_published_stack():
    k = paper_k()
    assert len(k) == 126
    np.testing.assert_allclose([k[0], k[-1]], [0.659, 0.900], atol=1.5e-3)


def test_scale_gives_mean_zero_before_division_and_largest_one():
    maps = torch.rand(2, 3, 5, 5) + 4
    scaled = scale(maps)
    assert torch.allclose(scaled.abs().amax(dim=(-2, -1)), torch.ones(2, 3))
    assert torch.allclose(scaled.mean(dim=(-2, -1)), torch.zeros(2, 3), atol=1e-5)
    assert torch.equal(scale(torch.full((1, 1, 4, 4), 3.0)), torch.zeros(1, 1, 4, 4))


def test_labels_by_hand():
    positions = torch.tensor([[[0.0, 1.2], [2.4, 2.0], [0.0, 0.0]]])
    label = labels(positions, torch.tensor([[True, True, False]]), 3)
    assert label.tolist() == [[[0, 0.5, 0], [0, 0, 0], [0, 0, 0.5]]]


def test_scenes_hold_what_was_asked_for():
    config = FriedelConfig(size=12, impurities=(2, 5), noise=0.0)
    k = torch.full((64, 2), 0.7)
    made = scenes(config, k, torch.Generator().manual_seed(3))
    number = made.present.sum(dim=1)
    assert number.min() == 2 and number.max() == 5
    assert torch.allclose(made.label.sum(dim=(1, 2)), torch.ones(64))
    assert torch.equal((made.label > 0).sum(dim=(1, 2)), number)  # distinct pixels
    assert torch.allclose(made.maps.abs().amax(dim=(-2, -1)), torch.ones(64, 2))
    on_pixels = made.positions[made.present]
    assert torch.equal(on_pixels, on_pixels.round())


def test_noise_has_the_width_eta_and_voltages_differ():
    k = torch.full((16, 4), 0.7)
    quiet = scenes(FriedelConfig(noise=0.0), k, torch.Generator().manual_seed(5)).maps
    noisy = scenes(FriedelConfig(noise=0.8), k, torch.Generator().manual_seed(5)).maps
    assert (noisy - quiet).std().item() == pytest.approx(0.8, rel=0.02)
    assert not torch.allclose(quiet[:, 0], quiet[:, 1])  # phases are drawn for every voltage


def test_scenes_are_determined_by_the_seed():
    k = torch.full((3, 2), 0.7)
    config = FriedelConfig(subpixel=True)
    first, again, other = (scenes(config, k, torch.Generator().manual_seed(seed)).maps for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_subpixel_positions_keep_their_pixel():
    made = scenes(FriedelConfig(subpixel=True), torch.full((8, 1), 0.7), torch.Generator().manual_seed(0))
    inside = made.positions[made.present]
    assert not torch.equal(inside, inside.round())
    flat = made.label[0].nonzero().float()
    nearest = torch.cdist(made.positions[0][made.present[0]], flat).min(dim=1).values
    assert nearest.max() <= 0.5 * 2**0.5 + 1e-6
