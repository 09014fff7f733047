"""Progress: draining a piece of work, and making it part of a longer one."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from friedel.progress import Progress, drain, share


def work() -> Generator[Progress, None, str]:
    yield Progress(0.0, "first")
    yield Progress(0.5, "second", {"n": 2})
    yield Progress(1.0, "third")
    return "done"


def test_drain_shows_every_step_and_gives_the_result() -> None:
    seen: list[Progress] = []
    assert drain(work(), seen.append) == "done"
    assert [step.message for step in seen] == ["first", "second", "third"]
    assert drain(work()) == "done"


def test_share_squeezes_the_fraction_and_keeps_the_rest() -> None:
    seen: list[Progress] = []
    assert drain(share(work(), 0.2, 0.6), seen.append) == "done"
    assert [step.fraction for step in seen] == pytest.approx([0.2, 0.4, 0.6])
    assert seen[1].message == "second" and seen[1].values == {"n": 2}


def test_share_of_a_share() -> None:
    seen: list[Progress] = []
    drain(share(share(work(), 0.5, 1.0), 0.0, 0.5), seen.append)
    assert [step.fraction for step in seen] == pytest.approx([0.25, 0.375, 0.5])


def test_an_error_of_the_work_passes_through_a_share() -> None:
    def failing() -> Generator[Progress, None, None]:
        yield Progress(0.5)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        drain(share(failing(), 0.0, 0.5))


def test_the_work_is_closed_before_an_error_of_the_caller_arrives() -> None:
    """At Ctrl-C a training's checkpoint lies on the disk when the caller learns of it."""
    events = []

    def training() -> Generator[Progress, None, None]:
        try:
            while True:
                yield Progress(0.5)
        finally:
            events.append("kept")

    def pressed(_step: Progress) -> None:
        raise KeyboardInterrupt

    for made in (training, lambda: share(training(), 0.0, 0.5)):
        try:
            drain(made(), pressed)
        except KeyboardInterrupt:
            events.append("told")
    assert events == ["kept", "told"] * 2
