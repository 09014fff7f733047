"""The training loop: it learns, it is determined by its seed, it can be interrupted and resumed."""

import csv

import pytest
import torch
from torch import nn

from friedel.errors import ModelError
from friedel.models.registry import load_model
from friedel.progress import drain
from friedel.training.loop import iter_train, schedule
from friedel.training.patches import VoltageChoice
from friedel.training.recipes import RECIPES, get_recipe, paper


def small(**settings):
    voltages = VoltageChoice((0.66, 0.7, 0.8, 0.9), (2, 3))
    return paper({"width": 4, "dilations": (1,)}, maps=8, voltages=voltages, **settings)


class Line:
    """A recipe so simple that its answer is known: fit y = 3x."""

    name = "line"
    learning_rate = 0.05

    def make_network(self):
        return nn.Linear(1, 1)

    def batch(self, generator, device):
        return torch.randn(32, 1, generator=generator)

    def loss(self, network, batch):
        loss = (network(batch) - 3 * batch).square().mean()
        return loss, {"error": loss.item()}

    def header(self):
        return {"architecture": "line", "config": {}, "k_range": [0, 1]}


def weights(path):
    from safetensors.torch import load_file

    return load_file(path)


def test_it_learns(tmp_path):
    values = []
    path = drain(
        iter_train(Line(), output=tmp_path / "m", steps=400, device="cpu"),
        lambda step: values.append(step.values),
    )
    assert values[-1]["error"] < 1e-3 < values[0]["error"]
    assert weights(path)["weight"].item() == pytest.approx(3, abs=0.02)


def test_the_curve_is_kept_over_an_interruption(tmp_path):
    settings = {"output": tmp_path / "m", "steps": 150, "device": "cpu"}
    work = iter_train(Line(), **settings)
    errors = [next(work).values["error"] for _ in range(100)]
    work.close()
    drain(iter_train(Line(), **settings, resume=True), lambda step: errors.append(step.values["error"]))
    with (tmp_path / "m.curve.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["step"]) for row in rows] == [50, 100, 150]
    for row, part in zip(rows, (errors[:50], errors[50:100], errors[100:150]), strict=True):
        assert float(row["error"]) == pytest.approx(sum(part) / 50, rel=1e-4)


def test_l0_of_the_paper_recipe_falls(tmp_path):
    losses = []
    # With a sure signal a few dozen steps show whether anything is learned at all.
    recipe = small(least_noise=0.0, learning_rate=2e-2)
    for _, step in zip(
        range(60), iter_train(recipe, output=tmp_path / "m", steps=1000, device="cpu"), strict=False
    ):
        losses.append(step.values["L0"])
    assert sum(losses[-10:]) < sum(losses[:10]) - 2


def test_determined_by_the_seed(tmp_path):
    def train(name, seed):
        return weights(drain(iter_train(small(), output=tmp_path / name, steps=4, seed=seed, device="cpu")))

    first, again, other = train("a", 1), train("b", 1), train("c", 2)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_interrupted_and_resumed_is_the_same_training(tmp_path):
    whole = drain(iter_train(small(), output=tmp_path / "whole", steps=6, device="cpu"))
    settings = {"output": tmp_path / "parts", "steps": 6, "device": "cpu"}
    work = iter_train(small(), **settings)
    for _ in range(3):
        next(work)
    work.close()  # what Cancel and Ctrl-C do
    assert (tmp_path / "parts.checkpoint").exists() and not (tmp_path / "parts.safetensors").exists()
    with pytest.raises(ModelError, match="unfinished"):
        next(iter_train(small(), **settings))
    with pytest.raises(ModelError, match="seed"):
        next(iter_train(small(), **settings, seed=5, resume=True))
    steps = []
    parts = drain(
        iter_train(small(), **settings, resume=True), lambda step: steps.append(step.values.get("step"))
    )
    assert steps[:3] == [4, 5, 6]
    assert all(
        torch.equal(a, b) for a, b in zip(weights(whole).values(), weights(parts).values(), strict=True)
    )
    assert not (tmp_path / "parts.checkpoint").exists()


def test_with_workers_it_is_determined_by_their_number_and_the_seed(tmp_path):
    def train(name, workers):
        work = iter_train(small(), output=tmp_path / name, steps=5, seed=1, device="cpu", workers=workers)
        return drain(work)

    first, again, more = train("a", 2), train("b", 2), train("c", 1)
    first, again, more = (weights(path) for path in (first, again, more))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], more[key]) for key in first)


def test_a_resumed_training_says_where_it_was_done(tmp_path):
    settings = {"output": tmp_path / "m", "steps": 1}
    work = iter_train(small(), **settings, device="cpu")
    next(work)
    work.close()
    content = torch.load(tmp_path / "m.checkpoint", weights_only=True)
    assert content["runs"][0]["device"] == "cpu"
    run = {"step": 0, "device": "cuda", "workers": 7}
    torch.save(content | {"runs": [run]}, tmp_path / "m.checkpoint")
    path = drain(iter_train(small(), **settings, device="cpu", resume=True))  # there is nothing left to do
    header = load_model(path, "cpu").header
    assert header["device"] == "cuda" and header["workers"] == 7


