"""What all docks of one viewer agree on: the stack that is worked on, and its surface band."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_friedel.layers.info import info_of, kind_of

if TYPE_CHECKING:
    from friedel.physics.dispersion import Dispersion


@dataclass(frozen=True)
class BandState:
    """What a band chooser shows: its choice, the numbers, the fit with its words."""

    choice: str
    onset_mev: float
    mass: float
    fitted: Dispersion | None = None
    words: str = ""


class Shared:
    """The current stack and band of one viewer."""

    stack_changed = Signal(object)
    band_changed = Signal(object)

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)
        self._stack: Any = None
        self.band: BandState | None = None
        viewer.layers.selection.events.active.connect(self._active)
        viewer.layers.events.removed.connect(self._removed)

    @property
    def stack(self) -> Any:
        """The stack layer that is worked on, or None."""
        return None if self._stack is None else self._stack()

    def choose_stack(self, layer: Any) -> None:
        """Let all docks work on this layer."""
        if layer is None or layer is self.stack or kind_of(layer) != "stack":
            return
        self._stack = weakref.ref(layer)
        self.band = None
        self.stack_changed.emit(layer)

    def choose_band(self, state: BandState) -> None:
        """Let all docks use this band."""
        if state != self.band:
            self.band = state
            self.band_changed.emit(state)

    def _active(self, _event: Any = None) -> None:
        viewer = self._viewer()
        if viewer is None:
            return
        active = viewer.layers.selection.active
        info = info_of(active)
        if info is None:
            return
        if info.kind == "stack":
            self.choose_stack(active)
        elif info.owner is not None:
            stacks = (x for x in viewer.layers if x.unique_id == info.owner)
            self.choose_stack(next(stacks, None))

    def _removed(self, _event: Any = None) -> None:
        viewer = self._viewer()
        if viewer is not None and self.stack is not None and self.stack not in viewer.layers:
            self._stack = None


_shared: weakref.WeakKeyDictionary[Any, Shared] = weakref.WeakKeyDictionary()


def shared(viewer: Any) -> Shared:
    """The shared state of a viewer."""
    if viewer not in _shared:
        _shared[viewer] = Shared(viewer)
    return _shared[viewer]
