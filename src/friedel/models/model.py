"""A network ready to use: built from its header, on a device, with the probability that its S stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.errors import ModelError

if TYPE_CHECKING:
    import torch

#: Architecture → "module:function" that builds the network from its config.
ARCHITECTURES: dict[str, str] = {
    "attention": "friedel.models.paper_net:build",
    "wave": "friedel.models.friedel_net:build",
}


@dataclass(frozen=True)
class Model:
    """A network ready to use, with what is known about it.

    Parameters
    ----------
    network : torch.nn.Module
        In eval mode, on its device; see `friedel.models.base.Network`.
    header : dict
        The file's JSON header.
    name : str
        Name in the registry, or the file's stem.
    sha256 : str
        Of the weights' file; empty for a model that was never saved.
    """

    network: torch.nn.Module
    header: dict[str, Any]
    name: str = ""
    sha256: str = ""

    @property
    def k_range(self) -> tuple[float, float]:
        """Wavevectors that the network was trained for, (low, high) [rad/px]."""
        low, high = self.header["k_range"]
        return float(low), float(high)

    @property
    def k_mean(self) -> tuple[float, float] | None:
        """Where the mean of a stack's wavevectors should lie, see `friedel.resample.plan`; None: anywhere."""
        if "k_mean" not in self.header:
            return None
        low, high = self.header["k_mean"]
        return float(low), float(high)

    @property
    def threshold(self) -> float:
        """Probability from which on a peak counts as an impurity."""
        return float(self.header.get("threshold", 0.5))

    @property
    def device(self) -> torch.device:
        """Where the network's weights lie."""
        return next(self.network.parameters()).device

    def probability(self, s: Any) -> Any:
        """Calibrated probability that a peak with this S is an impurity; see `friedel.models.calibration`.

        Parameters
        ----------
        s : array or Tensor, shape (..., rows, columns)
            S over whole fields (a relative calibration compares S with the rest of its field).

        Returns
        -------
        array or Tensor
            Of the kind and shape of `s`, from 0 to 1.
        """
        import torch

        from friedel.models.calibration import logit

        calibration = self.header.get("calibration", {})
        if isinstance(s, torch.Tensor):
            return logit(s, calibration).sigmoid()
        values = np.asarray(s)
        return logit(torch.from_numpy(np.array(values, dtype=np.float64)), calibration).sigmoid().numpy()


def resolve_device(device: Any = "auto") -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps`` into a `torch.device`.

    Raises
    ------
    ModelError
        If the device does not exist on this machine.
    """
    import torch

    if isinstance(device, torch.device):
        return device
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if device == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ModelError(f"{device!r} is no device; use auto, cpu, cuda, cuda:0 or mps.") from error
    missing = (chosen.type == "cuda" and (not cuda or (chosen.index or 0) >= torch.cuda.device_count())) or (
        chosen.type == "mps" and not mps
    )
    if missing:
        raise ModelError(f"The device {device!r} does not exist on this machine; use auto or cpu.")
    return chosen


@contextmanager
def full_precision() -> Iterator[None]:
    """Keep CUDA's convolutions at float32's 24 bits inside the block: by default cuDNN may round to 11 (TF32)."""
    import torch

    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def mixed_precision(device: torch.device) -> torch.autocast:
    """Compute in bfloat16 where that is safe inside the block, on CUDA only: what every training step does."""
    import torch

    return torch.autocast("cuda", dtype=torch.bfloat16, enabled=device.type == "cuda")


def build_network(architecture: str, config: Mapping[str, Any]) -> torch.nn.Module:
    """Build an untrained network.

    Raises
    ------
    ModelError
        If the architecture is unknown or does not take this config.
    """
    if architecture not in ARCHITECTURES:
        raise ModelError(
            f"The architecture {architecture!r} is unknown to this version of friedel; "
            f"it knows {', '.join(sorted(ARCHITECTURES))}. Update napari-friedel."
        )
    module, function = ARCHITECTURES[architecture].split(":")
    try:
        return getattr(import_module(module), function)(dict(config))
    except (TypeError, ValueError, KeyError) as error:
        raise ModelError(
            f"The architecture {architecture!r} cannot be built with {dict(config)}: {error}."
        ) from error
