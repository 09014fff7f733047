"""Model files that nobody wrote: damaged, alien, hostile. One of them never stops the others, none fills the memory."""

import json
import os
import resource
import struct
import sys

import pytest
import torch
from safetensors.torch import save

from friedel.errors import ModelError
from friedel.models import registry
from friedel.models.card import card, facts
from friedel.models.model_header import SCHEMA, check_header
from friedel.models.paper_net import AttentionConfig, AttentionNetwork

CONFIG = AttentionConfig(width=4, dilations=(1,))
HEADER = {"architecture": "attention", "config": CONFIG.as_dict(), "k_range": [0.6, 0.9], "threshold": 0.3}
#: Values that no entry of a header can have, or only some.
ODD = [
    None,
    float("inf"),
    -1,
    5,
    True,
    "",
    "x",
    "\x1b[2J",
    [],
    [1],
    [1, "a"],
    [3, 1],
    {},
    {"a": {}},
    {"f1": "x"},
    10**400,
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FRIEDEL_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def weights():
    torch.manual_seed(3)
    return AttentionNetwork(CONFIG).state_dict()


def write(path, header, state=None):
    text = header if isinstance(header, str) else json.dumps(header)
    path.write_bytes(save(weights() if state is None else state, metadata={"friedel": text}))
    return path


def raw(path, table):
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    return path


@pytest.mark.parametrize("name", SCHEMA)
def test_any_value_of_any_entry_is_refused_in_a_sentence_or_can_be_shown(name, tmp_path):
    for odd in ODD:
        header, message = HEADER | {"parent": "f" * 64, name: odd}, None
        try:
            checked = check_header(header, "m.safetensors")
        except ModelError as error:
            message = str(error)
        if message is not None:
            assert "m.safetensors" in message and "\x1b" not in message and len(message) < 300
        else:
            shown = card(registry.ModelInfo("m", tmp_path / "m", False, "0" * 64, checked))
            assert "\x1b" not in shown and facts(checked)


@pytest.mark.parametrize("threshold", [5, -1, "0.5", True])
def test_a_threshold_that_is_no_probability_is_refused(tmp_path, threshold):
    path = write(tmp_path / "m.safetensors", HEADER | {"threshold": threshold})
    with pytest.raises(ModelError, match="threshold must be a number from 0 to 1"):
        registry.load_model(path, "cpu")


def test_a_threshold_that_is_not_a_number_is_refused(tmp_path):
    path = write(tmp_path / "m.safetensors", json.dumps(HEADER | {"threshold": float("nan")}))
    with pytest.raises(ModelError, match="damaged"):
        registry.read_header(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda name, w: w.fill_(float("nan")), "not all numbers"),
        (lambda name, w: w.view(-1)[:1].fill_(float("inf")), "not all numbers"),
        (lambda name, w: w.fill_(1e30), "as large as 1.0e"),
        (lambda name, w: w.zero_(), "all its weights are zero"),
    ],
)
def test_weights_with_which_nothing_works_are_refused(tmp_path, change, words):
    state = weights()
    for name, value in state.items():
        change(name, value)
    with pytest.raises(ModelError, match=words):
        registry.load_model(write(tmp_path / "m.safetensors", HEADER, state), "cpu")


def test_a_network_that_answers_the_same_everywhere_is_not_imported(tmp_path, folder):
    state = weights()
    state["project.weight"].zero_()
    path = write(tmp_path / "m.safetensors", HEADER, state)
    with pytest.raises(ModelError, match="the same S for every pixel"):
        registry.import_model(path)
    assert not list(folder.iterdir())
    assert registry.import_model(write(tmp_path / "good.safetensors", HEADER)).name == "good"


def test_a_network_that_is_not_a_number_is_not_saved(tmp_path):
    network = AttentionNetwork(CONFIG)
    with torch.no_grad():
        network.project.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="not all numbers"):
        registry.save_model(tmp_path / "m", network, HEADER)
    assert not list(tmp_path.glob("m*.safetensors"))


