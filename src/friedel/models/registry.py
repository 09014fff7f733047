"""Models by name or path: the bundled ones, then those in the user's folder.

The folder is the environment variable ``FRIEDEL_MODELS``, else the platform's data folder. `friedel.models.model_file`
says what a model file holds, `friedel.models.model` what a loaded model can do; their names can be had here too.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friedel.errors import ModelError
from friedel.models.model import ARCHITECTURES, Model, build_network, resolve_device
from friedel.models.model_file import (
    FORMAT,
    SUFFIX,
    check_weights,
    read_header,
    read_table,
    save_model,
    sha256,
)
from friedel.models.publish import publish

if TYPE_CHECKING:
    import torch

__all__ = [
    "ARCHITECTURES",
    "FORMAT",
    "SUFFIX",
    "Model",
    "ModelInfo",
    "build_network",
    "bundled_folder",
    "delete_model",
    "export_model",
    "find_model",
    "import_model",
    "list_models",
    "load_model",
    "read_header",
    "resolve_device",
    "save_model",
    "sha256",
    "user_folder",
    "user_path",
]


@dataclass(frozen=True)
class ModelInfo:
    """A model file as the registry lists it; `problem` says why it cannot be used, if so."""

    name: str
    path: Path
    bundled: bool
    sha256: str
    header: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


def user_folder() -> Path:
    """Folder of the user's own models: ``FRIEDEL_MODELS``, else the platform's data folder. It may not exist yet."""
    if chosen := os.environ.get("FRIEDEL_MODELS"):
        return Path(chosen)
    from platformdirs import user_data_path

    return user_data_path("napari-friedel", appauthor=False) / "models"


def bundled_folder() -> Path:
    """Folder of the models that are installed with the package."""
    return Path(str(files("friedel.models"))) / "weights"


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
            # os.path.isfile never raises: neither of a name that is too long nor of a folder without permission.
            if os.path.isfile(folder / f"{given}{SUFFIX}"):  # noqa: PTH113
                return folder / f"{given}{SUFFIX}"
    path = Path(os.path.expanduser(given))  # noqa: PTH111 (Path.expanduser raises for an unknown user)
    if os.path.isfile(path):  # noqa: PTH113
        return path
    known = list_models()
    for info in known:
        if info.name == given and info.problem:  # a folder, a pipe or a link to nothing, of this name
            raise ModelError(info.problem)
    names = ", ".join(repr(info.name) for info in known if not info.problem) or "none"
    raise ModelError(f"There is no model {given!r}, neither by name (known: {names}) nor as a file.")


def list_models() -> list[ModelInfo]:
    """Bundled models, then the user's, each by name; unusable files are listed with their `problem`, never raised."""
    found: dict[str, ModelInfo] = {}
    for bundled, folder in ((True, bundled_folder()), (False, user_folder())):
        for path in _model_files(folder):
            if path.stem not in found:
                found[path.stem] = model_info(path, bundled=bundled)
    return list(found.values())


def _model_files(folder: Path) -> list[Path]:
    """Everything in a folder that is named as a model, sorted; nothing where the folder cannot be read."""
    try:
        return sorted(p for p in folder.iterdir() if p.name.endswith(SUFFIX) and not p.name.startswith("."))
    except OSError:
        return []


def model_info(path: Path, *, bundled: bool = False) -> ModelInfo:
    """Describe a model file; one that cannot be used has a `problem`, no header and no SHA-256."""
    try:
        header = read_header(path)
        return ModelInfo(path.stem, path, bundled, sha256(path), header)
    except ModelError as error:
        return ModelInfo(path.stem, path, bundled, "", {}, str(error))
    except OSError as error:
        return ModelInfo(
            path.stem, path, bundled, "", {}, f"{path} cannot be read: {error.strerror or error}."
        )


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
    path = find_model(name_or_path)
    table = read_table(path)
    try:
        network = build_network(table.header["architecture"], table.header["config"], shapes=table.shapes)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    digest = _read_weights(network, path)
    network.to(place).eval().requires_grad_(False)
    return Model(network, table.header, path.stem, digest)


def _read_weights(network: torch.nn.Module, path: Path) -> str:
    """Fill a network with a file's weights; the SHA-256 of the file."""
    import safetensors.torch

    try:
        content = path.read_bytes()
        state = safetensors.torch.load(content)
        network.load_state_dict(state, strict=True)
    except Exception as error:  # safetensors' own error type, torch's, or the system's
        raise ModelError(
            f"The weights in {path} are damaged or do not fit its header; get the model again."
        ) from error
    check_weights(state, str(path))
    return hashlib.sha256(content).hexdigest()


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
    """Copy a model file into the user's folder; `name` defaults to the file's stem.

    Raises
    ------
    ModelError
        If the file is no model, its network gives no finite answer that differs from pixel to pixel, or the name is
        taken.
    """
    from friedel.models.model import try_network

    source = find_model(path)
    model = load_model(source, "cpu")
    try_network(model, str(source))
    target = user_path(name or source.stem)
    _copy(source, target)
    return ModelInfo(target.stem, target, False, model.sha256, model.header)


def export_model(name: str, path: str | os.PathLike[str]) -> Path:
    """Copy a model to `path`; an existing file is never overwritten.

    Raises
    ------
    ModelError
        If there is no such model, the file is none, or `path` exists or cannot be written.
    """
    source, target = find_model(name), Path(path)
    read_header(source)  # a copy of any other file is not what was asked for
    if not target.parent.is_dir():
        raise ModelError(f"{target.parent}: there is no such folder.")
    _copy(source, target)
    return target


def delete_model(name: str) -> None:
    """Delete a model from the user's folder; bundled ones stay."""
    path = user_path(name)
    if not (path.is_file() or path.is_symlink()):
        raise ModelError(f"There is no model {name!r} in your folder {user_folder()}.")
    path.unlink()


def _copy(source: Path, target: Path) -> None:
    content = source.read_bytes()
    publish(target, lambda beside: beside.write_bytes(content))
