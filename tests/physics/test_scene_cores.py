"""Cores of scatterers: a made-up signal where they are, and nothing anywhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings, strategies as st

from friedel.physics.scene import SceneConfig, _scramble_cores

SIZE, VOLTAGES = 20, 3
CONFIG = SceneConfig(size=SIZE, voltages=VOLTAGES, core_kept=0.0, core_filled=0.0)
GRID = torch.stack(torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij"), -1).float()


def _fields(seed: int, batch: int = 2, n: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random maps (B, V, H, W), points (B, N, 2) in and around the field, and which of them are there."""
    rng = torch.Generator().manual_seed(seed)
    maps = 1 + 0.1 * torch.randn(batch, VOLTAGES, SIZE, SIZE, generator=rng)
    points = torch.rand(batch, n, 2, generator=rng) * (SIZE + 8) - 4
    return maps, points, torch.rand(batch, n, generator=rng) < 0.7


def _scrambled(maps, points, present, config, seed=0) -> torch.Tensor:
    pixels = GRID.view(1, -1, 2).expand(len(maps), -1, 2)
    return _scramble_cores(maps, points, present, pixels, config, torch.Generator().manual_seed(seed))


def _to_nearest(points: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Distance of each pixel to the nearest scatterer that is there, (B, H, W)."""
    r = torch.cdist(GRID.view(1, -1, 2), points) + 1e6 * ~present[:, None]
    return r.amin(dim=2).view(-1, SIZE, SIZE)


seeds = st.integers(0, 2**31 - 1)


@given(seed=seeds, widest=st.floats(1.0, 6.0))
@settings(max_examples=30)
def test_outside_all_cores_the_map_stays(seed, widest):
    maps, points, present = _fields(seed)
    config = replace(CONFIG, core=(0.5, widest))
    out = _scrambled(maps, points, present, config, seed)
    assert out.isfinite().all()
    # A rim of width e falls as exp(−distance / e): ten widths from the widest core nothing is left.
    outside = (_to_nearest(points, present) > widest + 10 * config.core_edge[1])[:, None].expand_as(maps)
    torch.testing.assert_close(out[outside], maps[outside], atol=1e-3, rtol=0)


@given(seed=seeds)
@settings(max_examples=30)
def test_without_scatterers_nothing_changes(seed):
    maps, points, present = _fields(seed)
    torch.testing.assert_close(_scrambled(maps, points, torch.zeros_like(present), CONFIG, seed), maps)


@given(seed=seeds)
@settings(max_examples=30)
def test_kept_cores_leave_the_maps_as_they_are(seed):
    maps, points, present = _fields(seed)
    assert torch.equal(_scrambled(maps, points, present, replace(CONFIG, core_kept=1.0), seed), maps)


@given(seed=seeds)
@settings(max_examples=30)
def test_filled_cores_hold_their_surroundings(seed):
    """A spike on each scatterer is gone, and nothing farther away than the hole has changed."""
    maps, points, present = _fields(seed)
    hole = _to_nearest(points, present) <= 1.6
    spiked = torch.where(hole[:, None], torch.tensor(100.0), maps)
    out = _scrambled(spiked, points, present, replace(CONFIG, core_filled=1.0), seed)
    far = ~hole[:, None].expand_as(maps)
    assert torch.equal(out[far], spiked[far])
    for field, known, there in zip(out, maps, hole, strict=True):
        if there.any():
            around = known[:, ~there]
            inside = field[:, there]
            assert (inside <= around.amax() + 1e-4).all() and (inside >= around.amin() - 1e-4).all()


@pytest.mark.parametrize("widest", [4.0, 12.0, 40.0])
def test_large_cores_are_allowed_and_do_change_the_map(widest):
    maps, points, present = _fields(3, batch=8)
    present[:, 0] = True
    points[:, 0] = SIZE / 2
    out = _scrambled(maps, points, present, replace(CONFIG, core=(widest / 2, widest)), 5)
    assert out.isfinite().all()
    # `largest` is 0.4 to 1 of the widest: this near, every field's core covers the pixel.
    near = _to_nearest(points, present) < 0.4 * widest - 1
    changed = ((out - maps).abs() > 1e-3).float().mean(dim=1)
    assert near.any() and (changed[near] > 0.5).float().mean() > 0.95


def test_each_fate_has_its_share():
    maps, points, present = _fields(1, batch=400, n=1)
    points[:], present[:] = SIZE / 2, True
    config = replace(CONFIG, core=(3.0, 3.4), core_kept=0.2, core_filled=0.5)
    difference = (_scrambled(maps, points, present, config) - maps).abs().amax(dim=1)
    same = (difference == 0).flatten(1).all(dim=1)
    beyond_the_hole = _to_nearest(points, present) > 1.6
    filled = ~same & ((difference * beyond_the_hole).flatten(1).amax(dim=1) == 0)
    for share, wanted in ((same, 0.2), (filled, 0.5), (~same & ~filled, 0.3)):
        assert share.float().mean().item() == pytest.approx(wanted, abs=0.08)
