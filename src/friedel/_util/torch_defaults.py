"""torch as this library needs it, whatever the program around it has set: float32, the CPU, gradients as usual.

A notebook or another plugin may have set another default dtype or device, or may call from inside ``torch.no_grad()``
or ``torch.inference_mode()``. A tensor made without a word on its type would follow, and a training would find no
gradient. The device and the gradients are set for this thread only. The default dtype is one for the whole process:
it is touched only where the host has changed it, and put back at once.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

P = ParamSpec("P")
R = TypeVar("R")
#: Threads with another default dtype take turns.
_dtype_lock = threading.RLock()


@contextmanager
def torch_defaults(device: str = "cpu") -> Iterator[None]:
    """Keep torch's defaults at float32 and `device`, with gradients, inside the block.

    Where torch is not loaded yet nobody has changed its defaults, and it is not loaded for this.
    """
    if "torch" not in sys.modules and device == "cpu":
        yield
        return
    import torch

    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        if torch.get_default_device() != torch.device(device):
            stack.enter_context(torch.device(device))
        before = torch.get_default_dtype()
        if before != torch.float32:
            stack.enter_context(_dtype_lock)
            torch.set_default_dtype(torch.float32)
            stack.callback(torch.set_default_dtype, before)
        yield


def with_torch_defaults(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function, or every step of a generator function, inside `torch_defaults`.

    What the caller does between two steps of a generator sees the caller's own defaults.
    """
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def steps(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, Any]:
            work = function(*args, **kwargs)
            try:
                while True:
                    with torch_defaults():
                        try:
                            step = next(work)
                        except StopIteration as end:
                            return end.value
                    yield step
            finally:
                with torch_defaults():
                    work.close()

        return steps  # type: ignore[return-value]

    @functools.wraps(function)
    def whole(*args: P.args, **kwargs: P.kwargs) -> R:
        with torch_defaults():
            return function(*args, **kwargs)

    return whole
