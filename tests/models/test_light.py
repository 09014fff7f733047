"""A network without torch gives torch's answers, and torch serves wherever it must."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import torch

import friedel
from friedel.candidates import tiling
from friedel.errors import ModelError
from friedel.models import light, runtime
from friedel.models.matched_field import MatchedField
from friedel.models.registry import find_model, load_model, read_header, save_model


@pytest.fixture(scope="module")
def both():
    return load_model("friedel", "cpu"), light.light_model(find_model("friedel"))


def _field(voltages: int, shape: tuple[int, int], known: float):
    random = np.random.default_rng(voltages)
    mask = random.random((1, *shape)) < known
    maps = random.normal(size=(1, voltages, *shape)).astype(np.float32) * mask[:, None]
    return maps, np.linspace(0.55, 1.0, voltages), mask


@pytest.mark.parametrize("voltages", [1, 2, 3, 7, 11, 12, 13, 16, 40])
@pytest.mark.parametrize(("shape", "known"), [((33, 20), 1.0), ((24, 41), 0.7)])
def test_both_runtimes_give_the_same_maps(both, voltages, shape, known):
    by_torch, without = (tiling.forward(model, *_field(voltages, shape, known), False) for model in both)
    assert without.has_offset and without.has_sigma and without.values.shape == (4, 1, *shape)
    assert without.values.dtype == np.float32 and without.values[0].std() > 0.1
    np.testing.assert_allclose(without.values, by_torch.values, atol=1e-4)


def test_wavevectors_that_fall_give_the_same_maps(both):
    maps, k, mask = _field(16, (25, 30), 0.9)
    rising = tiling.forward(both[1], maps, k, mask, False)
    falling = tiling.forward(both[1], maps[:, ::-1], k[::-1], mask, False)
    np.testing.assert_allclose(falling.values, rising.values, atol=1e-4)


def test_several_fields_are_answered_each_by_itself(both):
    maps, k, mask = _field(5, (20, 22), 1.0)
    two = tiling.forward(both[1], np.concatenate([maps, maps[..., ::-1]]), k, np.repeat(mask, 2, 0), False)
    alone = tiling.forward(both[1], maps[..., ::-1], k, mask, False)
    np.testing.assert_allclose(two.values[:, 1:], alone.values, atol=1e-5)


def test_matched_fields_of_arrays_are_those_of_tensors():
    maps, k, mask = _field(6, (31, 44), 0.8)
    given = maps, np.float32(k)[None], np.float32(mask)
    of_arrays = MatchedField((5.0, 12.0, 28.0))(*given)
    of_tensors = MatchedField((5.0, 12.0, 28.0))(*map(torch.from_numpy, given))
    assert of_arrays.dtype == np.float32
    np.testing.assert_allclose(of_arrays, of_tensors.numpy(), atol=1e-5)


@pytest.mark.parametrize(("refit", "tolerance"), [("none", 1e-4), ("quick", 1e-3)])
def test_a_detection_is_the_same_by_both_runtimes(both, refit, tolerance):
    stack = friedel.simulate(shape=(40, 36), bias_mv=np.arange(-150.0, 1.0, 30.0), impurities=6, seed=3)
    given = {"dispersion": "au111", "device": "cpu", "refit": refit}
    without, by_torch = friedel.detect(stack, **given), friedel.detect(stack, model=both[0], **given)
    assert without.provenance["runtime"].startswith("onnxruntime ")
    assert by_torch.provenance["runtime"].startswith("torch ")
    assert (
        len(without.table) == len(by_torch.table) and len(without.impurities) == len(by_torch.impurities) > 3
    )
    for column in ("row", "column", "probability"):
        np.testing.assert_allclose(without.table[column], by_torch.table[column], atol=tolerance)


def test_a_fine_tuned_model_needs_no_graph_of_its_own(both, tmp_path):
    network = load_model("friedel", "cpu").network
    with torch.no_grad():
        network.project.bias += 0.25
    path = save_model(tmp_path / "mine.safetensors", network, both[0].header)
    mine = light.light_model(path)
    given = _field(4, (20, 20), 1.0)
    before, after = (tiling.forward(model, *given, False).values[0] for model in (both[1], mine))
    np.testing.assert_allclose(after, before + 0.25, atol=1e-4)
    assert mine.name == "mine" and mine.sha256 == load_model(path, "cpu").sha256 != both[1].sha256


def test_probability_needs_no_torch(both):
    s = np.array([[-3.0, 0.0], [2.5, np.nan]])
    np.testing.assert_allclose(both[1].probability(s), both[0].probability(torch.from_numpy(s)).numpy())


@pytest.mark.parametrize("why", ["other design", "other config", "half precision", "no runtime", "cut off"])
def test_torch_serves_where_the_light_runtime_cannot(why, tmp_path, monkeypatch):
    path, model = find_model("friedel"), load_model("friedel", "cpu")
    if why == "other design":
        path = find_model("paper")
    elif why == "other config":
        header = model.header | {"config": model.header["config"] | {"n_augment": 1}}
        path = save_model(tmp_path / "mine.safetensors", model.network, header)
    elif why == "half precision":
        path = save_model(tmp_path / "mine.safetensors", model.network.half(), model.header)
    elif why == "no runtime":
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
    else:
        content = path.read_bytes()
        path = tmp_path / "mine.safetensors"
        path.write_bytes(content[:-4])
        with pytest.raises(ModelError):
            runtime.load_for_detection(path, "cpu")
        return
    served = runtime.load_for_detection(path, "cpu")
    assert type(served).__name__ == "Model" and served.runtime.startswith("torch ")


def test_weights_that_do_not_fit_are_refused_as_by_torch(both, tmp_path):
    content = find_model("friedel").read_bytes()
    state = safetensors.torch.load(content)
    header = json.dumps(read_header(find_model("friedel")))
    wrong = {
        "one more": state | {"another": torch.ones(3)},
        "one less": {name: value for name, value in state.items() if name != "mix.bias"},
        "another shape": state | {"mix.bias": torch.ones(7)},
        "not a number": state | {"mix.bias": state["mix.bias"] * float("nan")},
    }
    for name, weights in wrong.items():
        path = tmp_path / f"{name}.safetensors"
        safetensors.torch.save_file(weights, path, metadata={"friedel": header})
        with pytest.raises(ModelError) as by_torch:
            load_model(path, "cpu")
        with pytest.raises(ModelError) as without:
            runtime.load_for_detection(path, "cpu")
        assert str(without.value) == str(by_torch.value), name


def test_a_model_that_is_loaded_stays_with_torch(both):
    assert runtime.load_for_detection(both[0], "cpu") is both[0]
    assert runtime.load_for_detection("friedel", "cpu", here=False).runtime.startswith("torch ")


@pytest.mark.parametrize(
    ("platform", "build", "driver", "expected"),
    [
        ("linux", "2.13.0+cpu", True, False),
        ("linux", "2.13.0", False, False),
        ("linux", "2.13.0", True, True),
        ("linux", "2.13.0+cu126", True, True),
        ("win32", "2.13.0", False, False),
        ("win32", "2.13.0", True, True),
        ("darwin", "2.13.0", False, True),
    ],
)
def test_a_gpu_is_ruled_out_by_torchs_build_or_a_missing_driver(
    platform, build, driver, expected, monkeypatch
):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(runtime, "version", lambda name: build)
    monkeypatch.setattr(runtime.Path, "exists", lambda path: driver)
    assert runtime.may_have_gpu() is expected
    assert runtime.on_processor("auto") is not expected and runtime.on_processor("cpu")
    assert not runtime.on_processor("cuda:0") and not runtime.on_processor("mps")


def test_threads_follow_the_environment():
    code = (
        "from friedel.models.light import light_model; from friedel.models.registry import find_model; import sys; "
        "model = light_model(find_model('friedel')); "
        "print(model.network.session.get_session_options().intra_op_num_threads, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.stdout.split() == ["1", "False"]


def test_a_light_model_says_what_its_file_says(both):
    facts = ("k_range", "k_mean", "threshold", "name", "sha256", "header")
    assert all(getattr(both[0], name) == getattr(both[1], name) for name in facts)
    assert str(both[0].device) == str(both[1].device) == "cpu"
