"""Ctrl-C, SIGTERM and a full disk: a training leaves a state from which it goes on exactly, and says what happened."""

import errno
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch

from friedel.errors import FriedelWarning, ModelError
from friedel.models.registry import load_model
from friedel.progress import drain
from friedel.training import checkpoint, trained
from friedel.training.checkpoint import Keeper, different_settings
from friedel.training.interrupts import Interrupts
from friedel.training.loop import iter_train
from friedel.training.train_config import TrainConfig

from .test_loop import Line, small, weights

PROGRAM = """
import sys, time
import torch
from friedel.progress import drain
from friedel.training.loop import iter_train
from tests.training.test_loop import Line

class Slow(Line):
    def loss(self, network, batch):
        time.sleep(0.01)
        return super().loss(network, batch)

def shown(step):
    print(step.values["step"], flush=True)

for target in sys.argv[1:]:
    try:
        drain(iter_train(Slow(), output=target, steps=100_000, device="cpu"), shown)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_signal_within_the_first_minute_leaves_a_checkpoint(tmp_path, repository):
    """One process with two trainings, since its start takes most of the time."""
    names = ("SIGINT", "SIGTERM")
    targets = [str(tmp_path / f"{name}.safetensors") for name in names]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *targets], stdout=subprocess.PIPE, text=True, cwd=repository
    )
    for name in names:
        seen = [int(process.stdout.readline()) for _ in range(3)]
        process.send_signal(getattr(signal, name))
        seen += [int(line) for line in iter(process.stdout.readline, "interrupted\n")]
        content = torch.load(tmp_path / f"{name}.checkpoint", weights_only=True)
        # The last step may end after the signal, and is then kept without having been told.
        assert content["step"] in (seen[-1], seen[-1] + 1)
        assert content["optimizer"]["state"][0]["step"] == content["step"]  # no half of a step
    process.stdout.close()
    assert process.wait(60) == 0
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"{name}.checkpoint" for name in names}  # the names are free again


def test_an_interrupt_waits_for_the_end_of_a_step_and_a_second_one_does_not():
    before = signal.getsignal(signal.SIGINT)
    with Interrupts() as interrupts:
        with interrupts.step():
            signal.raise_signal(signal.SIGINT)
            reached = True
        assert reached and interrupts.pending
        with pytest.raises(KeyboardInterrupt), interrupts.step():
            signal.raise_signal(signal.SIGINT)
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)  # between two steps
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupted_step_is_kept_whole_and_goes_on_exactly(tmp_path):
    whole = weights(drain(iter_train(small(), output=tmp_path / "whole", steps=5, device="cpu")))

    class Pressed(type(small())):
        def loss(self, network, batch):
            if not list(tmp_path.glob("*.checkpoint")):
                signal.raise_signal(signal.SIGINT)
            return super().loss(network, batch)

    plain = small()
    pressed = Pressed(**{name: getattr(plain, name) for name in plain.__dataclass_fields__})
    settings = {"output": tmp_path / "m", "steps": 5, "device": "cpu"}
    with pytest.raises(KeyboardInterrupt):
        drain(iter_train(pressed, **settings))
    assert torch.load(tmp_path / "m.checkpoint", weights_only=True)["step"] == 1
    parts = weights(drain(iter_train(pressed, **settings, resume=True)))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_checkpoint_on_a_full_disk_costs_one_warning_not_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "write_checkpoint", full)
    with pytest.warns(FriedelWarning, match="cannot be kept.*No space left") as seen:
        path = drain(iter_train(Line(), output=tmp_path / "m", steps=5, device="cpu", save_every=0.0))
    assert len(seen) == 1 and weights(path)["weight"].isfinite().all()


def test_a_keeper_warns_again_after_a_success(tmp_path, monkeypatch):
    keeper = Keeper(tmp_path / "state", 0.0, lambda: {"a": torch.zeros(2)})
    assert keeper.keep(now=True)
    write = checkpoint.write_checkpoint
    for _ in range(2):
        monkeypatch.setattr(checkpoint, "write_checkpoint", full)
        with pytest.warns(FriedelWarning):
            assert not keeper.keep(now=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not keeper.keep(now=True)
        monkeypatch.setattr(checkpoint, "write_checkpoint", write)
        assert keeper.keep(now=True)
    assert Keeper(None, 0.0, full).keep(now=True)  # nothing to keep


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_real_full_device_is_an_oserror(tmp_path, monkeypatch):
    """torch's own writer of files would raise a RuntimeError here."""
    from contextlib import contextmanager

    @contextmanager
    def to_full(path):
        yield Path("/dev/full")

    monkeypatch.setattr(checkpoint, "write_beside", to_full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.write_checkpoint(tmp_path / "state", {"a": torch.zeros(100_000)})


def test_a_trained_model_that_cannot_lie_at_its_place_is_saved_elsewhere(tmp_path, monkeypatch):
    network, header = torch.nn.Linear(1, 1), Line().header()
    target = tmp_path / "full" / "m.safetensors"
    save = trained.save_model

    def save_but_there(path, *rest):
        if path == target:
            raise ModelError(f"{path} cannot be written: No space left on device.")
        return save(path, *rest)

    monkeypatch.setattr(trained, "save_model", save_but_there)
    with pytest.raises(
        ModelError, match=r"No space left on device\. The trained model was saved as"
    ) as error:
        trained.save_trained(target, network, header)
    other = str(error.value).split("saved as ")[1].removesuffix(" instead.")
    assert torch.equal(weights(other)["weight"], network.weight)


def test_other_settings_are_refused_at_resume_and_another_length_is_recorded(tmp_path):
    settings = {"output": tmp_path / "m", "device": "cpu"}
    work = iter_train(small(), **settings, steps=4)
    next(work)
    work.close()
    with pytest.raises(ModelError, match=r"other settings \(training.learning_rate: 0.008, not 0.5\)"):
        next(iter_train(small(learning_rate=0.5), **settings, steps=4, resume=True))
    header = load_model(drain(iter_train(small(), **settings, steps=3, resume=True)), "cpu").header
    assert [(run["step"], run["steps"]) for run in header["runs"]] == [(0, 4), (1, 3)]
    assert header["steps"] == 3


def test_settings_are_compared_entry_by_entry():
    kept = {"a": 1, "scene": {"k": [1, 2], "noise": 0.8}, "old": 3}
    assert different_settings(kept, {"a": 1, "scene": {"k": (1, 2), "noise": 0.8}, "new": 4}) == []
    assert different_settings(kept, {"scene": {"k": (1, 3)}}) == ["scene.k: [1, 2], not (1, 3)"]


@pytest.mark.parametrize(
    "bad",
    [{}, {"steps": 1, "minutes": 1.0}, {"steps": 0}, {"minutes": float("nan")}, {"steps": 1, "seed": -1},
     {"steps": 1, "workers": -1}, {"steps": 2.5}, {"minutes": float("inf")}, {"steps": 1, "save_every": -1.0}],
)  # fmt: skip
def test_settings_of_a_training_that_make_no_sense(bad):
    with pytest.raises(ModelError):
        TrainConfig(**bad)


def test_the_output_is_reserved_while_a_training_runs(tmp_path):
    first = iter_train(Line(), output=tmp_path / "m", steps=3, device="cpu")
    next(first)
    with pytest.raises(ModelError, match="Another process is training"):
        next(iter_train(Line(), output=tmp_path / "m", steps=3, device="cpu"))
    assert drain(first).name == "m.safetensors"


def test_time_between_steps_is_not_training(tmp_path):
    work = iter_train(Line(), output=tmp_path / "m", steps=3, device="cpu")
    next(work)
    time.sleep(0.6)
    next(work)
    work.close()
    assert torch.load(tmp_path / "m.checkpoint", weights_only=True)["seconds"] < 0.6
