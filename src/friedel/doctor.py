"""What this machine has, and what a detection on it will use."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Packages without which nothing runs, then those of the window, then readers of single formats.
_PACKAGES = {
    "required": (
        "numpy",
        "scipy",
        "pandas",
        "xarray",
        "h5py",
        "scikit-image",
        "torch",
        "safetensors",
        "onnxruntime",
    ),
    "window": ("napari", "magicgui", "superqt", "pyqtgraph", "qtpy", "npe2"),
    "formats": ("igor2", "spym", "gwyfile", "access2thematrix"),
}


@dataclass(frozen=True)
class Finding:
    """One line of the examination.

    Parameters
    ----------
    topic : str
        For example ``"GPU"``.
    text : str
    hint : str
        What to do about it; empty where nothing is wrong.
    """

    topic: str
    text: str
    hint: str = ""


def examine() -> tuple[Finding, ...]:
    """Examine this machine; imports torch, but no Qt.

    Returns
    -------
    tuple of Finding
        System, packages, threads, memory, GPU, window, the device that ``device="auto"`` takes, and what computes the
        network there. What cannot be
        examined is a finding with a hint, never an error.
    """
    return tuple(
        finding
        for part in (_system, _packages, _processors, _memory, _torch, _runtime, _window)
        for finding in _guarded(part)
    )


def _guarded(part: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from part()
    except Exception as error:  # a broken installation must not end its own examination
        name = part.__name__.lstrip("_")
        yield Finding(name, f"cannot be examined: {error}", f"Reinstall the packages of {name!r}.")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _system() -> Iterator[Finding]:
    yield Finding("friedel", _installed("napari-friedel") or "a source tree that is not installed")
    yield Finding("system", f"{platform.platform()}, Python {platform.python_version()} ({sys.executable})")


def _packages() -> Iterator[Finding]:
    for topic, names in _PACKAGES.items():
        found = {name: _installed(name) for name in names}
        missing = [name for name, there in found.items() if there is None]
        hint = ""
        if missing and topic == "required":
            hint = f"Install {', '.join(missing)}."
        elif missing:
            hint = f"Missing: {', '.join(missing)}. Install napari-friedel[all] if you need them."
        yield Finding(topic, ", ".join(f"{name} {there}" for name, there in found.items() if there), hint)


def _processors() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ}
    limit = "".join(f", {name}={value}" for name, value in limits.items())
    yield Finding("processors", f"{cores} usable of {os.cpu_count()}{limit}")


def _memory() -> Iterator[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    free = memory.available / 2**30
    hint = "Close other programs before you open a large grid." if free < 1 else ""
    yield Finding("memory", f"{free:.1f} GiB free of {memory.total / 2**30:.1f} GiB", hint)


def _torch() -> Iterator[Finding]:
    import torch

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU only"
    yield Finding("torch", f"{torch.__version__} ({build}), {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            name = torch.cuda.get_device_name(number)
            yield Finding(f"cuda:{number}", f"{name}, {free / 2**30:.1f} GiB free of {total / 2**30:.1f} GiB")
    elif torch.version.cuda:
        yield Finding(
            "GPU", "none that CUDA can use", "Check the NVIDIA driver, or use the CPU: nothing is missing."
        )
    else:
        yield Finding("GPU", "not used by this build of torch")
    from friedel.models.model import resolve_device

    yield Finding("device", f"auto means {resolve_device('auto')}")


def _runtime() -> Iterator[Finding]:
    from friedel.models.light import has_runtime
    from friedel.models.runtime import load_for_detection

    hint = "" if has_runtime() else "Install onnxruntime: a detection on the processor then starts sooner."
    yield Finding("network", f"{load_for_detection('friedel').runtime} computes the network friedel", hint)


def _window() -> Iterator[Finding]:
    if _installed("napari") is None:
        yield Finding("window", "napari is not installed", "Install napari-friedel[all] for the window.")
        return
    bindings = [f"{name} {there}" for name in ("PyQt6", "PySide6", "PyQt5") if (there := _installed(name))]
    screen = sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    hint = "" if bindings else "Install napari-friedel[all]: napari needs PyQt6, PySide6 or PyQt5."
    if not screen:
        hint = "There is no screen here: use the command line, or start a virtual screen (xvfb-run)."
    yield Finding("Qt", ", ".join(bindings) or "no binding is installed", hint)
