"""`friedel train`, `fine-tune` and `models` as a user calls them."""

import json

import numpy as np
import pytest
import torch

from friedel.cli import main
from friedel.cli.common import naming_unfinished
from friedel.models.paper_net import AttentionConfig, AttentionNetwork
from friedel.models.registry import read_header, save_model
from friedel.stack import make_stack


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    network = AttentionNetwork(AttentionConfig(width=4, dilations=(1,), inner_product="global"))
    header = {
        "architecture": "attention",
        "config": network.config.as_dict(),
        "k_range": [0.6, 0.95],
        "recipe": "paper",
        "calibration": {"slope": 1.0, "intercept": 0.0},
        "threshold": 0.5,
    }
    return save_model(tmp_path / "small.safetensors", network, header)


@pytest.fixture
def stack_file(tmp_path):
    maps = np.random.default_rng(0).normal(size=(5, 24, 24)) + 3
    stack = make_stack(
        {"LockinX": maps},
        bias_mv=np.linspace(-230, 20, 5),
        pixel_nm=0.469,
        images={"bound_state": np.exp(-((np.indices((24, 24)) - 12) ** 2).sum(0) / 8.0)},
    )
    path = tmp_path / "sample.nc"
    stack.to_netcdf(path, engine="h5netcdf")
    return path


@pytest.fixture
def tune(model, stack_file, tmp_path):
    def call(*more, output="tuned.safetensors"):
        files = [str(stack_file), "-o", str(tmp_path / output), "--model", str(model)]
        settings = [
            "--material",
            "au111",
            "--epochs",
            "1",
            "--batch",
            "2",
            "--voltages",
            "3",
            "--device",
            "cpu",
        ]
        return main(["fine-tune", *files, *settings, *more])

    return call


def test_the_train_command_writes_a_model_whose_header_has_its_options(tmp_path, capsys, monkeypatch):
    known = {
        "calibration": {"slope": 1.0, "intercept": 0.0},
        "threshold": 0.5,
    }  # measured elsewhere, at length
    monkeypatch.setattr("friedel.training.calibrate_paper.calibrate_on_scenes", lambda *args, **more: known)
    path = tmp_path / "m.safetensors"
    command = [
        "train",
        "--recipe",
        "paper",
        "-o",
        str(path),
        "--steps",
        "1",
        "--seed",
        "4",
        "--device",
        "cpu",
        "--workers",
        "1",
        "--set",
        "maps=16",
        "--set",
        "learning_rate=1e-3",
    ]
    assert main(command) == 0
    assert capsys.readouterr().out.strip() == str(path)
    header = read_header(path)
    assert header["training"]["maps_per_step"] == 16 and header["training"]["learning_rate"] == 1e-3
    assert (
        header["workers"] == 1
        and header["seed"] == 4
        and header["steps"] == 1
        and header["recipe"] == "paper"
    )
    assert main(command) == 2
    assert "never overwritten" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "value"), [("--steps", "0"), ("--minutes", "-1"), ("--threads", "0")])
def test_train_refuses_nonsense(tmp_path, capsys, option, value):
    assert main(["train", "-o", str(tmp_path / "m"), option, value]) == 2
    assert "greater than 0" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_train_refuses_settings_that_are_none(tmp_path, capsys):
    for text, wanted in (
        ("size", "is not NAME=VALUE"),
        ("size=wide", "whole number"), ("batch_size=1.5", "whole number"), ("fresh=0", "whole number"),
        ("average=none", "a number"), ("learning_rate=-1", "a number"), ("learning_rate=nan", "a number"),
        ("average=2", "a number"), ("size=100000", "whole number"),
        # The recipe has them, but not for users.
        ("network=3", "no recipe takes"), ("name=mine", "no recipe takes"), ("colour=red", "no recipe takes"),
    ):  # fmt: skip
        assert main(["train", "-o", str(tmp_path / "m"), "--set", text]) == 2
        error = capsys.readouterr().err
        assert wanted in error.lower().replace("name=value", "NAME=VALUE") and error.count("\n") == 1
    assert main(["train", "--recipe", "paper", "-o", str(tmp_path / "m"), "--set", "size=40"]) == 2
    assert "has no setting 'size'" in capsys.readouterr().err
    for workers in ("-1", "100000"):
        assert main(["train", "-o", str(tmp_path / "m"), "--workers", workers]) == 2
        assert "--workers" in capsys.readouterr().err
    assert main(["train", "-o", "."]) == 2
    assert "is a folder" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_train_resume_without_a_checkpoint(tmp_path, capsys):
    assert main(["train", "--recipe", "paper", "-o", str(tmp_path / "m"), "--steps", "1", "--resume"]) == 2
    assert "no unfinished training" in capsys.readouterr().err


