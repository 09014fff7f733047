"""Dock "Inspect": the spectrum under the cursor, the waves around an impurity, the ring in q space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QLabel, QTabWidget

from friedel.analysis import spectra
from friedel.errors import FriedelError, PhysicsError
from friedel.stack import didv, pixel_pitch
from napari_friedel import recipes
from napari_friedel.docks.inspect_fit import draw_phase, phase_plot
from napari_friedel.docks.inspect_form import didv_label, even_axis
from napari_friedel.layers import results
from napari_friedel.layers.areas import world_to_pixel
from napari_friedel.layers.info import StackInfo, kind_of, known
from napari_friedel.layers.stack_layers import stack_of
from napari_friedel.layers.viewing import stack_index
from napari_friedel.widgets import Dock, LayerBox
from napari_friedel.widgets.band_box import BandBox
from napari_friedel.widgets.copy_bar import CopyBar
from napari_friedel.widgets.length_box import length_box
from napari_friedel.widgets.plots import COLOURS, Plot, edges

if TYPE_CHECKING:
    from friedel.physics.dispersion import Dispersion


class InspectDock(Dock):
    """Dock "Inspect"."""

    tab = "Inspect"
    page = "tutorial.html"

    #: Redraw at most this often while the mouse moves [ms].
    interval = 60

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._cache: dict[str, Any] = {}
        self._cursor: tuple[float, float] | None = None
        self._points: Any = None
        rows = self.group("Stack")
        self.stack = LayerBox(self.viewer, lambda x: kind_of(x) == "stack")
        rows.addRow("Layer", self.stack)
        self.stack.setToolTip("The stack whose spectra are shown")
        self.radius = length_box(0.0, 0.0, "Spectra are averaged over this radius")
        self.exclude = length_box(1.5, 0.1, "Pixels nearer to an impurity are no part of the average")
        self.freeze = QCheckBox("Hold the cursor's spectrum")
        self.freeze.setToolTip("The curve stays while the mouse moves on")
        rows.addRow("Average within", self.radius)
        rows.addRow("Defect-free beyond", self.exclude)
        rows.addRow(self.freeze)
        self.where = QLabel("Move the mouse over the map; select a point to see its impurity.")
        self.where.setWordWrap(True)
        self.form.addWidget(self.where)
        self.form.addWidget(CopyBar(self._recipe, self.message.error))
        self.tabs = QTabWidget()
        self.spectrum = Plot("bias (mV)", "dI/dV", viewer=self.viewer, height=230)
        self.spectrum.legend()
        self.profile = Plot("distance (nm)", "dI/dV", viewer=self.viewer, height=230)
        self.fourier = Plot("q_x (nm⁻¹)", "q_y (nm⁻¹)", viewer=self.viewer, height=260)
        self.fourier.square()
        self.dispersion = Plot("q (nm⁻¹)", "bias (mV)", viewer=self.viewer, height=260)
        self.phase = phase_plot(self.viewer)
        for title, plot in (
            ("Spectrum", self.spectrum),
            ("Profile", self.profile),
            ("FFT", self.fourier),
            ("E–q", self.dispersion),
            ("δ(E)", self.phase),
        ):
            self.tabs.addTab(plot, title)
        self.form.addWidget(self.tabs)
        self.band = BandBox(self.current, self.viewer, self._bias_index)
        self.band.ring.hide()  # the FFT tab shows it
        self.form.addWidget(self.band)
        self.form.addStretch(1)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(self.interval)
        self._timer.timeout.connect(self._redraw_safely)
        self._connect()
        self.share_stack(self.stack)
        self._stack_changed()

    def _connect(self) -> None:
        self.stack.currentIndexChanged.connect(self._stack_changed)
        self.listener.on(self.viewer.cursor.events.position, self._cursor_moved)
        self.listener.on(self.viewer.dims.events.point, self._later)
        self.listener.on(self.viewer.layers.selection.events.changed, self._selection_changed)
        self.listener.on(self.viewer.layers.events.inserted, self._selection_changed)
        for widget in (self.radius, self.exclude):
            widget.valueChanged.connect(self._later)
        self.tabs.currentChanged.connect(self._later)
        self.band.changed.connect(self._later)
        self.band.problem.connect(self.message.error)

    def current(self) -> tuple[Any, str]:
        """The chosen stack and channel."""
        return stack_of(self.stack.layer())

    def _bias_index(self) -> int:
        return stack_index(self.viewer, self.stack.layer())

    def _stack_changed(self, *_: Any) -> None:
        self._cache.clear()
        self._cursor = None
        if self.shared.band is None:
            self.band.reset()
        self._name_axes()
        self._selection_changed()

    def _name_axes(self) -> None:
        """Give dI/dV the unit of its channel."""
        if self.stack.layer() is None:
            return
        stack, channel = self.current()
        text = didv_label(stack[channel], derived=known(self.stack.layer(), StackInfo).derived)
        self.spectrum.label("left", text)
        self.profile.label("left", text)

    def _selection_changed(self, _event: Any = None) -> None:
        points = None
        if self.stack.layer() is not None:
            points = results.find(self.viewer, self.stack.layer(), "impurities")
        if points is not self._points:
            if self._points is not None:
                self._points.selected_data.events.items_changed.disconnect(self._later)
            self._points = points
            if points is not None:
                points.selected_data.events.items_changed.connect(self._later)
        self._later()

    def _cursor_moved(self, _event: Any = None) -> None:
        if self.freeze.isChecked() or not self.isVisible() or self.stack.layer() is None:
            return
        stack = known(self.stack.layer(), StackInfo).stack
        if stack is None:
            return
        position = np.asarray(self.viewer.cursor.position, dtype=float)[-2:]
        row, column = world_to_pixel(stack, position[None])[0]
        if -0.5 <= row < stack.sizes["y"] - 0.5 and -0.5 <= column < stack.sizes["x"] - 0.5:
            self._cursor = (float(row), float(column))
            self._later()

    def _recipe(self) -> recipes.Recipe:
        (stack, channel), place = self.current(), self.selected() or self._cursor
        if place is None:
            raise FriedelError("Move the mouse over the map or select a point: the lines are for one pixel.")
        return recipes.spectrum(stack, channel, (round(place[0]), round(place[1])), self._band())

    def look_at(self, row: float, column: float) -> None:
        """Show the spectrum of a pixel, as if the mouse were there."""
        self._cursor = (row, column)
        self.redraw()

    def _index(self) -> int | None:
        points = self._points
        shown = points is not None and points in self.viewer.layers
        return max(points.selected_data, default=None) if shown else None

    def selected(self) -> tuple[float, float] | None:
        """The selected impurity (row, column) [px], or None."""
        index = self._index()
        return None if index is None else tuple(np.asarray(self._points.data, dtype=float)[index].tolist())

    def _draw_phase(self) -> None:
        bias = float(self._bias()[self._bias_index()])
        self.where.setText(draw_phase(self.phase, self._points, self._index(), bias))

    def _later(self, *_: Any) -> None:
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def showEvent(self, event: Any) -> None:
        """Catch up with what changed while the dock was hidden."""
        super().showEvent(event)
        self._later()

    def _redraw_safely(self) -> None:
        self.safely(self.redraw)()

    def redraw(self) -> None:
        """Draw the tab that is shown."""
        if self.stack.layer() is None:
            return
        draws = (
            self._draw_spectrum,
            self._draw_profile,
            self._draw_fourier,
            self._draw_dispersion,
            self._draw_phase,
        )
        draws[self.tabs.currentIndex()]()

    def _maps(self) -> np.ndarray:
        """The channel's maps with rising bias, kept between redraws."""
        stack, channel = self.current()
        key = (id(stack), channel)
        if self._cache.get("key") != key:
            maps = didv(stack, channel).to_numpy()
            order = np.argsort(stack["bias"].to_numpy())
            rising = bool((np.diff(order) == 1).all())
            self._cache = {"key": key, "maps": maps if rising else maps[order]}
        rising_maps: np.ndarray = self._cache["maps"]
        return rising_maps

    def _bias(self) -> np.ndarray:
        return np.asarray(known(self.stack.layer(), StackInfo).bias_mv, dtype=float)

    def _draw_spectrum(self) -> None:
        stack, _ = self.current()
        maps, bias = self._maps(), self._bias()
        pixel = float(np.sqrt(np.prod(pixel_pitch(stack))))
        radius = self.radius.value() / pixel
        words = []
        empty = np.full(len(bias), np.nan)
        curves = {"cursor": empty, "impurity": empty}
        for name, place in (("cursor", self._cursor), ("impurity", self.selected())):
            if place is not None:
                curves[name] = spectra.spectrum(maps, *place, radius)
                words.append(f"{name}: row {place[0]:.1f}, column {place[1]:.1f}")
        self.spectrum.curve("defect-free", bias, self._average(maps, pixel), COLOURS["average"], dashed=True)
        self.spectrum.curve("cursor", bias, curves["cursor"], COLOURS["first"])
        self.spectrum.curve("impurity", bias, curves["impurity"], COLOURS["second"])
        self.spectrum.vertical("bias", bias[self._bias_index()], COLOURS["average"])
        if not np.isfinite(self._average(maps, pixel)).any():
            words.append(f"no pixel lies farther than {self.exclude.value():g} nm from all impurities")
        if words:
            self.where.setText("; ".join(words))

    def _average(self, maps: np.ndarray, pixel: float) -> np.ndarray:
        """Average spectrum away from all impurities that count."""
        positions = np.zeros((0, 2)) if self._points is None else results.impurity_positions(self._points)
        key = (self.exclude.value(), positions.tobytes())
        if self._cache.get("average_key") != key:
            mean, _ = spectra.defect_free_spectrum(maps, positions, self.exclude.value() / pixel)
            self._cache.update(average_key=key, average=mean)
        average: np.ndarray = self._cache["average"]
        return average

    def _draw_profile(self) -> None:
        stack, _ = self.current()
        place = self.selected() or self._cursor
        if place is None:
            self.where.setText(
                "Select an impurity, or move the mouse over the map, to see the waves around it."
            )
            return
        image = self._maps()[self._bias_index()]
        pitch = pixel_pitch(stack)
        reach = 0.5 * min(image.shape[0] * pitch[0], image.shape[1] * pitch[1])
        r, mean, error = spectra.radial_profile(image, *place, pitch, reach)
        self.profile.curve("mean", r, mean, COLOURS["first"], width=2)
        self.profile.curve("low", r, mean - error, COLOURS["average"], width=0.8)
        self.profile.curve("high", r, mean + error, COLOURS["average"], width=0.8)
        self.where.setText(
            f"Average over the circle around row {place[0]:.1f}, column {place[1]:.1f} "
            f"at {self._bias()[self._bias_index()]:+.5g} mV; grey: standard error"
        )

    def _band(self) -> Dispersion | None:
        try:
            return self.band.dispersion()
        except PhysicsError:
            return None

    def _draw_fourier(self) -> None:
        stack, _ = self.current()
        index = self._bias_index()
        q_y, q_x, modulus = spectra.fourier_map(self._maps()[index], pixel_pitch(stack))
        self.fourier.picture(np.log1p(modulus / (np.median(modulus) or 1.0)), (*edges(q_x), *edges(q_y)))
        band, bias = self._band(), self._bias()[index]
        radius = None if band is None else float(2 * band.k(bias))
        self.fourier.ring("2k", radius)
        self.where.setText(
            f"Fourier transform at {bias:+.5g} mV"
            + (f"; ring: q = 2k = {radius:.3g} nm⁻¹" if radius and np.isfinite(radius) else "")
        )

    def _draw_dispersion(self) -> None:
        stack, _ = self.current()
        maps, bias = self._maps(), self._bias()
        if "dispersion" not in self._cache:
            self._cache["dispersion"] = spectra.dispersion_map(maps, pixel_pitch(stack))
        q, modulus = self._cache["dispersion"]
        if not len(q):
            raise FriedelError("The map is too small for a Fourier transform.")
        half, nearest = even_axis(bias)
        self.dispersion.picture(modulus[nearest], (*edges(q), bias[0] - half, bias[-1] + half))
        k = np.full(len(bias), np.nan) if (band := self._band()) is None else 2 * band.k(bias)
        self.dispersion.curve("2k", k, bias, COLOURS["ring"], dashed=True, width=2.5)
        self.where.setText("Ring radius against energy; dashed: q = 2k of the band below")