def test_a_training_from_a_parent_begins_with_its_weights(tmp_path):
    parent = drain(iter_train(small(), output=tmp_path / "parent", steps=2, seed=1, device="cpu"))

    def train(name, **settings):
        # A rate so small that one step shows where the training began.
        recipe = small(learning_rate=1e-9)
        return drain(iter_train(recipe, output=tmp_path / name, steps=1, seed=2, device="cpu", **settings))

    child, stranger = train("child", parent=parent), train("stranger")
    old, new, other = weights(parent), weights(child), weights(stranger)
    assert all(torch.allclose(old[key], new[key], atol=1e-6) for key in old)
    assert not all(torch.allclose(old[key], other[key], atol=1e-3) for key in old)
    origin = load_model(child, "cpu").header["initialised_from"]
    assert origin == {"name": "parent", "sha256": load_model(parent, "cpu").sha256}
    assert "initialised_from" not in load_model(stranger, "cpu").header


def test_a_parent_with_another_network_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"cannot begin with 'friedel': its network \(wave\)"):
        next(iter_train(small(), output=tmp_path / "m", steps=1, device="cpu", parent="friedel"))
    wider = paper({"width": 6, "dilations": (1,)}, maps=8, voltages=VoltageChoice((0.66, 0.9), (2, 2)))
    parent = drain(iter_train(wider, output=tmp_path / "wider", steps=1, device="cpu"))
    with pytest.raises(ModelError, match="cannot begin with 'wider'"):
        next(iter_train(small(), output=tmp_path / "m", steps=1, device="cpu", parent=parent))
    with pytest.raises(ModelError, match="no model"):
        next(iter_train(small(), output=tmp_path / "m", steps=1, device="cpu", parent="nobody"))
    assert not list(tmp_path.glob("m.*"))


def test_a_resumed_training_keeps_its_parent(tmp_path):
    parents = [
        drain(iter_train(small(), output=tmp_path / name, steps=1, seed=seed, device="cpu"))
        for seed, name in enumerate(("parent", "other"))
    ]
    settings = {"output": tmp_path / "m", "steps": 4, "device": "cpu"}

    def interrupted(**more):
        work = iter_train(small(), **settings, **more)
        next(work)
        work.close()

    interrupted(parent=parents[0])
    with pytest.raises(ModelError, match="did not begin with this model"):
        next(iter_train(small(), **settings, resume=True, parent=parents[1]))
    interrupted(resume=True)  # need not be named again
    interrupted(resume=True, parent=parents[0])
    model = load_model(drain(iter_train(small(), **settings, resume=True)), "cpu")
    assert model.header["initialised_from"]["sha256"] == load_model(parents[0], "cpu").sha256
    assert model.header["steps"] == 4


def test_the_model_says_where_it_comes_from(tmp_path):
    model = load_model(
        drain(iter_train(small(), output=tmp_path / "m", steps=1, seed=7, device="cpu")), "cpu"
    )
    assert model.header["recipe"] == "paper" and model.header["seed"] == 7 and model.header["steps"] == 1
    assert model.k_range == pytest.approx((0.66, 0.9))
    assert {"spread", "noise", "intercept"} <= set(model.header["calibration"]) and 0 <= model.threshold <= 1


def test_a_training_that_cannot_begin_is_refused_with_the_reason(tmp_path):
    (tmp_path / "m.safetensors").write_bytes(b"mine")
    with pytest.raises(ModelError, match="exists already"):
        next(iter_train(small(), output=tmp_path / "m.safetensors", steps=1))
    with pytest.raises(ModelError, match="minutes or steps"):
        next(iter_train(small(), output=tmp_path / "n", steps=1, minutes=1))
    with pytest.raises(ModelError, match="no unfinished training"):
        next(iter_train(small(), output=tmp_path / "n", steps=1, resume=True))
    (tmp_path / "n.checkpoint").write_bytes(b"junk")
    with pytest.raises(ModelError, match="damaged"):
        next(iter_train(small(), output=tmp_path / "n", steps=1, resume=True))
    with pytest.raises(ModelError, match="no recipe"):
        get_recipe("soup")
    with pytest.raises(ModelError, match="no setting"):
        get_recipe("paper", colour="red")


def test_divergence_is_a_sentence(tmp_path):
    class Bad(Line):
        def loss(self, network, batch):
            return network(batch).sum() * float("nan"), {}

    with pytest.raises(ModelError, match="diverged at step 0"):
        drain(iter_train(Bad(), output=tmp_path / "m", steps=3, device="cpu"))
    assert not (tmp_path / "m.safetensors").exists()


def test_minutes_end_the_training(tmp_path):
    path = drain(iter_train(Line(), output=tmp_path / "m", minutes=0.005, device="cpu"))
    assert path.exists()


def test_the_learning_rate_rises_in_a_fiftieth_and_falls_to_a_hundredth():
    assert schedule(0.0) < 0.1 and schedule(0.02) == pytest.approx(1) and schedule(1.0) == pytest.approx(0.01)
    assert schedule(0.51) == pytest.approx(0.505, abs=0.01)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_of_the_table(name):
    recipe = get_recipe(name)
    batch = recipe.batch(torch.Generator().manual_seed(0), torch.device("cpu"))
    loss, values = recipe.loss(recipe.make_network(), batch)
    assert torch.isfinite(loss) and values and {"architecture", "config", "k_range"} <= set(recipe.header())
