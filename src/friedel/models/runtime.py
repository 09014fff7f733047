"""What computes a network in a detection: ONNX Runtime on the processor where it can, else torch."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friedel.models.light import LightModel, light_model, usable_graph
from friedel.models.model import Model
from friedel.models.registry import find_model, load_model, read_header

if TYPE_CHECKING:
    from typing import TypeAlias

#: A model of either kind.
DetectionModel: TypeAlias = Model | LightModel
#: Device files of NVIDIA's driver, of the same in WSL, and of AMD's.
_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")


def load_for_detection(
    name_or_path: str | os.PathLike[str] | Model, device: Any = "auto", *, here: bool = True
) -> DetectionModel:
    """Load a model with the runtime that a detection takes.

    ONNX Runtime serves on the processor, in this process, for networks whose graph comes with this package. torch
    serves GPUs, executors, all other networks, and wherever ONNX Runtime is missing. The answers are the same.

    Parameters
    ----------
    name_or_path : str, path or Model
        As for `friedel.models.registry.load_model`.
    device : str or torch.device
    here : bool
        Whether the tiles are computed in this process; on an executor the network is sent along, as torch's can be.

    Raises
    ------
    ModelError
        As `friedel.models.registry.load_model`.
    """
    if here and not isinstance(name_or_path, Model) and on_processor(device):
        light = light_model(find_model(name_or_path))
        if light is not None:
            return light
    return load_model(name_or_path, device)


def needs_torch(name_or_path: str | os.PathLike[str] | Model, device: Any = "auto") -> bool:
    """Whether `load_for_detection` will load torch, as far as the model's header tells."""
    if isinstance(name_or_path, Model) or not on_processor(device):
        return True
    return usable_graph(read_header(find_model(name_or_path))) is None


def on_processor(device: Any) -> bool:
    """Whether a device is surely the processor; torch is not loaded to find out."""
    if not isinstance(device, str) or device not in ("auto", "cpu"):
        return getattr(device, "type", "") == "cpu"
    return device == "cpu" or not may_have_gpu()


def may_have_gpu() -> bool:
    """Whether ``device="auto"`` might be a GPU: torch's build and the system's driver tell without torch."""
    if sys.platform == "darwin":  # MPS
        return True
    try:
        if version("torch").endswith("+cpu"):
            return False
    except PackageNotFoundError:
        return True  # torch's own error says what is missing
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll").exists()
    return any(Path(driver).exists() for driver in _DRIVERS)
