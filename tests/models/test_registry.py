"""Model files: what is written comes back, what is damaged is refused, nothing is overwritten."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from friedel.errors import ModelError
from friedel.models import registry
from friedel.models.paper_net import AttentionConfig, AttentionNetwork

CONFIG = AttentionConfig(width=4, dilations=(1,))
HEADER = {
    "architecture": "attention",
    "config": CONFIG.as_dict(),
    "k_range": [0.6, 0.9],
    "calibration": {"slope": 2.0, "intercept": -1.0},
    "threshold": 0.3,
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FRIEDEL_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(3)
    network = AttentionNetwork(CONFIG)
    return network, registry.save_model(tmp_path / "mine.safetensors", network, HEADER)


def test_round_trip(saved):
    network, path = saved
    model = registry.load_model(path, "cpu")
    assert model.name == "mine" and model.k_range == (0.6, 0.9) and model.threshold == 0.3
    assert model.sha256 == registry.sha256(path) and len(model.sha256) == 64
    assert not model.network.training
    maps = torch.randn(1, 3, 8, 8)
    assert torch.equal(model.network(maps).s, network(maps).s)


def test_probability_of_arrays_and_tensors(saved):
    model = registry.load_model(saved[1], "cpu")
    expected = 1 / (1 + np.exp(-(2 * np.array([0.0, 0.5, 3.0]) - 1)))
    np.testing.assert_allclose(model.probability(np.array([0.0, 0.5, 3.0])), expected)
    assert torch.allclose(model.probability(torch.tensor([0.0, 0.5, 3.0])), torch.tensor(expected).float())


def test_never_overwrites(saved):
    network, path = saved
    before = path.read_bytes()
    with pytest.raises(ModelError, match="exists already"):
        registry.save_model(path, network, HEADER)
    assert path.read_bytes() == before


def test_incomplete_header_leaves_no_file(tmp_path):
    with pytest.raises(ModelError, match="k_range"):
        registry.save_model(
            tmp_path / "m.safetensors", AttentionNetwork(CONFIG), {"architecture": "a", "config": {}}
        )
    assert list(tmp_path.iterdir()) == []


def test_unknown_name_lists_the_known_ones(saved):
    registry.import_model(saved[1], "gold")
    with pytest.raises(ModelError, match="'gold'"):
        registry.load_model("silver", "cpu")


@pytest.mark.parametrize("damage", ["cut", "noise", "text", "empty", "huge"])
def test_damaged_files_are_refused_with_a_sentence(saved, tmp_path, damage):
    content = saved[1].read_bytes()
    broken = {
        "cut": content[:-40],
        "noise": bytes(range(256)) * 8,
        "text": b"hello, I am a model",
        "empty": b"",
        "huge": (2**62).to_bytes(8, "little") + content[8:],
    }[damage]
    path = tmp_path / "broken.safetensors"
    path.write_bytes(broken)
    with pytest.raises(ModelError, match=r"broken\.safetensors"):
        registry.load_model(path, "cpu")


def test_alien_weights_and_alien_headers(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "alien.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(ModelError, match="not of a friedel model"):
        registry.load_model(path, "cpu")
    save_file({"a": torch.zeros(2)}, path, metadata={"friedel": json.dumps(HEADER)})
    with pytest.raises(ModelError, match="do not fit"):
        registry.load_model(path, "cpu")
    save_file({"a": torch.zeros(2)}, path, metadata={"friedel": json.dumps({**HEADER, "architecture": "x"})})
    with pytest.raises(ModelError, match="'x' is unknown"):
        registry.load_model(path, "cpu")
    save_file(
        {"a": torch.zeros(2)}, path, metadata={"friedel": json.dumps({**HEADER, "config": {"wrong": 1}})}
    )
    with pytest.raises(ModelError, match="wrong"):
        registry.load_model(path, "cpu")
    save_file({"a": torch.zeros(2)}, path, metadata={"friedel": json.dumps({**HEADER, "format": 99})})
    with pytest.raises(ModelError, match="newer"):
        registry.load_model(path, "cpu")


def test_a_pickle_is_never_opened(tmp_path):
    path = tmp_path / "model.safetensors"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(ModelError):
        registry.load_model(path, "cpu")


def test_import_list_export_delete(saved, folder, tmp_path):
    info = registry.import_model(saved[1], "gold")
    assert info.path.parent == folder
    (folder / "bad.safetensors").write_bytes(b"nothing")
    listed = {entry.name: entry for entry in registry.list_models()}
    assert not listed["gold"].bundled and listed["gold"].sha256 == registry.sha256(saved[1])
    assert "damaged" in listed["bad"].problem
    assert registry.load_model("gold", "cpu").name == "gold"
    with pytest.raises(ModelError, match="exists already"):
        registry.import_model(saved[1], "gold")
    out = registry.export_model("gold", tmp_path / "out.safetensors")
    assert out.read_bytes() == saved[1].read_bytes()
    with pytest.raises(ModelError, match="exists already"):
        registry.export_model("gold", out)
    registry.delete_model("gold")
    assert "gold" not in {entry.name for entry in registry.list_models()}
    with pytest.raises(ModelError, match="no model 'gold'"):
        registry.delete_model("gold")


@pytest.mark.parametrize("name", ["", "../gold", "a/b", ".hidden", "gold.safetensors"])
def test_names_that_cannot_be_files(name):
    with pytest.raises(ModelError, match="cannot name a model"):
        registry.user_path(name)


def test_bundled_models_keep_their_names(monkeypatch, tmp_path, saved):
    bundled = tmp_path / "bundled"
    bundled.mkdir()
    (bundled / "paper.safetensors").write_bytes(saved[1].read_bytes())
    monkeypatch.setattr(registry, "bundled_folder", lambda: bundled)
    assert [(entry.name, entry.bundled) for entry in registry.list_models()] == [("paper", True)]
    with pytest.raises(ModelError, match="bundled"):
        registry.import_model(saved[1], "paper")
    with pytest.raises(ModelError, match="bundled"):
        registry.delete_model("paper")


def test_a_device_is_resolved_and_one_that_does_not_exist_is_refused():
    assert registry.resolve_device("cpu").type == "cpu"
    assert registry.resolve_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ModelError, match="no device"):
        registry.resolve_device("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match="does not exist"):
            registry.resolve_device("cuda")


def test_listing_models_does_not_load_torch():
    code = "import sys, friedel; friedel.list_models(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
