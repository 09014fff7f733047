"""Models by name or path: the bundled ones, then those in the user's folder.

The folder is the environment variable ``FRIEDEL_MODELS``, else the platform's data folder. `friedel.models.model_file`
says what a model file holds, `friedel.models.model` what a loaded model can do; their names can be had here too.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from friedel._util.atomic_write import write_beside
from friedel.errors import ModelError
from friedel.models.model import ARCHITECTURES, Model, build_network, resolve_device
from friedel.models.model_file import FORMAT, SUFFIX, read_header, save_model, sha256

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
