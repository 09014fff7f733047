"""The friedel recipe: targets against hand-made cases, the loss against hand-computed numbers, learning at all."""

import math

import numpy as np
import pytest
import torch

from friedel.errors import ModelError
from friedel.models.base import Output
from friedel.models.friedel_net import WaveConfig
from friedel.models.registry import load_model
from friedel.physics.scene import SceneConfig
from friedel.training.localisation import Target, distillation_loss, localisation_loss, make_target
from friedel.training.recipe_friedel import recipe


def _small(**changes):
    return recipe(
        scene=SceneConfig(size=24, voltages=4, margin=4.0, density=(0.01, 0.02)),
        network=WaveConfig(width=8, d_q=4, d_v=8, head=16, dilations=(1, 2, 1)),
        batch_size=4,
        pool=16,
        **changes,
    )


def test_targets_lie_where_the_impurities_are():
    points = torch.tensor([[[3.3, 4.8], [9.0, 1.0], [5.0, 5.0], [-3.0, 2.0]]])
    present = torch.tensor([[True, True, False, True]])
    target = make_target(points, present, torch.ones(1, 12, 12))
    assert target.present.nonzero().tolist() == [[0, 3, 5], [0, 9, 1]]
    torch.testing.assert_close(target.offset[0, :, 3, 5], torch.tensor([0.3, -0.2]))
    assert target.leniency[0, 9, 1] == 0 and target.leniency[0, 0, 11] == pytest.approx(1)
    assert target.near[0, 3, 5] == 1 and target.near[0, 0, 11] == 0


def test_what_was_not_acquired_is_neither_right_nor_wrong():
    mask = torch.ones(1, 12, 12)
    mask[:, 6:] = 0
    target = make_target(torch.tensor([[[8.0, 4.0]]]), torch.ones(1, 1, dtype=bool), mask)
    assert target.present.sum() == 0 and target.leniency[0, 6:].sum() == 0 and target.near.sum() == 0


def test_loss_of_a_hand_computed_case():
    """Two pixels: an impurity with S = 0 and offset error (0.3, 0), a clean pixel with S = −1; γ = 1, σ = 1."""
    target = Target(
        torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]]), torch.tensor([[[[0.3, 0.0]], [[0.0, 0.0]]]]),
        torch.tensor([[[1.0, 0.0]]]),
    )  # fmt: skip
    output = Output(torch.tensor([[[0.0, -1.0]]]), torch.zeros(1, 2, 1, 2), torch.zeros(1, 1, 2))
    p = 1 / (1 + math.e)
    expected = 0.5 * math.log(2) + p * math.log(1 + math.exp(-1))
    loss, values = localisation_loss(output, target)
    assert values["detection"] == pytest.approx(expected, rel=1e-5)
    assert values["position"] == pytest.approx(0.5 * 0.3**2, rel=1e-5)
    assert loss.item() == pytest.approx(expected + 0.2 * 0.5 * 0.3**2, rel=1e-5)


def test_batches_are_determined_by_the_seed():
    first, second = (_small().batch(torch.Generator().manual_seed(3)) for _ in range(2))
    torch.testing.assert_close(first.maps, second.maps)
    torch.testing.assert_close(first.target.present, second.target.present)
    third = _small().batch(torch.Generator().manual_seed(4))
    assert third.maps.shape != first.maps.shape or not torch.allclose(third.maps, first.maps)


def test_batches_are_normalised_where_acquired():
    made, rng = _small(), torch.Generator().manual_seed(0)
    for _ in range(6):
        batch = made.batch(rng)
        known = batch.mask[:, None]
        count = known.sum(dim=(-2, -1))
        torch.testing.assert_close(
            (batch.maps * known).sum(dim=(-2, -1)) / count, torch.zeros(batch.k.shape), atol=1e-3, rtol=0
        )
        torch.testing.assert_close(
            (batch.maps**2).sum(dim=(-2, -1)) / count, torch.ones(batch.k.shape), atol=1e-3, rtol=0
        )
        assert (batch.maps * (1 - known)).abs().max() == 0


def _answer(s, offset, log_sigma):
    s, offset, log_sigma = (torch.tensor(x, dtype=torch.float32) for x in (s, offset, log_sigma))
    return Output(s[None, None], offset[None, :, None], log_sigma[None, None])


def test_a_teacher_repeated_costs_nothing_and_a_hand_computed_answer_its_price():
    """Two pixels; the second was not acquired. p = 0.5 taught, q = 0.2 said; σ = 0.5, 0.3 px beside it."""
    mask = torch.tensor([[[1.0, 0.0]]])
    teacher = _answer([0.0, 3.0], [[0.2, 0.0], [0.1, 0.0]], [math.log(0.5), 0.0])
    assert distillation_loss(teacher, teacher, mask).item() == pytest.approx(0, abs=1e-6)
    told = _answer([math.log(0.2 / 0.8), -9.0], [[0.5, 0.0], [0.1, 0.0]], [math.log(0.5) + 0.1, 5.0])
    kl = 0.5 * math.log(0.5 / 0.2) + 0.5 * math.log(0.5 / 0.8)
    position = 0.5 * 0.3**2 / 0.5**2 + 0.1**2
    expected = kl + 0.2 * 0.5 * position  # the teacher sees half an impurity, which counts as one
    assert distillation_loss(told, teacher, mask).item() == pytest.approx(expected, rel=1e-4)


def test_a_recipe_with_a_teacher_learns_its_answers_too():
    plain, taught = _small(), _small(teacher="friedel")
    batch = plain.batch(torch.Generator().manual_seed(3))
    network = load_model("friedel", "cpu").network
    with torch.no_grad():
        without, values = plain.loss(network, batch)
        loss, more = taught.loss(network, batch)
    assert "teaching" not in values and more["teaching"] == pytest.approx(0, abs=1e-4)  # it repeats itself
    assert loss.item() == pytest.approx(without.item() + more["teaching"], rel=1e-5)
    with torch.no_grad():
        assert taught.loss(_small().make_network(), batch)[1]["teaching"] > 0.1
    assert taught.header()["training"]["teacher"] == load_model("friedel", "cpu").sha256
    with pytest.raises(ModelError, match="no model 'nobody'"):
        _small(teacher="nobody")


def test_the_size_of_the_scenes_is_a_setting():
    assert recipe(size=32).scene.size == 32 and recipe(size=32).scene.margin == recipe().scene.margin


def test_header_says_what_a_weights_file_must_say():
    header = _small().header()
    assert header["architecture"] == "wave" and header["k_range"][0] < 0.66 < 0.9 < header["k_range"][1]
    assert header["training"]["scene"]["kind"] == "multiple scattering"


@pytest.mark.slow
def test_training_teaches():
    """After 60 steps the loss on fresh scenes is less than half of where it began."""
    made, rng = _small(), torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    network = made.make_network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss, values = made.loss(network, made.batch(rng))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append(values["detection"])
    assert np.mean(losses[-20:]) < 0.5 * np.mean(losses[:10])
