"""A small model and a small sample, quick enough for unit tests."""

import numpy as np
import pytest
import torch

from friedel.models.paper_net import AttentionConfig, AttentionNetwork
from friedel.models.registry import Model
from friedel.physics.dispersion import MATERIALS
from friedel.physics.eq3 import density, scale
from friedel.stack import make_stack


@pytest.fixture
def model():
    torch.manual_seed(0)
    network = AttentionNetwork(AttentionConfig(width=8, dilations=(1, 2), inner_product="global")).eval()
    # Large enough for the peaks of S to differ, as a trained network's do.
    network.project.weight.data *= 200
    header = {
        "architecture": "attention",
        "config": network.config.as_dict(),
        "k_range": [0.6, 0.95],
        "calibration": {
            "spread": 3.0,
            "noise": 0.5,
            "intercept": -3.5,
            "typical_spread": 1.0,
            "typical_noise": 1.0,
        },
        "threshold": 0.5,
    }
    return Model(network, header, "small", "f" * 64)


def eq3_stack(points, *, rows=32, columns=32, voltages=12, noise=0.3, seed=0):
    """A stack of Eq. 3 on Au(111) with impurities at `points` (row, column)."""
    rng = np.random.default_rng(seed)
    bias = np.linspace(-230, 20, voltages)
    k = torch.tensor(MATERIALS["au111"].k(bias) * 0.469)[None]
    positions = torch.tensor(np.asarray(points, dtype=float))[None]
    shape = (1, voltages, len(points))
    amplitude, phase = torch.tensor(rng.uniform(0.5, 1, shape)), torch.tensor(rng.uniform(0, 6.28, shape))
    maps = scale(density(positions, amplitude, phase, k, max(rows, columns)))[0, :, :rows, :columns].numpy()
    maps = maps + noise * rng.normal(size=maps.shape)
    stack = make_stack({"LockinX": maps + 5}, bias_mv=bias, pixel_nm=0.469)
    stack.attrs["truth"] = np.asarray(points)
    return stack


@pytest.fixture
def stack():
    return eq3_stack([(5, 6), (8, 22), (15, 14), (24, 27), (26, 8)])
