"""The paper's network against its equations, written out as slow loops."""

import numpy as np
import pytest
import torch

from friedel.models.paper_net import AttentionConfig, AttentionNetwork, build


def network(**settings):
    torch.manual_seed(0)
    return AttentionNetwork(AttentionConfig(width=4, d_q=3, d_v=5, reference_voltages=2, **settings)).eval()


def slow_s(net, maps):
    """Eqs. (a) to (c) for one field, one voltage pair at a time; maps (V, H, W)."""
    with torch.no_grad():
        q, k, v = (x.numpy().astype(float) for x in net.encoder(maps[:, None]))
        projection = net.project.weight.numpy()[0]
    count, d, h, w = q.shape
    total = np.zeros((v.shape[1], h, w))
    for i in range(count):
        inner = [
            (q[i] * k[j]).sum(axis=0)
            if net.config.inner_product == "pixel"
            else (q[i] * k[j]).sum() / (h * w)
            for j in range(count)
        ]
        weights = [np.exp(value / np.sqrt(d)) for value in inner]
        z = sum(weights)
        total += sum(v[j] * weights[j] / z for j in range(count))
    s = np.tensordot(projection, total, axes=1) / net.config.reference_voltages
    return s - np.sort(s.ravel())[(s.size - 1) // 2]


@pytest.mark.parametrize("reading", ["pixel", "global"])
def test_equals_the_equations(reading):
    net = network(inner_product=reading)
    maps = torch.randn(4, 7, 6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        s = net(maps[None]).s[0].numpy()
    np.testing.assert_allclose(s, slow_s(net, maps), atol=1e-5)


@pytest.mark.parametrize("reading", ["pixel", "global"])
def test_pieces_change_nothing(reading):
    net = network(inner_product=reading)
    maps = torch.randn(2, 9, 8, 8)
    with torch.no_grad():
        whole = net(maps).s
        net.chunk = 600
        assert torch.allclose(net(maps).s, whole, atol=1e-6)
    assert torch.allclose(net(maps).s, whole, atol=1e-6)  # with gradients nothing is cut


@pytest.mark.parametrize("shape", [(1, 1, 5, 5), (2, 3, 20, 20), (1, 7, 11, 30)])
def test_any_number_of_voltages_and_any_patch(shape):
    with torch.no_grad():
        assert network()(torch.randn(shape)).s.shape == (shape[0], *shape[2:])


@pytest.mark.parametrize("reading", ["pixel", "global"])
def test_the_order_of_the_voltages_does_not_matter(reading):
    net = network(inner_product=reading)
    maps = torch.randn(1, 6, 8, 8)
    with torch.no_grad():
        assert torch.allclose(net(maps).s, net(maps.flip(1)).s, atol=1e-5)


def test_evidence_adds_up_over_voltages():
    net = network()
    maps = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        once, twice = net(maps).s, net(torch.cat([maps, maps], dim=1)).s
    assert torch.allclose(twice, 2 * once, atol=1e-5)


def test_the_median_of_s_over_acquired_pixels_is_zero():
    net, maps = network(), torch.randn(1, 3, 9, 9)
    mask = torch.ones(1, 9, 9)
    mask[:, 4:] = 0
    with torch.no_grad():
        s = net(maps, None, mask).s
    assert s[0, :4].median().abs() < 1e-6


def test_every_weight_learns():
    net = network()
    net(torch.randn(2, 4, 10, 10)).s.square().sum().backward()
    for name, weight in net.named_parameters():
        if name != "encoder.heads.bias":  # the keys' bias cancels in exp⟨Q, K⟩ / Z
            assert weight.grad is not None and weight.grad.abs().sum() > 0, name


def test_config_round_trip_and_unknown_settings():
    config = AttentionConfig(width=4, inner_product="global")
    assert build(config.as_dict()).config == config
    with pytest.raises(ValueError, match="colour"):
        build({"colour": 1})
    with pytest.raises(ValueError, match="inner_product"):
        build({"inner_product": "sideways"})
