"""The model file: safetensors whose metadata hold one entry, ``friedel``, a JSON object. Never pickle.

``architecture``, ``config``
    which network to build (a key of `friedel.models.model.ARCHITECTURES`) and with which settings;
``k_range``
    the wavevectors times pixel [rad/px] it was trained for;
``calibration``, ``threshold``
    how S becomes a probability (`friedel.models.calibration`), and from which one on a peak is an impurity;
``recipe``, ``seed``, ``version``, ``parent`` ...
    where it comes from.

`friedel.models.model_header` checks all of it. A file is written once and never replaced: tables of impurities name
their model by its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from friedel._util.arguments import instance_of, target_of, truth_of
from friedel.errors import ModelError
from friedel.models.model_header import FORMAT, REQUIRED, check_header
from friedel.models.publish import publish

if TYPE_CHECKING:
    import os

    import torch

SUFFIX = ".safetensors"
#: Header and table of tensors together [bytes]; those of the bundled models have some thousands.
MAX_HEADER = 10_000_000
#: No trained weight is larger; with larger ones sums over a map leave the range of float32.
MAX_WEIGHT = 1e6
#: Kinds of weights that a model file may hold, by safetensors' names, and their bytes.
DTYPES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}

__all__ = [
    "FORMAT",
    "SUFFIX",
    "ModelTable",
    "check_weights",
    "model_path",
    "read_header",
    "read_table",
    "save_model",
    "sha256",
]


@dataclass(frozen=True)
class ModelTable:
    """What a model file says before its weights.

    Parameters
    ----------
    header : dict
        The checked JSON header.
    shapes : dict of str to tuple of int
        Shape of each tensor.
    """

    header: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]


def sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def model_path(path: str | os.PathLike[str]) -> Path:
    """Give the path of a model file to write: with its suffix, added if missing."""
    target = target_of(path)
    return target if target.suffix == SUFFIX else target.with_name(target.name + SUFFIX)


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read and check a model file's JSON header without loading torch or the weights.

    Raises
    ------
    ModelError
        If the file is missing, no plain file, damaged or no friedel model.
    """
    return read_table(path).header


def read_table(path: str | os.PathLike[str]) -> ModelTable:
    """Read a model file's header and the shapes of its weights; errors as `read_header`."""
    path = Path(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would wait for ever, a device never end
            raise ModelError(f"{path} is no file but a folder, a pipe or a device.")
        with path.open("rb") as stream:
            table = _read_json(stream, status.st_size)
        metadata = table.pop("__metadata__", None) or {}
        header = json.loads(metadata["friedel"], parse_constant=_no_number)
        shapes = _shapes(table, status.st_size)
    except OSError as error:
        raise ModelError(f"The model {path} cannot be read: {error.strerror or error}.") from error
    except KeyError as error:
        raise ModelError(
            f"{path} holds weights, but not of a friedel model: its header lacks 'friedel'."
        ) from error
    except (ValueError, AttributeError, TypeError, RecursionError, MemoryError) as error:
        raise ModelError(f"{path} is damaged or no safetensors file; get the model again.") from error
    return ModelTable(check_header(header, str(path)), shapes)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _read_json(stream: BinaryIO, size: int) -> dict[str, Any]:
    """Read safetensors' own table: name → dtype, shape, data_offsets; and ``__metadata__``."""
    length = int.from_bytes(stream.read(8), "little")
    if not 2 <= length <= min(size - 8, MAX_HEADER):
        raise ValueError("no safetensors file")
    table = json.loads(stream.read(length), parse_constant=_no_number)
    if not isinstance(table, dict):
        raise ValueError("no table of tensors")
    table["__end__"] = 8 + length
    return table


def _shapes(table: dict[str, Any], size: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors, after a check that the file is as long as they need."""
    end = table.pop("__end__")
    shapes = {}
    for name, entry in table.items():
        try:
            shape, (start, stop), bytes_each = entry["shape"], entry["data_offsets"], DTYPES[entry["dtype"]]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{name} is no tensor of weights") from error
        count = bytes_each
        for side in shape:
            if not isinstance(side, int) or side < 0:
                raise ValueError(f"{name} has no shape")
            count *= side
        if not 0 <= start <= stop <= size - end or stop - start != count:
            raise ValueError(f"{name} does not fit into the file")
        shapes[name] = tuple(shape)
    return shapes


def check_weights(state: Mapping[str, Any], where: str) -> None:
    """Refuse weights with which no network works: not a number, beyond `MAX_WEIGHT`, or all of them zero.

    Parameters
    ----------
    state : mapping of str to Tensor or array
    where : str
        The file, for the sentence.

    Raises
    ------
    ModelError
    """
    largest = 0.0
    for name, value in state.items():
        if "float" not in str(value.dtype) or 0 in value.shape:  # the same words in NumPy and torch
            continue
        most = float(abs(value).max())  # NaN if any of them is
        if not most <= MAX_WEIGHT:
            said = "not all numbers" if most != most or most == float("inf") else f"as large as {most:.1e}"
            raise ModelError(f"{where} is no usable model: its weights {name} are {said}.")
        largest = max(largest, most)
    if largest == 0.0:
        raise ModelError(f"{where} is no usable model: all its weights are zero.")


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
        If the file exists or cannot be written, the header is not complete, or a weight is not a number.
    """
    import torch
    from safetensors.torch import save

    instance_of(network, torch.nn.Module, "network", "a torch.nn.Module")
    instance_of(header, Mapping, "header", "a mapping from names")
    truth_of(overwrite, "overwrite")
    missing = [key for key in REQUIRED if key not in header]
    if missing:
        raise ModelError(f"A model's header needs {', '.join(missing)}.")
    target = model_path(path)
    # What is written is what is read: tuples become lists, and the check is the reader's.
    text = json.dumps({**header, "format": FORMAT}, sort_keys=True, allow_nan=False)
    check_header(json.loads(text), "The model")
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    check_weights(state, "The model")
    content = save(state, metadata={"friedel": text})
    publish(target, lambda beside: beside.write_bytes(content), overwrite=overwrite)
    return target
