"""A network that runs on the processor without torch, whose import takes longer than a small detection.

ONNX Runtime computes one forward pass (`friedel.models.graph_file`) with the weights of the model file; the rest is
`friedel.models.network_input`, as for torch. On a processor it is no slower than torch, for any size of the field.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from friedel._util.threads import network_threads
from friedel.errors import ModelError
from friedel.models.base import Output
from friedel.models.graph_file import INPUTS, OUTPUTS, graph_path
from friedel.models.matched_field import MatchedField
from friedel.models.model_facts import ModelFacts
from friedel.models.model_file import check_weights, read_table
from friedel.models.network_input import NetworkInput, averaged, prepare

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Processor:
    """The processor, as torch's ``torch.device("cpu")`` names it."""

    type: str = "cpu"

    def __str__(self) -> str:
        return self.type


@dataclass(frozen=True, eq=False)
class GraphNetwork:
    """A network of the architecture ``wave`` as ONNX Runtime computes it; takes and gives arrays.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    config : mapping
        The header's, see `friedel.models.friedel_net.WaveConfig`.
    """

    session: Any
    config: Mapping[str, Any]

    def __call__(self, maps: np.ndarray, k: np.ndarray, mask: np.ndarray) -> Output:
        """Find the sources of the waves; see `friedel.models.base.Network`, of arrays in single precision."""
        fields = [self._field(*(x[n : n + 1] for x in (maps, k, mask))) for n in range(len(maps))]
        return Output(*(np.concatenate(layer) for layer in zip(*fields, strict=True)))  # type: ignore[arg-type]

    def _field(self, maps: np.ndarray, k: np.ndarray, mask: np.ndarray) -> Output:
        rings = MatchedField(tuple(self.config["rings"]))
        given = prepare(maps, k, mask, self.config["groups"], rings)
        return averaged(self._forward_once, given, self.config["n_augment"])

    def _forward_once(self, given: NetworkInput) -> Output:
        feed = {name: np.ascontiguousarray(getattr(given, name), np.float32) for name in INPUTS}
        import onnxruntime

        # Else the memory of a large field would be held until the detection ends, its refit included.
        options = onnxruntime.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        return Output(*self.session.run(OUTPUTS, feed, options))


@dataclass(frozen=True)
class LightModel(ModelFacts):
    """A model that detects without torch; as `friedel.models.model.Model`, which has torch's network.

    Parameters
    ----------
    network : GraphNetwork
    header : dict
        The file's JSON header.
    name : str
    sha256 : str
        Of the weights' file.
    """

    network: GraphNetwork
    header: dict[str, Any]
    name: str
    sha256: str

    @property
    def device(self) -> Processor:
        """Where the network's weights lie."""
        return Processor()

    @property
    def runtime(self) -> str:
        """Name and version of what computes the network."""
        import onnxruntime

        return f"onnxruntime {onnxruntime.__version__}"


def has_runtime() -> bool:
    """Whether ONNX Runtime is installed."""
    return find_spec("onnxruntime") is not None


def light_model(path: Path) -> LightModel | None:
    """Load a model for detection without torch.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    LightModel or None
        None where torch must serve: ONNX Runtime is missing, there is no graph of this configuration, or it does not
        take these weights (of another precision or shape, or damaged; torch's loader says what is wrong).

    Raises
    ------
    ModelError
        If the file is missing, no friedel model, or its weights are no numbers.
    """
    table = read_table(path)
    graph = usable_graph(table.header)
    if graph is None:
        return None
    try:
        import safetensors.numpy

        content = path.read_bytes()
        weights = safetensors.numpy.load(content)
        check_weights(weights, str(path))
        session = _session(graph, weights)
    except ModelError:
        raise
    except Exception:  # safetensors' own error type, ONNX Runtime's, or the system's
        return None
    digest = hashlib.sha256(content).hexdigest()
    return LightModel(GraphNetwork(session, table.header["config"]), table.header, path.stem, digest)


def usable_graph(header: Mapping[str, Any]) -> Path | None:
    """The graph of a model with this header; None where there is none or ONNX Runtime is missing."""
    graph = graph_path(header["architecture"], header["config"])
    return graph if graph.is_file() and has_runtime() else None


def _session(graph: Path, weights: dict[str, np.ndarray]) -> Any:
    """ONNX Runtime with a graph and its weights, on as many threads as torch would take."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails here is told by torch's loader
    options.intra_op_num_threads = network_threads()
    options.inter_op_num_threads = 1
    # Waiting threads would take the cores from NumPy's.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in weights.values()]
    options.add_external_initializers(list(weights), values)
    return onnxruntime.InferenceSession(graph.read_bytes(), options, providers=["CPUExecutionProvider"])
