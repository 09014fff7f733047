"""What this plugin knows about a layer: one frozen dataclass per kind, kept in ``layer.metadata["friedel"]``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr

    from friedel.detections import Detections

#: Where the information lies in `layer.metadata`.
KEY = "friedel"

Info = TypeVar("Info", bound="LayerInfo")
Position = tuple[float, float]


@dataclass(frozen=True)
class LayerInfo:
    """What every layer of this plugin carries.

    Parameters
    ----------
    kind : str
        stack, topograph, image, s, probability, impurities, rejected, reference, agreement, tiles, area, table …
    stack : xarray.Dataset, optional
        The stack whose frame the layer lies in.
    owner : hashable, optional
        `unique_id` of the stack layer to which this layer belongs.
    """

    kind: str
    stack: xr.Dataset | None = None
    owner: Hashable = None


@dataclass(frozen=True)
class StackInfo(LayerInfo):
    """A dI/dV stack.

    Parameters
    ----------
    channel : str
        The channel that is shown.
    derived : bool
        Whether the maps are the numerical derivative of a current.
    title : str
        Short name, from which the results take theirs.
    bias_mv : array, shape (n,)
        Exact voltages, rising, as the slider shows them.
    """

    channel: str = ""
    derived: bool = False
    title: str = ""
    bias_mv: np.ndarray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class MapInfo(LayerInfo):
    """A single map (y, x), or crosses on one.

    Parameters
    ----------
    image : str
        Name of the map in its stack.
    units : str
        Unit of its values.
    shift_px : (float, float)
        By how much the user moved it, in rows and columns of the stack.
    """

    image: str = ""
    units: str = "1"
    shift_px: Position = (0.0, 0.0)


@dataclass(frozen=True)
class TableInfo(LayerInfo):
    """A table of points that was read from a file.

    Parameters
    ----------
    file : str
    provenance : dict
        What the file tells about its making.
    """

    file: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ImpuritiesInfo(LayerInfo):
    """A result: the candidates of a detection and what the user made of them.

    Parameters
    ----------
    channel : str
    detections : Detections
        What the method found, untouched.
    threshold : float
        Candidates with at least this probability count.
    area_nm2 : float
        Acquired area that was searched.
    removed : tuple of (float, float)
        Positions (row, column) that the user rejected.
    label : str
        Which method or model it is of, in short.
    current : bool
        Whether the docks show it, where a stack has several results.
    colour_by : str
        What the rings are coloured by.
    busy : bool
        The plugin itself changes the layer: nothing is marked as made by hand.
    past, future : tuple
        Snapshots for undo and redo, the nearest last.
    """

    channel: str = ""
    detections: Detections | None = None
    threshold: float = 0.5
    area_nm2: float = 0.0
    removed: tuple[Position, ...] = ()
    label: str = ""
    current: bool = True
    colour_by: str = "log-odds"
    busy: bool = False
    past: tuple[Any, ...] = ()
    future: tuple[Any, ...] = ()

    @property
    def found(self) -> Detections:
        """The detections; an error says that there are none."""
        if self.detections is None:
            raise ValueError("This layer holds no detections.")
        return self.detections


def info_of(layer: Any) -> LayerInfo | None:
    """What this plugin knows about `layer`; None if it did not make it."""
    found = layer.metadata.get(KEY) if layer is not None else None
    return found if isinstance(found, LayerInfo) else None


def known(layer: Any, kind: type[Info]) -> Info:
    """The information of a layer, which must be of this class.

    Raises
    ------
    TypeError
        If it is of another, or none.
    """
    found = info_of(layer)
    if not isinstance(found, kind):
        raise TypeError(f"{getattr(layer, 'name', layer)!r} carries no {kind.__name__}.")
    return found


def kind_of(layer: Any) -> str:
    """Kind of the layer, or an empty text if it is none of ours."""
    found = info_of(layer)
    return "" if found is None else found.kind


def update(layer: Any, **changes: Any) -> None:
    """Replace fields of the layer's information."""
    layer.metadata[KEY] = replace(layer.metadata[KEY], **changes)


def frame_of(layer: Any) -> xr.Dataset | None:
    """The stack whose frame a layer lies in, or None."""
    found = info_of(layer)
    return None if found is None else found.stack


def title_of_layer(layer: Any) -> str:
    """Short name of a stack layer."""
    found = info_of(layer)
    return found.title if isinstance(found, StackInfo) and found.title else str(layer.name)
