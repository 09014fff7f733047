"""The examination of a machine: it tells what is there, and never fails."""

import pytest

from friedel import doctor


def test_examine_names_torch_and_the_device_that_auto_takes():
    found = {one.topic: one for one in doctor.examine()}
    assert {"friedel", "system", "required", "processors", "memory", "torch", "device"} <= set(found)
    assert "torch" in found["required"].text
    assert found["device"].text.split()[-1] in ("cpu", "cuda", "mps")
    assert not found["required"].hint


def test_examine_names_what_computes_the_network(monkeypatch):
    monkeypatch.setattr("friedel.models.runtime.on_processor", lambda device: True)
    found = {one.topic: one for one in doctor.examine()}
    assert found["network"].text.startswith("onnxruntime ") and not found["network"].hint
    monkeypatch.setattr("friedel.models.light.find_spec", lambda name: None)
    found = {one.topic: one for one in doctor.examine()}
    assert found["network"].text.startswith("torch ") and "onnxruntime" in found["network"].hint


def test_examine_goes_on_where_a_part_is_broken(monkeypatch):
    def memory():
        raise OSError("no /proc here")
        yield

    monkeypatch.setattr(doctor, "_memory", memory)
    found = {one.topic: one for one in doctor.examine()}
    assert "no /proc here" in found["memory"].text
    assert found["memory"].hint
    assert "torch" in found


@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_a_machine_without_a_screen_is_told_so(monkeypatch, variable):
    pytest.importorskip("napari.components")  # not the folder tests/napari
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    assert any("no screen" in one.hint for one in doctor.examine())
    monkeypatch.setenv(variable, ":0")
    assert not any("no screen" in one.hint for one in doctor.examine())