def test_sizes_in_the_header_are_compared_with_the_weights_before_anything_is_allocated(tmp_path):
    path = write(tmp_path / "m.safetensors", HEADER | {"config": CONFIG.as_dict() | {"width": 30_000}})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match="do not fit"):
        registry.load_model(path, "cpu")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * (1 if sys.platform == "darwin" else 1024) < 200e6  # 30 000² weights of a layer take 32 GB


HOSTILE_TABLES = {
    "deep": b'{"__metadata__": {"friedel": "' + b"[" * 100_000 + b'"}}',
    "deeper": b"[" * 900_000,
    "a list": [1, 2],
    "a text": "x",
    "no metadata": {},
    "null metadata": {"__metadata__": None},
    "metadata of numbers": {"__metadata__": {"friedel": 3}},
    "a tensor of no kind": {"__metadata__": {"friedel": json.dumps(HEADER)}, "a": 3},
    "integers": {
        "__metadata__": {"friedel": json.dumps(HEADER)},
        "a": {"dtype": "I8", "shape": [1], "data_offsets": [0, 1]},
    },
    "beyond the end": {
        "__metadata__": {"friedel": json.dumps(HEADER)},
        "a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]},
    },
    "negative": {
        "__metadata__": {"friedel": json.dumps(HEADER)},
        "a": {"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]},
    },
    "endless": {
        "__metadata__": {"friedel": json.dumps(HEADER)},
        "a": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 4]},
    },
    "not finite": {"__metadata__": {"friedel": json.dumps(HEADER | {"minutes": float("inf")})}},
}


@pytest.mark.parametrize("kind", HOSTILE_TABLES)
def test_hostile_tables_are_refused_in_a_sentence(tmp_path, kind):
    path = raw(tmp_path / "m.safetensors", HOSTILE_TABLES[kind])
    with pytest.raises(ModelError, match=r"m\.safetensors"):
        registry.read_header(path)


def test_one_odd_thing_in_the_folder_never_stops_the_list(folder):
    good = registry.import_model(write(folder.parent / "good.safetensors", HEADER))
    for number, table in enumerate(HOSTILE_TABLES.values()):
        raw(folder / f"bad-{number}.safetensors", table)
    (folder / "folder.safetensors").mkdir()
    if os.name == "posix":
        (folder / "dangling.safetensors").symlink_to(folder / "nothing")
        (folder / "loop.safetensors").symlink_to(folder / "loop.safetensors")
        (folder / "device.safetensors").symlink_to("/dev/zero")
        os.mkfifo(folder / "pipe.safetensors")
    listed = {info.name: info for info in registry.list_models()}
    assert listed["good"].sha256 == good.sha256 and not listed["good"].problem
    odd = [info for info in listed.values() if not info.bundled and info.name != "good"]
    assert len(odd) == len(list(folder.iterdir())) - 1
    assert all(info.problem and info.name in info.problem and not info.header for info in odd)
    for info in odd:
        with pytest.raises(ModelError):
            registry.load_model(info.path, "cpu")
    with pytest.raises(ModelError, match="'good'"):
        registry.find_model("nobody")
    with pytest.raises(ModelError, match="no file but a folder"):
        registry.find_model("folder")


def test_a_folder_that_cannot_be_listed_holds_no_models(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "none", tmp_path / ("x" * 5000)):
        monkeypatch.setenv("FRIEDEL_MODELS", str(place))
        assert all(info.bundled for info in registry.list_models())


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "~nobody-of-this-name/m.safetensors", ".", "/"])
def test_odd_names_are_no_models(name):
    with pytest.raises(ModelError, match="no model"):
        registry.find_model(name)


def test_export_copies_models_only(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("not a model")
    with pytest.raises(ModelError):
        registry.export_model(str(secret), tmp_path / "out.safetensors")
    path = write(tmp_path / "m.safetensors", HEADER)
    with pytest.raises(ModelError, match="no such folder"):
        registry.export_model(str(path), tmp_path / "none" / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()
    registry.export_model(str(path), tmp_path / "out.safetensors")
    assert (tmp_path / "out.safetensors").read_bytes() == path.read_bytes()
