"""Models come to their names whole or not at all: without hard links, on a full disk, with two trainings at once."""

import errno
import os
from pathlib import Path

import pytest

from friedel.errors import ModelError
from friedel.models.publish import publish, reserved


def no_links(*_, **__):
    raise OSError(errno.EPERM, "Operation not permitted")


def test_without_hard_links_models_are_published_and_still_never_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", no_links)
    target = tmp_path / "m.safetensors"
    publish(target, lambda beside: beside.write_bytes(b"one"))
    assert target.read_bytes() == b"one"
    with pytest.raises(ModelError, match="exists already"):
        publish(target, lambda beside: beside.write_bytes(b"two"))
    assert target.read_bytes() == b"one" and list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path):
    def full(beside: Path):
        beside.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ModelError, match=r"cannot be written: No space left on device"):
        publish(tmp_path / "m.safetensors", full)
    assert not list(tmp_path.iterdir())


def test_a_name_is_reserved_for_one(tmp_path):
    target = tmp_path / "m.safetensors"
    with reserved(target):
        with pytest.raises(ModelError, match="Another process is training"), reserved(target):
            pass
        with reserved(tmp_path / "other.safetensors"):
            pass
        publish(target, lambda beside: beside.write_bytes(b"one"))
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(ModelError, match="exists already"), reserved(target):
        pass


def test_a_reservation_ends_with_an_error_and_with_the_process(tmp_path):
    target = tmp_path / "m.safetensors"
    with pytest.raises(ZeroDivisionError), reserved(target):
        raise ZeroDivisionError
    (tmp_path / ".m.safetensors.reserved").write_bytes(
        b""
    )  # what a killed process leaves: a file nobody has locked
    with reserved(target):
        pass
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_to_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(ModelError, match="no place for a model"),
        reserved(tmp_path / "file" / "m.safetensors"),
    ):
        pass
    with (
        pytest.raises(ModelError, match="no place for a model"),
        reserved(tmp_path / ("x" * 250 + ".safetensors")),
    ):
        pass
