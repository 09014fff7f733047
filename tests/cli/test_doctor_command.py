"""``friedel doctor`` prints the findings, as lines or as JSON."""

from __future__ import annotations

import json

import pytest

from friedel.cli import doctor as doctor_command, main
from friedel.doctor import Finding


@pytest.fixture
def findings(monkeypatch):
    made = (Finding("GPU", "none\nthat CUDA\x1b[2J can use", "Check the driver."), Finding("system", "fine"))
    monkeypatch.setattr(doctor_command, "examine", lambda: made)
    return made


def test_the_hint_stands_below_its_finding(findings, capsys) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "GPU     none that CUDA\\x1b[2J can use",
        "        → Check the driver.",
        "system  fine",
    ]


def test_json_holds_every_finding(findings, capsys) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == [{"topic": one.topic, "text": one.text, "hint": one.hint} for one in findings]


def test_this_machine_is_examined(capsys) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "torch" in out and "auto means" in out
