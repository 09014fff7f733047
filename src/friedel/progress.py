"""Long work is a generator that yields `Progress`; docks, the command line and tests drain the same one."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """One step of a long piece of work.

    Parameters
    ----------
    fraction : float
        Share of the work that is done, from 0 to 1.
    message : str
        What is being done, in words for the user.
    values : dict
        Figures worth showing or plotting, for example ``{"L0": 3.2}``.
    """

    fraction: float
    message: str = ""
    values: dict[str, Any] = field(default_factory=dict)


def drain(work: Generator[Progress, None, T], on_progress: Callable[[Progress], object] | None = None) -> T:
    """Run `work` to its end and give what it returns.

    If `on_progress` raises, such as at Ctrl-C, `work` is closed first: what it keeps then lies on the disk when the
    caller learns of it.

    Parameters
    ----------
    work : generator of Progress
        For example ``iter_detect(stack)``.
    on_progress : callable, optional
        Called with every `Progress`.

    Returns
    -------
    object
        The generator's return value.
    """
    with closing(work):
        while True:
            try:
                step = next(work)
            except StopIteration as end:
                result: T = end.value
                return result
            if on_progress is not None:
                on_progress(step)


def share(
    work: Generator[Progress, None, T], start: float, stop: float, title: str = ""
) -> Generator[Progress, None, T]:
    """Run `work` as a part of something longer.

    Parameters
    ----------
    work : generator of Progress
    start, stop : float
        Shares of the whole, from 0 to 1, at which the part begins and ends.
    title : str
        Stands before what the part says.

    Yields
    ------
    Progress
        Those of `work`, their fractions squeezed between `start` and `stop`.

    Returns
    -------
    object
        What `work` returns.
    """
    with closing(work):
        while True:
            try:
                step = next(work)
            except StopIteration as end:
                result: T = end.value
                return result
            message = f"{title}: {step.message}" if title else step.message
            yield Progress(start + (stop - start) * step.fraction, message, step.values)
