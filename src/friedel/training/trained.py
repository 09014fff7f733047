"""A trained network on its way to disk: if its place fails at the last moment, it is saved elsewhere."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friedel.errors import ModelError
from friedel.models.model_file import save_model
from friedel.models.registry import SUFFIX, user_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


def save_trained(target: Path, network: nn.Module, header: Mapping[str, Any]) -> Path:
    """Save a model that took long to train.

    Parameters
    ----------
    target : pathlib.Path
        The model file; must not exist.
    network : torch.nn.Module
    header : mapping

    Returns
    -------
    pathlib.Path
        `target`.

    Raises
    ------
    ModelError
        If `target` cannot be written. The model is then saved in the user's folder or the system's folder for
        temporary files, if one of them can be written to, and the message says where.
    """
    try:
        return save_model(target, network, header)
    except ModelError as error:
        name = f"{target.stem}-{time.strftime('%Y%m%d-%H%M%S')}{SUFFIX}"
        for folder in (user_folder(), Path(tempfile.gettempdir())):
            try:
                other = save_model(folder / name, network, header)
            except ModelError:
                continue
            raise ModelError(f"{error} The trained model was saved as {other} instead.") from error
        raise
