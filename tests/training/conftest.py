"""Trainings of the tests are calibrated on an eighth of the scenes: they do not test the calibration."""

from __future__ import annotations

import functools

import pytest

from friedel.training import calibrate_paper


@pytest.fixture(autouse=True)
def short_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """`test_calibrate_paper` calls the function itself, which keeps its number of rounds."""
    short = functools.partial(calibrate_paper.calibrate_on_scenes, rounds=1)
    monkeypatch.setattr(calibrate_paper, "calibrate_on_scenes", short)
