"""Export the graph of a model's network to ONNX, without its weights, for detection without torch.

    python benchmarks/export_graph.py friedel

One forward pass is exported, with any number of voltages and any size of the field; pooling, matched fields and the
rotations stay in `friedel.models.network_input`. The graph is written to the package, at the name of the network's
configuration (`friedel.models.graph_file`). It must be made again whenever the network's code or configuration changes:
`tests/models/test_light.py` compares it with torch. Needs onnx and onnxscript (group `export`).
"""

from __future__ import annotations

import argparse

import onnx
import torch

from friedel.models.friedel_net import WaveNet
from friedel.models.graph_file import INPUTS, OUTPUTS, graph_path
from friedel.models.network_input import NetworkInput
from friedel.models.registry import load_model


class OnePass(torch.nn.Module):
    """A forward pass of a prepared field, as a function of tensors."""

    def __init__(self, network: WaveNet) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, maps: torch.Tensor, waves: torch.Tensor, k: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """`WaveNet._forward_once`."""
        return tuple(self.network._forward_once(NetworkInput(maps, waves, k, mask)))


def exported(network: WaveNet) -> onnx.ModelProto:
    """The graph with its weights."""
    field = torch.randn(1, 5, 33, 38), torch.linspace(0.5, 1, 5)[None], torch.ones(1, 33, 38)
    given = network.prepare(*field)
    free = torch.export.Dim.DYNAMIC
    program = torch.onnx.export(
        OnePass(network).eval(),
        (given.maps, given.waves, given.k, given.mask),
        dynamo=True,
        input_names=INPUTS,
        output_names=OUTPUTS,
        dynamic_shapes=(
            {1: free, 2: free, 3: free},
            {1: free, 4: free, 5: free},
            {1: free},
            {1: free, 2: free},
        ),
    )
    return program.model_proto


def without_weights(model: onnx.ModelProto, weights: set[str]) -> onnx.ModelProto:
    """The graph alone: weights become references by name, and nothing tells of the machine that made it."""
    found = set()
    for value in model.graph.initializer:
        name = value.name.removeprefix("network.")
        if name not in weights:
            continue
        found.add(name)
        for node in model.graph.node:
            node.input[:] = [name if one == value.name else one for one in node.input]
        value.name = name
        value.ClearField("raw_data")
        value.data_location = onnx.TensorProto.EXTERNAL
        for key, text in (("location", "weights"), ("offset", "0"), ("length", "0")):
            value.external_data.add(key=key, value=text)
    if found != weights:
        raise SystemExit(f"The graph lacks the weights {', '.join(sorted(weights - found))}.")
    for part in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        for field in ("metadata_props", "doc_string"):
            if field in part.DESCRIPTOR.fields_by_name:
                part.ClearField(field)
    for value in model.graph.initializer:
        value.ClearField("metadata_props")
    del model.graph.value_info[:]
    model.producer_name = "napari-friedel"
    model.ClearField("producer_version")
    return model


def main() -> None:
    """Write the graph of one model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="name or file of a model of the architecture 'wave'")
    model = load_model(parser.parse_args().model, "cpu")
    graph = without_weights(exported(model.network), set(model.network.state_dict()))
    path = graph_path(model.header["architecture"], model.header["config"])
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(graph.SerializeToString())
    print(f"{path.name}: {len(graph.graph.node)} operations, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
