"""A network ready to use: built from its header, on a device, with the probability that its S stands for."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from friedel._util.registry import Registry
from friedel.errors import ModelError
from friedel.models.model_facts import ModelFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch

#: Architecture → "module:function" that builds the network from its config.
ARCHITECTURES: Registry[str] = Registry(
    "architecture",
    {"attention": "friedel.models.paper_net:build", "wave": "friedel.models.friedel_net:build"},
    str,
)


def register_architecture(name: str, build: str, *, replace: bool = False) -> str:
    """Make a network known by the name that stands in the headers of its models.

    Parameters
    ----------
    name : str
    build : str
        ``"module:function"``; the function builds the untrained network from the header's config.
    replace : bool
        Whether a known architecture may be replaced.

    Raises
    ------
    FriedelError
        If the name is taken.
    """
    return ARCHITECTURES.register(name, build, replace=replace)


@dataclass(frozen=True)
class Model(ModelFacts):
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
    def device(self) -> torch.device:
        """Where the network's weights lie."""
        return next(self.network.parameters()).device

    @property
    def runtime(self) -> str:
        """Name and version of what computes the network."""
        import torch

        return f"torch {torch.__version__}"


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
    if not isinstance(device, (str, int)):
        raise ModelError(f"{device!r:.60} is no device; use auto, cpu, cuda, cuda:0 or mps.")
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if device == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelError(f"{device!r:.60} is no device; use auto, cpu, cuda, cuda:0 or mps.") from error
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


def build_network(
    architecture: str, config: Mapping[str, Any], *, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> torch.nn.Module:
    """Build a network of float32 weights on the CPU, whatever torch's defaults are.

    Parameters
    ----------
    architecture : str
        A key of `ARCHITECTURES`.
    config : mapping
    shapes : mapping of str to tuple of int, optional
        Shapes of the weights that it shall take. They are compared before anything is allocated, and the weights are
        left as the memory holds them. Without shapes the network is untrained.

    Raises
    ------
    ModelError
        If the architecture is unknown, does not take this config, or has weights of other shapes.
    """
    from friedel._util.torch_defaults import torch_defaults

    if architecture not in ARCHITECTURES:
        raise ModelError(
            f"The architecture {architecture!r} is unknown to this version of friedel; "
            f"it knows {', '.join(sorted(ARCHITECTURES))}. Update napari-friedel."
        )
    module, function = ARCHITECTURES[architecture].split(":")
    build = getattr(import_module(module), function)
    try:
        with torch_defaults("cpu" if shapes is None else "meta"):
            network: torch.nn.Module = build(dict(config))
    except (TypeError, ValueError, KeyError, RuntimeError, OverflowError) as error:
        given = str(dict(config))
        given = given if len(given) <= 200 else given[:197] + "..."
        raise ModelError(
            f"The architecture {architecture!r} cannot be built with {given}: {error}."
        ) from error
    if shapes is None:
        return network
    weights = network.state_dict()
    wanted = {name: tuple(value.shape) for name, value in weights.items()}
    if wanted != dict(shapes):
        raise ModelError("Its weights do not fit its header; get the model again.")
    import torch

    # As `Module.to_empty` does, which loads sympy for it: a second. The order of the weights in memory is kept.
    empty = {
        name: torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="cpu")
        for name, value in weights.items()
    }
    network.load_state_dict(empty, assign=True)
    return network


def try_network(model: Model, where: str) -> None:
    """Run a network once on a small field of noise and refuse it if the answer is no map.

    Parameters
    ----------
    model : Model
    where : str
        The file, for the sentence.

    Raises
    ------
    ModelError
        If S is not finite, or the same everywhere.
    """
    import torch

    from friedel._util.torch_defaults import torch_defaults

    low, high = model.k_range
    with torch_defaults(), torch.no_grad():
        maps = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        k = torch.linspace(low, high, 3)[None]
        try:
            s = model.network(maps, k, torch.ones(1, 32, 32)).s
        except RuntimeError as error:
            raise ModelError(f"{where} is no usable model: its network fails on a field of noise.") from error
    if not bool(s.isfinite().all()):
        raise ModelError(
            f"{where} is no usable model: its network gives infinite numbers on a field of noise."
        )
    if float(s.max() - s.min()) == 0.0:
        raise ModelError(f"{where} is no usable model: its network gives the same S for every pixel.")
