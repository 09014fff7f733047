"""Models by name or path: weights as safetensors with a JSON header, never pickle, never overwritten.

A model file is a safetensors file whose metadata holds one entry, ``friedel``, a JSON object:

``architecture``, ``config``
    which network to build (a key of `ARCHITECTURES`) and with which settings;
``k_range``
    the wavevectors times pixel [rad/px] it was trained for;
``calibration``, ``threshold``
    how S becomes a probability (`friedel.models.calibration`), and from which one on a peak is an impurity;
``recipe``, ``seed``, ``version``, ``parent`` ...
    where it comes from.

Names are looked up among the bundled models, then in the user's folder (the environment variable
``FRIEDEL_MODELS``, else the platform's data folder).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel.atomic import write_beside
from friedel.errors import ModelError

if TYPE_CHECKING:
    import torch

#: Architecture → "module:function" that builds the network from its config.
ARCHITECTURES: dict[str, str] = {
    "attention": "friedel.models.attention:build",
    "wave": "friedel.models.wave:build",
}

FORMAT = 1
SUFFIX = ".safetensors"
_REQUIRED = ("architecture", "config", "k_range")


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


@dataclass(frozen=True)
class ModelInfo:
    """A model file as the registry lists it; `problem` says why it cannot be used, if so."""

    name: str
    path: Path
    bundled: bool
    sha256: str
    header: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


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


def user_folder() -> Path:
    """Folder of the user's own models: ``FRIEDEL_MODELS``, else the platform's data folder. It may not exist yet."""
    if chosen := os.environ.get("FRIEDEL_MODELS"):
        return Path(chosen)
    from platformdirs import user_data_path

    return user_data_path("napari-friedel", appauthor=False) / "models"


def bundled_folder() -> Path:
    """Folder of the models that are installed with the package."""
    return Path(str(files("friedel.models"))) / "weights"


def sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a model file's JSON header without loading torch or the weights.

    Raises
    ------
    ModelError
        If the file is missing, damaged or no friedel model.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(path.stat().st_size, 100_000_000):
                raise ValueError("no safetensors file")
            metadata = json.loads(stream.read(length)).get("__metadata__") or {}
        header = json.loads(metadata["friedel"])
    except OSError as error:
        raise ModelError(f"The model {path} cannot be read: {error.strerror or error}.") from error
    except KeyError as error:
        raise ModelError(
            f"{path} holds weights, but not of a friedel model: its header lacks 'friedel'."
        ) from error
    except (ValueError, AttributeError, TypeError) as error:
        raise ModelError(f"{path} is damaged or no safetensors file; get the model again.") from error
    if not isinstance(header, dict) or any(key not in header for key in _REQUIRED):
        raise ModelError(f"{path} is no complete friedel model; its header needs {', '.join(_REQUIRED)}.")
    if int(header.get("format", FORMAT)) > FORMAT:
        raise ModelError(
            f"{path} was written by a newer napari-friedel (format {header['format']}); update it."
        )
    return header


def find_model(name_or_path: str | os.PathLike[str]) -> Path:
    """Path of a model given by its registry name or its file.

    Raises
    ------
    ModelError
        If there is none; the message lists the names that exist.
    """
    given = str(name_or_path)
    if not (given.endswith(SUFFIX) or os.sep in given):
        for folder in (bundled_folder(), user_folder()):
            if (folder / f"{given}{SUFFIX}").is_file():
                return folder / f"{given}{SUFFIX}"
    path = Path(given).expanduser()
    if path.is_file():
        return path
    names = ", ".join(repr(info.name) for info in list_models()) or "none"
    raise ModelError(f"There is no model {given!r}, neither by name (known: {names}) nor as a file.")


def list_models() -> list[ModelInfo]:
    """Bundled models, then the user's, each by name; unusable files are listed with their `problem`."""
    found: dict[str, ModelInfo] = {}
    for bundled, folder in ((True, bundled_folder()), (False, user_folder())):
        for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []:
            if path.name.startswith(".") or path.stem in found:
                continue
            try:
                header, problem = read_header(path), ""
            except ModelError as error:
                header, problem = {}, str(error)
            found[path.stem] = ModelInfo(path.stem, path, bundled, sha256(path), header, problem)
    return list(found.values())


