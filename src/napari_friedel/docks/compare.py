"""Dock "Compare": overlay a bound-state map, register it, count what agrees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import (
    QFileDialog,
)

from friedel.errors import StackError
from friedel.progress import Progress
from napari_friedel import recipes
from napari_friedel.docks.compare_form import ROWS, CompareForm
from napari_friedel.jobs import Job
from napari_friedel.layers import reference, results
from napari_friedel.layers.info import ImpuritiesInfo, kind_of, known
from napari_friedel.layers.stack_layers import add_layer, map_of, stack_of
from napari_friedel.turns import in_turns
from napari_friedel.widgets.place_box import PlaceBox

if TYPE_CHECKING:
    from collections.abc import Generator


class ReferenceDock(CompareForm):
    """Dock "Compare"."""

    tab = "Compare"
    page = "how-to/reference.html"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.job = Job(self, "comparison with a reference map")
        self._positions: np.ndarray | None = None
        self._automatic: Any = None  # id of the reference that the dock has chosen on its own
        self._build_maps()
        self.place = PlaceBox(self.viewer, self._pair)
        self.form.addWidget(self.place)
        self._build_result()
        self.form.addStretch(1)
        self._connect()
        self.share_stack(self.stack)
        self._choose_likely()
        self._map_changed()

    def _connect(self) -> None:
        self.open.clicked.connect(self.safely(self._ask_file))
        self.map.currentIndexChanged.connect(self._map_changed)
        self.map.activated.connect(self._map_taken)
        self.stack.currentIndexChanged.connect(self._stack_chosen)
        self.figure.clicked.connect(self.safely(self.show_figure))
        self.bar.start.setToolTip("Find the reference's positions and count what agrees")
        self.source.currentIndexChanged.connect(self._forget)
        self.listener.on(self.viewer.layers.events.inserted, self._inserted)
        self.opacity.valueChanged.connect(self._set_opacity)
        self.place.moved.connect(self.safely(self._moved))
        self.place.problem.connect(self.message.error)
        self.place.remark.connect(self.message.warn)
        self.tolerance.valueChanged.connect(self.safely(self.update_agreement))
        self.bar.start.clicked.connect(self.safely(self.compare))
        self.job.returned.connect(self.safely_with(self._compared))
        self.job.failed.connect(self.message.error)
        self.job.warned.connect(self.message.warn)
        self.listener.on(results.EVENTS.changed, self._impurities_changed)

    # --- the reference map ----------------------------------------------------------------------------------------

    def _inserted(self, _event: Any = None) -> None:
        layer = self.map.layer()
        if layer is None or layer.unique_id == self._automatic:  # the map of a file comes after its stack
            self._choose_likely()

    def _map_taken(self, *_: Any) -> None:
        self._automatic = None

    def _stack_chosen(self, *_: Any) -> None:
        """A map of another sample says nothing about this stack: choose the one that lies on it."""
        self._forget()
        self._choose_likely()
        self.message.clear()
        self._about_map()

    def _choose_likely(self) -> None:
        found = reference.likely(self.viewer, self.stack.layer())
        if found is not None:
            self._automatic = found.unique_id
            self.map.choose(found)

    def _about_map(self) -> bool:
        """Say whose map it is if it is not this stack's; True if the two do not even overlap."""
        layer, stack = self.map.layer(), self.stack.layer()
        if layer is None or stack is None:
            return False
        apart = reference.overlap(layer, stack) <= 0
        if apart:
            self.message.warn(
                f"{layer.name!r} and {stack.name!r} do not overlap: they show different places. Choose the map of "
                "this stack, or register it."
            )
        elif (owner := reference.owner_of(self.viewer, layer, stack)) is not None:
            self.message.warn(
                f"{layer.name!r} was taken with {owner.name!r}, not with {stack.name!r}. If the two show the same "
                "place, register it."
            )
        return apart

    def show_figure(self) -> None:
        """Show the result's points over the reference map.

        Raises
        ------
        StackError
            If there is no map.
        """
        _, layer = self._pair()
        reference.bring_up(self.viewer, layer, 1.0)
        self.opacity.setValue(100)
        for kind in ("impurities", "agreement"):
            points = results.find(self.viewer, self.stack.layer(), kind)
            if points is not None:
                points.visible = True

    def _map_changed(self, *_: Any) -> None:
        layer = self.map.layer()
        self._forget()
        if layer is None:
            return
        self.message.clear()
        self._about_map()
        self.place.refresh()

    def _set_opacity(self, percent: int) -> None:
        layer = self.map.layer()
        if layer is None:
            return
        if percent and not layer.visible:
            reference.bring_up(self.viewer, layer)
        layer.opacity = percent / 100
        layer.visible = percent > 0

    def _ask_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a reference map")
        if path:
            self.open_map(path)

    def open_map(self, path: str) -> None:
        """Open a map from a file and choose it as the reference.

        Raises
        ------
        StackError
            If the file holds no map.
        """
        from friedel.io import open_stack
        from napari_friedel.io.reader import read_single_map

        try:
            made = read_single_map(path, "reference_map")
        except StackError:
            made = reference.map_of_file(open_stack(path), path)
        layer = add_layer(self.viewer, made)
        self.map.choose(layer)
        reference.bring_up(self.viewer, layer, self.opacity.value() / 100)

    def _pair(self) -> tuple[Any, Any]:
        """The stack's layer and the reference layer; says what is missing."""
        stack_of(self.stack.layer())
        layer = self.map.layer()
        if layer is None:
            raise StackError("No reference map is chosen: open one, or choose a map that is in the viewer.")
        map_of(layer)
        return self.stack.layer(), layer

    # --- agreement ------------------------------------------------------------------------------------------------

    def compare(self) -> None:
        """Find the reference's positions and count what agrees."""
        self._impurities()
        points = self.source.layer()
        self.message.clear()
        if points is not None:
            data = np.asarray(points.data, dtype=float)[:, -2:]
            self._compared(results.impurity_positions(points) if kind_of(points) == "impurities" else data)
            return
        _, layer = self._pair()
        if self._about_map():
            return
        reference.bring_up(self.viewer, layer, self.opacity.value() / 100)
        image, stack_of_map = map_of(layer)
        count = self.number.value() or None

        def work() -> Generator[Progress, None, Any]:
            yield Progress(0.0, "fitting the peaks of the reference map")
            from friedel.reference import bound_state_positions
            from friedel.stack import pixel_pitch

            table = bound_state_positions(image, pixel_nm=pixel_pitch(stack_of_map), n=count)
            return table[["row", "column"]].to_numpy(dtype=float)

        self.job.start(work)

    def _impurities(self) -> Any:
        found = results.find(self.viewer, self.stack.layer(), "impurities") if self.stack.layer() else None
        if found is None:
            raise StackError("There is nothing to compare yet: press “Detect” first.")
        return found

    def _recipe(self) -> recipes.Recipe:
        if self._positions is None:
            raise StackError("There is nothing to copy yet: press “Compare” first.")
        found = results.impurity_positions(self._impurities())
        return recipes.comparison(found, self._placed, self.tolerance.value())

    def _compared(self, positions: np.ndarray) -> None:
        self._positions = positions
        self._moved()
        self.into_sight(self.table[ROWS[-1]])

    def _moved(self) -> None:
        """The reference lies elsewhere, or is another: show its positions and count again."""
        if self._positions is None:
            return
        stack, _ = stack_of(self.stack.layer())
        self._placed = reference.positions_in(stack, self.source.layer() or self.map.layer(), self._positions)
        reference.show_positions(self.viewer, self.stack.layer(), stack, self._placed)
        in_turns(self._counting(), viewer=self.viewer)

    def _counting(self) -> Generator[None, None, None]:
        """Count in the next turn: the reference's crosses have been a new layer in this one."""
        yield
        self.safely(self.update_agreement)()

    def update_agreement(self) -> None:
        """Count matched, missed and false points; ring them on the map."""
        if self._positions is None:
            return
        from friedel.reference import agreement

        found = self._impurities()
        stack, _ = stack_of(self.stack.layer())
        area = known(found, ImpuritiesInfo).found.area
        low, high = np.array(area, dtype=float).T - 0.5
        inside = ((self._placed >= low) & (self._placed <= high)).all(axis=1)
        shape = tuple(int(stop - start) for start, stop in area)
        # Chance counts places in the field that was searched, whose origin is the area's corner.
        origin = low + 0.5
        result = agreement(
            results.impurity_positions(found) - origin,
            self._placed[inside] - origin,
            self.tolerance.value(),
            shape=shape,  # type: ignore[arg-type]
        )
        shifted = _shifted(result, origin)
        reference.show_agreement(self.viewer, self.stack.layer(), stack, shifted)
        self._show(result)

    def _show(self, result: Any) -> None:
        numbers = {"matched": len(result.matched), "missed": len(result.missed), "false": len(result.false)}
        self.counts.setText(
            " &nbsp; ".join(
                f'<span style="color:{reference.COLOURS[k]}">◯</span> <b>{n}</b> {k}'
                for k, n in numbers.items()
            )
        )
        for name, value in zip(
            ROWS, (result.precision, result.recall, result.f1, result.chance), strict=True
        ):
            self.table[name].setText("–" if np.isnan(value) else f"{value:.3f}")

    def _impurities_changed(self, layer: Any) -> None:
        self.source.refresh()  # a result that another has replaced can be the reference
        if self._positions is None or self.stack.layer() is None or self.job.busy:
            return
        if layer is results.find(self.viewer, self.stack.layer(), "impurities"):
            self.safely(self.update_agreement)()

    def _forget(self, *_: Any) -> None:
        self._positions = None
        self.counts.setText("")
        for label in self.table.values():
            label.setText("–")


def _shifted(result: Any, origin: np.ndarray) -> Any:
    matched = result.matched.copy()
    for name, offset in (("row", origin[0]), ("column", origin[1])):
        matched[name] += offset
        matched[f"reference_{name}"] += offset
    return replace(result, matched=matched, missed=result.missed + origin, false=result.false + origin)
