"""The model file: safetensors whose metadata hold one entry, ``friedel``, a JSON object. Never pickle.

``architecture``, ``config``
    which network to build (a key of `friedel.models.model.ARCHITECTURES`) and with which settings;
``k_range``
    the wavevectors times pixel [rad/px] it was trained for;
``calibration``, ``threshold``
    how S becomes a probability (`friedel.models.calibration`), and from which one on a peak is an impurity;
``recipe``, ``seed``, ``version``, ``parent`` ...
    where it comes from.

A file is written once and never replaced: tables of impurities name their model by its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friedel._util.atomic_write import write_beside
from friedel.errors import ModelError

if TYPE_CHECKING:
    import torch

FORMAT = 1
SUFFIX = ".safetensors"
_REQUIRED = ("architecture", "config", "k_range")


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