def load_model(name_or_path: str | os.PathLike[str] | Model = "friedel", device: Any = "auto") -> Model:
    """Load a model.

    Parameters
    ----------
    name_or_path : str, path or Model
        ``friedel`` or ``paper`` (bundled), a name in the user's folder, or a file; a `Model` is moved to `device`.
    device : str or torch.device
        ``auto``, ``cpu``, ``cuda``, ``cuda:0`` or ``mps``.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If there is no such model, or the file is damaged, alien or does not fit its own header.
    """
    place = resolve_device(device)
    if isinstance(name_or_path, Model):
        name_or_path.network.to(place)
        return name_or_path
    import safetensors.torch

    path = find_model(name_or_path)
    header = read_header(path)
    content = path.read_bytes()
    network = build_network(header["architecture"], header["config"])
    try:
        network.load_state_dict(safetensors.torch.load(content), strict=True)
    except Exception as error:  # safetensors' own error type, or torch's for shapes that do not fit
        raise ModelError(
            f"The weights in {path} are damaged or do not fit its header; get the model again."
        ) from error
    network.to(place).eval().requires_grad_(False)
    return Model(network, header, path.stem, hashlib.sha256(content).hexdigest())


def save_model(
    path: str | os.PathLike[str],
    network: torch.nn.Module,
    header: Mapping[str, Any],
    overwrite: bool = False,
) -> Path:
    """Write weights and header beside `path`, then rename.

    Parameters
    ----------
    path : path
        Ends in ``.safetensors`` (added if missing); its folder is made.
    network : torch.nn.Module
    header : mapping
        Needs `architecture`, `config` and `k_range`; JSON types only.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ModelError
        If the file exists or the header is not complete.
    """
    from safetensors.torch import save_file

    missing = [key for key in _REQUIRED if key not in header]
    if missing:
        raise ModelError(f"A model's header needs {', '.join(missing)}.")
    target = Path(path)
    target = target if target.suffix == SUFFIX else target.with_name(target.name + SUFFIX)
    target.parent.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    text = json.dumps({"format": FORMAT, **header}, sort_keys=True, allow_nan=False)
    try:
        with write_beside(target, overwrite=overwrite) as beside:
            save_file(state, beside, metadata={"friedel": text})
    except FileExistsError as error:
        raise ModelError(
            f"{target} exists already; a model is never overwritten, choose another name."
        ) from error
    return target


def user_path(name: str) -> Path:
    """Where a model called `name` lies, or would lie, in the user's folder.

    Raises
    ------
    ModelError
        If the name is taken by a bundled model or cannot be a file name.
    """
    if not re.fullmatch(r"[\w][\w .+-]{0,99}", name) or name.endswith((SUFFIX, ".", " ")):
        raise ModelError(f"{name!r} cannot name a model; use letters, digits, spaces and - _ + . only.")
    if (bundled_folder() / f"{name}{SUFFIX}").exists():
        raise ModelError(
            f"{name!r} is the name of a bundled model, which is never overwritten; choose another."
        )
    return user_folder() / f"{name}{SUFFIX}"


def import_model(path: str | os.PathLike[str], name: str | None = None) -> ModelInfo:
    """Copy a model file into the user's folder after checking that it loads; `name` defaults to the file's stem."""
    model = load_model(path, "cpu")
    source, target = find_model(path), user_path(name or find_model(path).stem)
    target.parent.mkdir(parents=True, exist_ok=True)
    _copy(source, target)
    return ModelInfo(target.stem, target, False, model.sha256, model.header)


def export_model(name: str, path: str | os.PathLike[str]) -> Path:
    """Copy a registered model to `path`; an existing file is never overwritten."""
    target = Path(path)
    _copy(find_model(name), target)
    return target


def delete_model(name: str) -> None:
    """Delete a model from the user's folder; bundled ones stay."""
    path = user_path(name)
    if not path.is_file():
        raise ModelError(f"There is no model {name!r} in your folder {user_folder()}.")
    path.unlink()


def _copy(source: Path, target: Path) -> None:
    try:
        with write_beside(target, overwrite=False) as beside:
            shutil.copyfile(source, beside)
    except FileExistsError as error:
        raise ModelError(
            f"{target} exists already; a model is never overwritten, choose another name."
        ) from error