def test_fine_tune_writes_a_model_and_says_what_changed(tune, tmp_path, capsys):
    assert tune("--reference", "bound_state") == 0
    out = capsys.readouterr().out
    assert "entropy on the sample [nat]" in out and "agreement with the reference" in out
    header = read_header(tmp_path / "tuned.safetensors")
    assert header["parent_name"] == "small" and header["fine_tune"]["steps_done"] == 50
    assert not list(tmp_path.glob("*.autosave"))
    assert tune() == 2
    assert "never overwritten" in capsys.readouterr().err


def test_fine_tune_takes_a_bare_array_with_its_axes(tune, stack_file, tmp_path, capsys):
    import xarray as xr

    with xr.open_dataset(stack_file, engine="h5netcdf") as stack:
        np.save(tmp_path / "sample.npy", stack["LockinX"].to_numpy())
    stack_file.unlink()
    (tmp_path / "sample.npy").rename(stack_file)  # content decides, not the name
    assert tune() == 2
    assert "--bias" in capsys.readouterr().err
    assert tune("--bias", "-230:20", "--pixel-nm", "0.469") == 0
    assert read_header(tmp_path / "tuned.safetensors")["sample"]["voltages"] == 5


def test_fine_tune_learns_from_tables_of_points(tune, tmp_path):
    (tmp_path / "yes.csv").write_text("row,column\n12,12\n")
    (tmp_path / "no.csv").write_text("row,column\n3,4\n5,6\n")
    assert tune("--added", str(tmp_path / "yes.csv"), "--removed", str(tmp_path / "no.csv")) == 0
    tuning = read_header(tmp_path / "tuned.safetensors")["fine_tune"]
    assert tuning["added"] == [[12.0, 12.0]] and len(tuning["removed"]) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--alpha", "-1"], "alpha must be a number from 0"),
        (["--epochs", "0"], "epochs must be a whole number from 1"),
        (["--resume"], "no autosaved"),
        (["--area", "0:4,0:4"], "too small"),
    ],
)
def test_fine_tune_refusals_leave_no_file(tune, tmp_path, capsys, options, message):
    before = set(tmp_path.iterdir())
    assert tune(*options) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert set(tmp_path.iterdir()) == before


def test_fine_tune_does_not_run_over_an_unfinished_one(tune, tmp_path, capsys):
    (tmp_path / "tuned.autosave").write_bytes(b"state")
    assert tune() == 2
    assert "--resume" in capsys.readouterr().err
    assert tune("--resume") == 2
    assert "damaged" in capsys.readouterr().err


def test_models_import_list_show_export_delete(model, tmp_path, capsys):
    assert main(["models", "import", str(model), "--name", "gold"]) == 0
    capsys.readouterr()
    assert main(["models", "list", "--json"]) == 0
    listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert not listed["gold"]["bundled"] and len(listed["gold"]["sha256"]) == 64
    assert main(["models", "list"]) == 0
    assert "gold" in capsys.readouterr().out
    assert main(["models", "show", "gold"]) == 0
    assert "wavevectors: 0.60 to 0.95 rad/px" in capsys.readouterr().out
    assert main(["models", "export", "gold", "-o", str(tmp_path / "out.safetensors")]) == 0
    assert (tmp_path / "out.safetensors").read_bytes() == model.read_bytes()
    assert main(["models", "delete", "gold"]) == 0
    capsys.readouterr()
    assert main(["models", "show", "gold"]) == 2
    assert "no model 'gold'" in capsys.readouterr().err


def test_show_json_is_the_header(model, capsys):
    assert main(["models", "show", str(model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["header"]["recipe"] == "paper"


def test_an_interruption_says_where_the_unfinished_training_is(tmp_path):
    kept = tmp_path / "m.checkpoint"
    for there in (False, True):
        if there:
            kept.write_bytes(b"x")
        with pytest.raises(KeyboardInterrupt) as stop, naming_unfinished(kept):
            raise KeyboardInterrupt
        assert (str(kept) in str(stop.value)) is there
