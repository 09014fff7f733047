"""Calibration of the friedel network: an oracle is certain, a blind network is not believed."""

import numpy as np
import pytest
import torch

from friedel.models.base import Output
from friedel.physics.scene import SceneConfig
from friedel.training.calibrate_friedel import calibrate_wave, collect

SCENES = SceneConfig(size=32, voltages=3, margin=4.0, density=(0.004, 0.008), closest=(2.0, 3.0))


class _Oracle(torch.nn.Module):
    """Sees the truth: S falls with the distance to it; positions are off by a known Gaussian error."""

    def __init__(self, error: float, claimed: float) -> None:
        super().__init__()
        self.error, self.claimed, self.truth = error, claimed, torch.zeros(0, 2)
        self.rng = torch.Generator().manual_seed(0)

    def forward(self, maps, k, mask):
        h, w = mask.shape[-2:]
        grid = torch.stack(torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij"), -1).float()
        if not len(self.truth):
            return Output(torch.full((1, h, w), -9.0), torch.zeros(1, 2, h, w), torch.zeros(1, h, w))
        gap = self.truth[:, None, None] - grid
        distance, nearest = gap.norm(dim=-1).min(dim=0)
        offset = torch.gather(gap, 0, nearest[None, ..., None].expand(1, h, w, 2))[0].permute(2, 0, 1)
        error = self.error * torch.randn(len(self.truth), 2, generator=self.rng)
        offset = offset + error[nearest].permute(2, 0, 1)
        return Output(
            (3 - 6 * distance)[None], offset[None], torch.full((1, h, w), float(np.log(self.claimed)))
        )


@pytest.fixture
def shown(monkeypatch):
    """Let the oracle see each scene that is drawn."""

    def prepare(oracle):
        from friedel.training import calibrate_friedel as wave_calibrate

        draw = wave_calibrate.clean_scene

        def spied(*args):
            scene = draw(*args)
            oracle.truth = scene.points[0][scene.present[0]]
            return scene

        monkeypatch.setattr(wave_calibrate, "clean_scene", spied)
        return oracle

    return prepare


def test_sigma_is_scaled_to_what_the_errors_are(shown):
    """Errors of 0.1 px claimed as 0.2 px: the scale is one half."""
    made = calibrate_wave(shown(_Oracle(0.1, 0.2)), SCENES, "cpu", fields=30, empty_fields=10)
    assert made["sigma_scale"] == pytest.approx(0.5, rel=0.15)
    assert made["validation"]["f1"] > 0.95 and made["threshold"] == 0.5


def test_an_oracle_finds_everything_and_nothing_else(shown):
    found = collect(shown(_Oracle(0.02, 0.02)), SCENES, "cpu", 20)
    assert found.true[found.s > 0].all()
    assert found.true.sum() <= found.impurities


def test_a_network_that_guesses_is_not_believed():
    class Guess(torch.nn.Module):
        def forward(self, maps, k, mask):
            rng = torch.Generator().manual_seed(int(maps.abs().sum() * 1000) % 2**31)
            return Output(
                torch.randn(mask.shape, generator=rng),
                torch.zeros(1, 2, *mask.shape[-2:]),
                torch.zeros(mask.shape),
            )

    made = calibrate_wave(Guess(), SCENES, "cpu", fields=10, empty_fields=10)
    best = 1 / (1 + np.exp(-(made["calibration"]["slope"] * 3 + made["calibration"]["intercept"])))
    assert best < 0.2
