"""The friedel network's physics: its matched field, pooling of voltages, indifference to what it should not see."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from friedel.models.friedel_net import SYMMETRIES, WaveConfig, WaveNet, build, config_of
from friedel.models.matched_field import MatchedField, pool_voltages

SMALL = WaveConfig(width=6, d_q=4, d_v=4, head=8, dilations=(1, 2))


def _wave(points, k, size=48, delta=0.4):
    rows, columns = np.mgrid[:size, :size]
    out = np.zeros((len(k), size, size))
    for row, column in points:
        r = np.hypot(rows - row, columns - column)
        out += np.cos(2 * np.asarray(k)[:, None, None] * r + delta) / (r + 1)
    return torch.tensor(out, dtype=torch.float32)[None]


def _network(seed=0):
    torch.manual_seed(seed)
    network = WaveNet(SMALL).eval()
    torch.nn.init.normal_(network.project.weight, std=0.3)
    return network


def test_matched_field_of_noise_has_unit_energy():
    noise = torch.randn(1, 6, 64, 64, generator=torch.Generator().manual_seed(0))
    k = torch.full((1, 6), 0.8)
    field = MatchedField((5.0, 12.0, 28.0))(noise, k, torch.ones(1, 64, 64))
    energy = field.square().mean(dim=(0, 1, 4, 5)).sum(dim=1)  # a ring: both quadratures
    torch.testing.assert_close(energy, torch.full((3,), 2.0), rtol=0.15, atol=0)


def test_matched_field_is_coherent_at_the_source_in_every_ring():
    k = torch.linspace(0.66, 0.9, 12)
    point = (20, 29)
    field = MatchedField((5.0, 12.0, 28.0))(_wave([point], k.numpy()), k[None], torch.ones(1, 48, 48))[0]
    for ring in range(3):
        coherent = field[:, ring].sum(dim=0).square().sum(dim=0)
        assert np.unravel_index(int(coherent.argmax()), (48, 48)) == point
        phase = torch.atan2(field[:, ring, 1, *point], field[:, ring, 0, *point])
        assert phase.std() < 0.3  # the same at every voltage


def test_matched_field_with_a_wrong_wavevector_is_weaker():
    k = torch.linspace(0.66, 0.9, 8)
    maps, mask = _wave([(24, 24)], k.numpy()), torch.ones(1, 48, 48)
    matched = MatchedField((28.0,))
    right = matched(maps, k[None], mask)[0, :, 0].sum(0).square().sum(0)[24, 24]
    wrong = matched(maps, 1.15 * k[None], mask)[0, :, 0].sum(0).square().sum(0)[24, 24]
    assert right > 3 * wrong


def test_pooling_averages_neighbours_in_the_order_of_k():
    maps = torch.arange(6.0).view(1, 6, 1, 1).expand(1, 6, 2, 2)
    k = torch.linspace(0.9, 0.4, 6)[None]
    pooled, k_pooled = pool_voltages(maps, k, 3)
    assert pooled[0, :, 0, 0].tolist() == [4.5, 2.5, 0.5]
    torch.testing.assert_close(k_pooled, torch.tensor([[0.45, 0.65, 0.85]]))
    few, k_few = pool_voltages(maps, k, 12)
    assert few.shape[1] == 6 and k_few[0, 0] < k_few[0, -1]


@pytest.mark.parametrize("voltages", [1, 2, 5, 30])
@pytest.mark.parametrize("shape", [(16, 16), (33, 20)])
def test_takes_any_number_of_voltages_and_any_field(voltages, shape):
    out = _network()(torch.randn(2, voltages, *shape), torch.full((2, voltages), 0.8), torch.ones(2, *shape))
    assert out.s.shape == (2, *shape)
    assert out.offset is not None and out.offset.shape == (2, 2, *shape) and out.offset.abs().max() <= 1.5
    assert out.log_sigma is not None and torch.isfinite(out.log_sigma).all()


def test_the_order_of_the_voltages_does_not_matter():
    network, k = _network(), torch.linspace(0.6, 0.9, 20)[None]
    maps, mask = torch.randn(1, 20, 24, 24), torch.ones(1, 24, 24)
    torch.testing.assert_close(
        network(maps, k, mask).s, network(maps.flip(1), k.flip(1), mask).s, atol=1e-4, rtol=1e-4
    )


def test_gain_and_offset_of_a_map_do_not_matter():
    network, k = _network(), torch.linspace(0.6, 0.9, 8)[None]
    maps, mask = torch.randn(1, 8, 24, 24), torch.ones(1, 24, 24)
    torch.testing.assert_close(
        network(maps, k, mask).s, network(3 * maps + 7, k, mask).s, atol=1e-3, rtol=1e-3
    )


def test_pixels_that_were_not_acquired_cannot_speak():
    network, k = _network(), torch.linspace(0.6, 0.9, 8)[None]
    maps, mask = torch.randn(1, 8, 24, 24), torch.ones(1, 24, 24)
    mask[:, 15:] = 0
    other = torch.where(mask[:, None] > 0, maps, 1e3 * torch.randn_like(maps))
    torch.testing.assert_close(network(maps, k, mask).s, network(other, k, mask).s, atol=1e-4, rtol=1e-4)


def test_the_configuration_makes_the_same_network_again():
    network = _network()
    simulated = build(config_of(network))
    simulated.load_state_dict(network.state_dict())
    maps, k, mask = torch.randn(1, 4, 16, 16), torch.full((1, 4), 0.8), torch.ones(1, 16, 16)
    torch.testing.assert_close(network(maps, k, mask).s, simulated.eval()(maps, k, mask).s)


def test_an_untrained_network_believes_in_nothing():
    out = WaveNet(SMALL)(torch.randn(1, 4, 16, 16), torch.full((1, 4), 0.8), torch.ones(1, 16, 16))
    assert out.s.sigmoid().max().item() == pytest.approx(1 / (1 + math.exp(4)), rel=1e-3)


@pytest.mark.parametrize(
    ("n_augment", "number"), [(2, 1), (4, 1), (4, 2), (4, 3), (8, 4), (8, 5), (8, 6), (8, 7)]
)
def test_with_augmentation_a_turned_field_gives_the_turned_answer(n_augment, number):
    network = _network()
    network.config = replace(network.config, n_augment=n_augment)
    torch.nn.init.normal_(network.head[0].second.weight, std=0.2)
    rng = torch.Generator().manual_seed(3)
    maps, k = torch.randn(1, 5, 24, 32, generator=rng), torch.linspace(0.6, 0.9, 5)[None]
    mask = torch.ones(1, 24, 32)
    mask[:, :4] = 0
    maps, symmetry = maps * mask[:, None], SYMMETRIES[number]
    with torch.no_grad():
        there = network(maps, k, mask)
        turned = network(symmetry.of(maps), k, symmetry.of(mask))
        once = network._forward_once(network.prepare(maps, k, mask))[0]
    torch.testing.assert_close(symmetry.back(turned.s), there.s, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(symmetry.vectors_back(turned.offset), there.offset, atol=1e-4, rtol=1e-4)
    assert (once - there.s).abs().max() > 1e-2  # one pass alone does not have that symmetry
    with torch.no_grad():
        training = network.train()(maps, k, mask)
    torch.testing.assert_close(training.s, once)


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_a_symmetry_turns_points_and_their_offsets_together(symmetry):
    """A point at (3.25, 7.5) of 12 × 16 px, as its pixel and its offset, is found again at the same place."""
    peak, offset = torch.zeros(1, 12, 16), torch.zeros(1, 2, 12, 16)
    peak[0, 3, 8] = 1.0
    offset[0, :, 3, 8] = torch.tensor([0.25, -0.5])
    seen = symmetry.of(peak)
    assert seen.shape == ((1, 16, 12) if symmetry.exchanged else (1, 12, 16))
    torch.testing.assert_close(symmetry.back(seen), peak)
    rows, columns = (torch.arange(n, dtype=torch.float32) for n in (12, 16))
    place = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None] + offset
    # Coordinates of the turned picture, as a network would give them there.
    row, column = (int(v) for v in torch.nonzero(seen[0])[0])
    at = place[0, :, 3, 8]
    turned = at.flip(0) if symmetry.exchanged else at.clone()
    for axis in symmetry.reversed_axes:
        turned[axis] = seen.shape[axis] - 1 - turned[axis]
    there = torch.zeros(1, 2, *seen.shape[1:])
    there[0, :, row, column] = turned - torch.tensor([row, column])
    torch.testing.assert_close(symmetry.vectors_back(there), offset)


def test_headers_of_format_1_build_the_same_network():
    """They say `views` or nothing of augmentation, and nothing of the wavevector's scale."""
    config = config_of(WaveNet(SMALL))
    for name in ("n_augment", "k_centre", "k_scale"):
        del config[name]
    assert build(config | {"views": 2}).config == replace(SMALL, n_augment=2)
    assert build(config).config == SMALL
    assert (SMALL.k_centre, SMALL.k_scale) == (0.78, 4.0)


@pytest.mark.parametrize(
    "bad",
    [
        {"groups": 0},
        {"groups": 10**9},
        {"width": -1},
        {"width": 2.5},
        {"rings": []},
        {"rings": [5.0, 3.0]},
        {"rings": [float("nan")]},
        {"dilations": [1] * 1000},
        {"dilations": 3},
        {"tile": 0},
        {"overlap": 10**6},
        {"n_augment": 3},
        {"n_augment": True},
        {"n_augment": 2.0},
        {"k_scale": 0.0},
    ],
)
def test_sizes_that_make_no_network_are_refused(bad):
    with pytest.raises((ValueError, TypeError)):
        build(config_of(WaveNet(SMALL)) | bad)
