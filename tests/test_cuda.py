"""On a CUDA device everything gives what it gives on the CPU. Skipped where there is none."""

import numpy as np
import pytest
import torch

import friedel
from friedel.benchmark.scenes import SCENES
from friedel.finetuning.tuner import FineTuneConfig, FineTuner
from friedel.models.registry import load_model
from friedel.progress import drain
from friedel.scoring.matching import match
from friedel.training.loop import iter_train
from friedel.training.recipes import get_recipe

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")


@pytest.fixture(scope="module")
def stack():
    return SCENES["unlike-60"].field(0).stack


@pytest.mark.parametrize("name", ["friedel", "paper"])
def test_s_is_the_same(name, stack):
    cpu, cuda = (
        friedel.detect(stack, model=name, dispersion="au111", device=device, refit="none")
        for device in ("cpu", "cuda")
    )
    assert cuda.provenance["device"].startswith("cuda")
    np.testing.assert_allclose(cuda.s, cpu.s, rtol=0, atol=1e-4 * cpu.s.std())
    np.testing.assert_allclose(cuda.probability, cpu.probability, rtol=0, atol=1e-4)
    a, b = (found.positions for found in (cpu, cuda))
    assert len(match(a, b, 1e-4).found) == len(a) == len(b)


def test_detection_leaves_torchs_own_precision_alone(stack):
    before = torch.backends.cudnn.allow_tf32
    friedel.detect(stack, dispersion="au111", device="cuda", refit="none")
    assert torch.backends.cudnn.allow_tf32 == before


def test_the_refitted_points_are_the_same(stack):
    a, b = (friedel.detect(stack, dispersion="au111", device=device).positions for device in ("cpu", "cuda"))
    assert len(match(a, b, 0.01).found) == len(a) == len(b)


def test_the_refit_runs_on_the_gpu_and_gives_its_memory_back(stack, monkeypatch):
    """The normal equations come from the device of the network; the points are those of the processor."""
    from friedel.refit import device_sums

    devices, sums_on = [], device_sums.sums_on
    monkeypatch.setattr(
        device_sums,
        "sums_on",
        lambda model, *rest: devices.append(model.device.type) or sums_on(model, *rest),
    )
    here, there = (
        friedel.detect(stack, dispersion="au111", device=device, refit="full") for device in ("cpu", "cuda")
    )
    assert devices and set(devices) == {"cuda"}
    assert len(match(here.positions, there.positions, 0.01).found) == len(here) == len(there)
    assert torch.cuda.memory_reserved() < 64 << 20


@pytest.mark.parametrize("name", ["friedel", "paper"])
def test_training_goes_on_after_an_interruption(name, tmp_path, monkeypatch):
    settings = {"output": tmp_path / "m", "steps": 40, "device": "cuda", "parent": name}
    recipe = get_recipe(name)
    monkeypatch.setattr(type(recipe), "calibrate", lambda *_: {})  # takes minutes
    work = iter_train(recipe, **settings)
    first = [next(work).values["loss"] for _ in range(20)]
    work.close()
    rest = []
    work = iter_train(recipe, **settings, resume=True)
    path = drain(work, lambda step: rest.append(step.values.get("loss")))
    assert len(rest) == 21 and rest.pop() is None  # the last is the calibration
    assert np.isfinite(first + rest).all()
    assert load_model(path, "cpu").header["device"] == "cuda"


@pytest.mark.parametrize("name", ["friedel", "paper"])
def test_fine_tuning_follows_the_one_on_the_cpu(name, stack, tmp_path):
    """The same patches, the same steps; a model from the CPU is moved; a saved state goes on."""
    truth = np.asarray(SCENES["unlike-60"].field(0).truth()[0])
    curves = {}
    for device in ("cpu", "cuda"):
        config = FineTuneConfig(
            epochs=1, steps_per_epoch=8, check_every=4, device=device, added=truth[:2], removed=truth[2:3] + 3
        )
        tuner = FineTuner(load_model(name, "cpu"), stack, config, dispersion="au111", reference=truth)
        steps = []
        drain(tuner.run(), lambda step, steps=steps: steps.append(step.values))
        curves[device] = [(v["L0"], v["L_reg"], v["L_points"]) for v in steps if "L_reg" in v]
        tuner.save_state(tmp_path / device)
    np.testing.assert_allclose(curves["cuda"], curves["cpu"], rtol=0.05, atol=0.02)
    again = FineTuner(load_model(name, "cpu"), stack, config, dispersion="au111", reference=truth)
    assert again.restore(tmp_path / "cuda").step == 8
    tuned = again.best()
    assert len(friedel.detect(stack, model=tuned, dispersion="au111", device="cpu")) > 0
