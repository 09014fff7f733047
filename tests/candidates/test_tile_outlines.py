"""The drawn tiles are the ones that the network sees."""

from __future__ import annotations

import numpy as np
import pytest

from friedel.candidates.tile_outlines import tile_outlines
from friedel.errors import PhysicsError
from friedel.models.registry import bundled_folder
from friedel.stack import make_stack

pytestmark = pytest.mark.skipif(
    not (bundled_folder() / "friedel.safetensors").exists(), reason="the bundled model is not in this tree"
)


def _stack(side: int, pixel: float):
    data = np.ones((3, side, side))
    return make_stack({"LockinX": data}, bias_mv=[-200, -100, 0], pixel_nm=pixel)


def test_paper_tiles_are_disjoint_and_cover_the_map() -> None:
    tiles = tile_outlines(_stack(80, 0.469), dispersion="au111", tiles="paper")
    assert len(tiles) == 16
    cover = np.zeros((80, 80), dtype=int)
    for (r0, r1), (c0, c1) in tiles:
        assert (r1 - r0, c1 - c0) == (20, 20)
        cover[round(r0 + 0.5) : round(r1 + 0.5), round(c0 + 0.5) : round(c1 + 0.5)] += 1
    assert (cover == 1).all()


def test_an_area_moves_the_tiles() -> None:
    tiles = tile_outlines(_stack(80, 0.469), dispersion="au111", tiles="paper", area=((30, 70), (10, 50)))
    assert len(tiles) == 4
    assert min(r0 for (r0, _), _ in tiles) == 29.5 and max(c1 for _, (_, c1) in tiles) == 49.5


def test_a_finer_map_has_larger_tiles() -> None:
    coarse, fine = _stack(80, 0.469), _stack(200, 0.12)
    width = [tile_outlines(stack, dispersion="au111", tiles="paper")[0][1] for stack in (coarse, fine)]
    assert width[1][1] - width[1][0] > 1.5 * (width[0][1] - width[0][0])


def test_without_a_band_the_size_is_unknown() -> None:
    with pytest.raises(PhysicsError, match="surface band"):
        tile_outlines(_stack(80, 0.469), dispersion=None)
