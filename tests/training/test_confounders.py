"""Confounded training scenes: what is added, what the truth is, and that clean scenes stay clean."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import hankel1

from friedel.models.base import Output
from friedel.physics.scene import Scene, SceneConfig, clean_scene
from friedel.physics.structured import gathered, p_waves, with_arms
from friedel.training import confounder_shapes as shapes
from friedel.training.calibrate_friedel import LEAST_TRUE, Peaks, honest_intercept
from friedel.training.confounder_config import ConfounderConfig
from friedel.training.confounders import Confused, confound, prepare_cheaply, spoil
from friedel.training.recipe_friedel import recipe

SMALL = SceneConfig(size=24, voltages=4, margin=4.0, density=(0.01, 0.02))
PLAIN = ConfounderConfig(share=0.0, split=0.0, prepared=0.0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_no_scene_is_touched_where_the_share_is_zero():
    scene = clean_scene(3, SMALL, generator())
    confused = confound(scene, PLAIN, generator(1))
    assert confused.plain.all() and torch.equal(confused.scene.maps, scene.maps)
    assert torch.equal(spoil(confused, PLAIN, generator(2)).maps, scene.maps)


def test_confounded_scenes_keep_their_impurities_unless_they_are_empty():
    scene = clean_scene(4, SMALL, generator())
    every = ConfounderConfig(share=1.0, empty=0.0, split=0.0)
    confused = confound(scene, every, generator(1))
    assert not confused.plain.any() and torch.equal(confused.scene.present, scene.present)
    none = confound(scene, replace(every, empty=1.0), generator(1))
    assert not none.scene.present.any() and torch.isfinite(none.scene.maps).all()


def test_noise_refers_to_the_waves_and_not_to_what_was_added():
    scene = clean_scene(2, SMALL, generator())
    strong = ConfounderConfig(share=1.0, empty=0.0, split=0.0, strength=100.0)
    confused = confound(scene, strong, generator(5))
    expected = scene.maps.std(dim=(-2, -1), keepdim=True, correction=0).clamp_min(0.01)
    assert torch.allclose(confused.waves, expected)


def test_across_an_edge_the_impurities_are_the_neighbours():
    scene = clean_scene(
        2, replace(SMALL, k=(0.8, 0.8), k_ratio=(1.5, 1.5), k_error=0.0, density=(0.05, 0.06)), generator()
    )
    confused = confound(scene, ConfounderConfig(share=0.0, split=1.0), generator(2))
    one = (~confused.plain).nonzero().flatten().tolist()[0]
    places = confused.scene.points[one][confused.scene.present[one]]

    def shared(other: int) -> int:
        theirs = scene.points[other][scene.present[other]]
        return int((places[:, None] == theirs).all(dim=2).sum())

    assert 0 < shared(one) < scene.present[one].sum() and shared(1 - one) > 0
    assert shared(one) + shared(1 - one) == len(places)


def test_preparation_takes_background_and_wild_pixels_and_leaves_waves():
    rows, columns = shapes.grid((40, 40))
    waves = torch.cos(1.6 * columns)[None]
    maps = waves + 0.3 * rows + 0.05 * torch.randn(1, 40, 40, generator=generator())
    maps[0, 20, 20] += 1000
    for seed in range(8):
        ready = prepare_cheaply(maps, generator(seed))
        centred = ready - ready.mean()
        alike = (centred * waves).mean() / (centred.std() * waves.std())
        assert ready.abs().max() < 100 and (alike > 0.15)


def test_p_waves_are_twice_h1_squared():
    distance, k = torch.tensor([[[3.0, 7.5, 20.0]]]), torch.tensor([[0.8 + 0.01j]])
    shown = p_waves(distance, k, torch.tensor([[[0.3 + 0.4j]]]))[0, 0]
    expected = (2 * (0.3 + 0.4j) * hankel1(1, (0.8 + 0.01j) * distance[0, 0].numpy()) ** 2).real
    assert np.allclose(shown, expected, atol=2e-3)


def test_arms_stay_around_their_impurity_and_groups_stay_together():
    points, s = torch.rand(1, 9, 2, generator=generator()) * 50, torch.full((1, 2, 9), 0.1 + 0.2j)
    sources, amplitude = with_arms(points, s, (0.5, 1.5), generator(1))
    arms = sources.shape[1] // 9
    far = (sources.view(1, 9, arms, 2) - points[:, :, None]).norm(dim=-1)
    assert arms in (2, 3) and amplitude.shape == (1, 2, 9 * arms)
    assert far.min() > 0.49 and far.max() < 1.51
    group = gathered(points, torch.ones(1, 9, dtype=torch.bool), (1.5, 4.0), generator(2)).view(3, 3, 2)
    gap = (group[:, 1:] - group[:, :1]).norm(dim=-1)
    assert gap.min() > 1.49 and gap.max() < 4.01


def test_older_seeds_give_the_same_scenes():
    """New kinds of impurities draw nothing at random where they never come."""
    a, b = (clean_scene(1, config, generator(4)) for config in (SMALL, replace(SMALL, arms=(0.1, 0.2))))
    assert torch.equal(a.maps, b.maps)


@pytest.mark.parametrize("name", ["bad_lines", "bad_spectra", "hum"])
def test_faults_have_a_height_of_about_one(name):
    images = [getattr(shapes, name)((4, 24, 24), generator(seed)) for seed in range(10)]
    largest = np.median([float(image.abs().max()) for image in images])
    assert 0.3 < largest < 4


def test_the_teacher_is_asked_about_plain_scenes_only():
    made = recipe(size=24, batch_size=4, fresh=1, confounded=1.0, teacher="friedel")
    made.confounders = replace(made.confounders, share=0.5)
    batch = next(b for b in iter(lambda: made.batch(generator(7)), None) if 0 < b.plain.sum() < 4)
    asked = []

    def teacher(maps, k, mask):
        asked.append(len(maps))
        b, h, w = mask.shape
        return Output(torch.zeros(b, h, w), torch.zeros(b, 2, h, w), torch.zeros(b, h, w))

    made._teacher.network.forward = teacher
    loss, values = made.loss(made.make_network(), batch)
    assert asked == [int(batch.plain.sum())] and torch.isfinite(loss) and values["teaching"] > 0


def test_settings_reach_the_confounders():
    made = recipe(confounded=0.25, strength=2.0)
    assert made.confounders.share == 0.25 and made.confounders.strength == 2.0
    assert made.header()["training"]["confounders"]["share"] == 0.25


def test_the_intercept_is_lowered_until_confident_points_are_true():
    s = np.linspace(1, 6, 501)
    true = s > 3.5  # p(3.5) = .97 before
    peaks = Peaks(s, true, np.full((501, 2), np.nan), 200)
    lower = honest_intercept(1.0, 0.0, peaks)
    p = 1 / (1 + np.exp(-(s + lower)))
    within = (p >= 0.9) & (p < 0.99)
    assert lower < 0 and true[within].mean() >= LEAST_TRUE
    assert honest_intercept(1.0, lower, peaks) == lower


def test_spoiled_scenes_are_finite_whatever_is_drawn():
    rng = generator(11)
    config = ConfounderConfig(share=1.0, prepared=1.0)
    for _ in range(6):
        scene = clean_scene(3, SMALL, rng)
        confused = confound(scene, config, rng)
        assert isinstance(confused, Confused) and isinstance(confused.scene, Scene)
        assert torch.isfinite(spoil(confused, config, rng).maps).all()
