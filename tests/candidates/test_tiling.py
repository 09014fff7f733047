import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from friedel.candidates.tiling import even, iter_run, layout, starts
from friedel.errors import ModelError
from friedel.models.base import Output
from friedel.progress import drain


class Blur(torch.nn.Module):
    """A network whose answer at a pixel needs a 5×5 neighbourhood; it remembers the sizes it was given."""

    def __init__(self):
        super().__init__()
        self.kernel = torch.nn.Parameter(torch.ones(1, 1, 5, 5) / 25)
        self.seen = []

    def forward(self, maps, k, mask):
        self.seen.append((tuple(maps.shape), tuple(k.shape), tuple(mask.shape)))
        s = torch.nn.functional.conv2d(maps.mean(1, keepdim=True), self.kernel, padding=2)[:, 0]
        return Output(s, torch.stack([s * 0 + 0.25, s * 0 - 0.25], 1), s * 0 - 1)


def model(**header):
    network = Blur()
    return SimpleNamespace(network=network, header=header, name="blur", device=torch.device("cpu"))


def run(which, maps, mask, mode="blend"):
    return drain(iter_run(which, maps, np.array([0.7, 0.8]), mask, layout(which, mode)))


@given(st.integers(1, 300), st.integers(4, 100), st.integers(0, 50))
def test_tiles_cover_every_pixel_and_stay_inside(length, size, overlap):
    overlap = min(overlap, size // 2)
    first = starts(length, size, overlap)
    covered = np.zeros(length, bool)
    for start in first:
        assert start >= 0 and start + min(size, length) <= length
        covered[start : start + size] = True
    assert covered.all()
    assert all(b - a <= size - overlap for a, b in itertools.pairwise(first))


@given(st.integers(1, 600), st.integers(8, 200), st.integers(0, 50))
def test_even_tiles_are_as_few_and_no_larger_than_they_must(length, largest, overlap):
    overlap = min(overlap, largest // 2)
    size, count = even(length, largest, overlap), len(starts(length, largest, overlap))
    assert size <= min(length, largest)
    assert len(starts(length, size, overlap)) == count
    assert count * (size - 1) - (count - 1) * overlap < length  # a pixel less would not do


def test_blend_has_no_seams():
    maps = np.random.default_rng(0).standard_normal((2, 70, 90)).astype(np.float32)
    mask = np.ones((70, 90), bool)
    whole = run(model(config={"tile": 200}), maps, mask)
    cut = model(config={"tile": 16, "overlap": 8})  # up to twice as large where fewer do
    tiled = run(cut, maps, mask)
    assert len(cut.network.seen) > 4 and {shape[0] for shape in cut.network.seen} == {(1, 2, 29, 29)}
    np.testing.assert_allclose(tiled.s, whole.s, atol=0.02)
    np.testing.assert_allclose(
        tiled.offset, np.array([0.25, -0.25])[:, None, None] * np.ones((1, 70, 90)), atol=1e-5
    )
    np.testing.assert_allclose(tiled.sigma, np.exp(-1), rtol=1e-5)


def test_paper_patches_are_disjoint_and_scaled_by_themselves():
    maps = np.random.default_rng(1).standard_normal((2, 40, 50)).astype(np.float32)
    maps[:, :20, :20] *= 100
    which = model(patch=20)
    found = run(which, maps, np.ones((40, 50), bool), "paper")
    assert [shape[0] for shape in which.network.seen] == [(1, 2, 20, 20)] * 6
    assert found.s.std() < 1  # the strong patch was brought to the others' scale
    assert np.isfinite(found.s).all()


def test_what_was_not_acquired_stays_nan():
    maps = np.ones((2, 30, 30), np.float32)
    mask = np.ones((30, 30), bool)
    mask[10:] = False
    found = run(model(), maps, mask)
    assert np.isnan(found.s[10:]).all() and np.isfinite(found.s[:10]).all()
    with pytest.raises(ModelError, match="Nothing was acquired"):
        run(model(), maps, np.zeros((30, 30), bool))


def test_an_unknown_mode_is_refused():
    with pytest.raises(ModelError, match="blend"):
        layout(model(), "mosaic")
