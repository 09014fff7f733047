"""Between `friedel` and napari: stacks become Image layers, tables become Points, all in one world in nm and mV."""

from napari_friedel.layers.geometry import contrast, displayed, displayed_bias, placement
from napari_friedel.layers.info import KEY, info_of, kind_of, known
from napari_friedel.layers.stack_layers import (
    LayerData,
    add_layer,
    image_layer,
    map_layer,
    map_of,
    stack_layer,
    stack_layers,
    stack_of,
    title_of,
)

__all__ = [
    "KEY",
    "LayerData",
    "add_layer",
    "contrast",
    "displayed",
    "displayed_bias",
    "image_layer",
    "info_of",
    "kind_of",
    "known",
    "map_layer",
    "map_of",
    "placement",
    "stack_layer",
    "stack_layers",
    "stack_of",
    "title_of",
]
