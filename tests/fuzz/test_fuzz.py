"""A short run of the fuzzer, and that it sees what it is there to see."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from tests.fuzz.supervisor import once, run
from tests.fuzz.tries import ACCEPTED, TRIES, damaged


def planted(rng: random.Random, folder: Path) -> str:
    """Fail in each way in turn; the fourth try is in order."""
    count = Path(os.environ["FUZZ_TEST_COUNT"])
    number = int(count.read_text() or 0)
    count.write_text(str(number + 1))
    if number == 0:
        raise ZeroDivisionError("planted")
    if number == 1:
        os._exit(11)
    if number == 2:
        time.sleep(600)
    return ACCEPTED


@pytest.mark.slow  # starts three processes
def test_exceptions_deaths_and_hangs_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "count").write_text("")
    monkeypatch.setenv("FUZZ_TEST_COUNT", str(tmp_path / "count"))
    started = time.monotonic()
    result: dict = {"accepted": 0}
    while not result["accepted"] and time.monotonic() - started < 200:  # a busy machine starts slowly
        (tmp_path / "count").write_text("")
        result = run("header", 8.0, attempt=planted, limit=4.0)
    what = " | ".join(text for _, text in result["failures"])
    assert result["failed"] >= 3 and result["accepted"] > 0
    assert "ZeroDivisionError: planted" in what and "exit code 11" in what and "no answer within 4 s" in what


@pytest.mark.parametrize("kind", ["file", "header", "model", "call"])
def test_a_hundred_tries_end_in_an_answer_or_a_sentence(kind: str) -> None:
    results = [once(TRIES[kind][0], kind, number) for number in range(100)]
    assert not [what for result, what in results if result == "failed"]
    assert {result for result, _ in results} >= {"refused"}


def test_a_try_is_repeated_by_its_number() -> None:
    content = bytes(range(200))
    first, again, other = (damaged(content, random.Random(f"file {number}")) for number in (1, 1, 2))
    assert first == again != other
