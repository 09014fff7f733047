"""Where the graph of a network with a given configuration lies: ONNX without weights, to detect without torch.

A graph belongs to a configuration, not to a model: the weights are read from the model file, so that a fine-tuned model
uses the graph of the model that it came from. `benchmarks/export_graph.py` makes the graphs.
"""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Inputs of a graph, a field at a time; see `friedel.models.network_input.NetworkInput`.
INPUTS = ("maps", "waves", "k", "mask")
#: Its outputs, see `friedel.models.base.Output`.
OUTPUTS = ("s", "offset", "log_sigma")


def graph_path(architecture: str, config: Mapping[str, Any]) -> Path:
    """Path of the graph of a network, whether it exists or not.

    Parameters
    ----------
    architecture : str
    config : mapping
        As in the model's header; a graph fits this very configuration only.
    """
    text = json.dumps(dict(config), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Path(str(files("friedel.models"))) / "graphs" / f"{architecture}-{digest}.onnx"
