"""Batches as the network sees them."""

import numpy as np
import torch

from friedel.physics.eq3 import FriedelConfig
from friedel.stack import normalise
from friedel.training.patches import VoltageChoice, friedel_batch, normalise_maps, symmetry


def test_same_as_the_stack_is_normalised():
    maps = torch.randn(1, 3, 6, 7) * 4 + 2
    mask = torch.ones(1, 6, 7)
    mask[:, 4:] = 0
    stack = maps[0].numpy().copy()
    stack[:, 4:] = np.nan
    expected = np.nan_to_num(normalise(stack))
    np.testing.assert_allclose(normalise_maps(maps, mask)[0].numpy(), expected, atol=1e-5)
    assert torch.equal(normalise_maps(torch.full((1, 1, 3, 3), 2.0)), torch.zeros(1, 1, 3, 3))


def test_voltages_are_drawn_without_replacement_and_in_order():
    choice = VoltageChoice((0.5, 0.6, 0.7, 0.8), (2, 3))
    seen = set()
    for seed in range(20):
        k = choice.draw(5, torch.Generator().manual_seed(seed))
        seen.add(k.shape[1])
        assert (k.diff(dim=1) > 0).all() and k.shape[0] == 5
    assert seen == {2, 3}


def test_stretch_is_one_factor_a_scene():
    choice = VoltageChoice((0.5, 0.8), (2, 2), (0.9, 1.1))
    k = choice.draw(100, torch.Generator().manual_seed(0))
    factor = k / torch.tensor([0.5, 0.8])
    assert torch.allclose(factor[:, 0], factor[:, 1])
    assert 0.9 <= factor.min() < 0.92 and 1.08 < factor.max() <= 1.1
    np.testing.assert_allclose(choice.k_range, (0.45, 0.88))


def test_more_voltages_than_there_are():
    assert VoltageChoice((0.5, 0.8), (8, 16)).draw(2, torch.Generator().manual_seed(0)).shape == (2, 2)


def test_a_batch_is_normalised_and_labelled():
    batch = friedel_batch(FriedelConfig(), torch.full((4, 3), 0.7), torch.Generator().manual_seed(0))
    assert batch.maps.shape == (4, 3, 20, 20) and batch.mask.min() == 1
    assert torch.allclose(batch.maps.square().mean(dim=(-2, -1)), torch.ones(4, 3), atol=1e-4)
    assert torch.allclose(batch.label.sum(dim=(1, 2)), torch.ones(4))


def test_the_eight_symmetries_are_eight():
    square = torch.arange(9).reshape(1, 3, 3)
    images = {tuple(symmetry(square, i).flatten().tolist()) for i in range(8)}
    assert len(images) == 8
