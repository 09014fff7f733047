"""The surface band: a material, E₀ and m* typed in, or fitted to the map's own Fourier ring, which is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import create_widget
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QGroupBox, QLabel, QPushButton

from friedel.analysis.spectra import fourier_map
from friedel.errors import FriedelError
from friedel.physics.dispersion import MATERIALS, Dispersion
from friedel.progress import Progress
from friedel.settings import BandSettings, PrepareSettings, setting
from friedel.stack import didv, pixel_pitch
from napari_friedel.jobs import Job, State
from napari_friedel.layers.describe import describe_band
from napari_friedel.layers.viewing import unwrapped
from napari_friedel.widgets.listener import Listener
from napari_friedel.widgets.plots import Plot, edges
from napari_friedel.widgets.shared import BandState, shared
from napari_friedel.widgets.small import side_by_side
from napari_friedel.words import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

LABELS = {"au111": "Au(111)", "ag111": "Ag(111)", "cu111": "Cu(111)"}
CUSTOM, FIT = "custom", "fit"


class BandBox(QGroupBox):
    """Chooser of the dispersion k(E).

    Parameters
    ----------
    current : callable
        Gives (stack, channel), or raises `FriedelError`.
    viewer : ViewerModel
        For the theme and the bias that the slider shows.
    bias_index : callable
        Gives the map that the slider shows.
    preparation : callable
        Gives `PrepareSettings` for a fit; the defaults unless the dock has settings of its own.
    """

    changed = Signal()
    problem = Signal(str)

    def __init__(
        self,
        current: Callable[[], tuple[Any, str]],
        viewer: Any,
        bias_index: Callable[[], int],
        preparation: Callable[[], Any] = PrepareSettings,
    ) -> None:
        super().__init__("Surface band")
        self._current, self._viewer, self._bias_index = current, viewer, bias_index
        self._preparation = preparation
        self.fitted: Dispersion | None = None
        self._fit_words = ""
        self.job = Job(self, "fit of the dispersion")
        self.kind = QComboBox()
        for key in MATERIALS:
            self.kind.addItem(LABELS.get(key, key), key)
        self.kind.addItem("E₀ and m*…", CUSTOM)
        self.kind.addItem("Fit from this map", FIT)
        self.kind.setToolTip("The surface state whose k(E) the waves follow")
        self.onset = _number("onset_mev", -520.0, 1, 10)
        self.mass = _number("mass", 0.26, 3, 0.01)
        self.fit = QPushButton("Fit")
        self.fit.setToolTip("Fit E₀ and m* to the ring in the Fourier transforms of this stack")
        self.ring = QPushButton("Show ring")
        self.ring.setCheckable(True)
        self.ring.setToolTip(
            "Fourier transform of the map at the slider's bias, with the circle q = 2k of this band"
        )
        self.text = QLabel("")
        self.text.setWordWrap(True)
        self.plot: Plot | None = None
        rows = QFormLayout(self)
        rows.setContentsMargins(6, 6, 6, 6)
        rows.setVerticalSpacing(4)
        rows.addRow("Band", self.kind)
        rows.addRow("E₀, m*", side_by_side(self.onset, self.mass))
        rows.addRow(self.text)
        rows.addRow(side_by_side(self.fit, self.ring))
        self._rows = rows
        self.kind.currentIndexChanged.connect(self._chosen)
        self.onset.valueChanged.connect(self._typed)
        self.mass.valueChanged.connect(self._typed)
        self.fit.clicked.connect(self.start_fit)
        self.ring.toggled.connect(self._show_ring)
        self.job.returned.connect(self._fitted)
        self.job.failed.connect(lambda text, _details: self.problem.emit(text))
        self.job.state_changed.connect(self._render)
        self._quiet = False
        self.shared = shared(unwrapped(viewer))
        Listener(self).on(self.shared.band_changed, self._follow)
        self._chosen()
        if self.shared.band is not None:
            self._follow(self.shared.band)
        self.changed.connect(self._tell)

    # --- what all docks agree on ----------------------------------------------------------------------------------

    def state(self) -> BandState:
        """What stands here now."""
        return BandState(self.choice(), self.onset.value(), self.mass.value(), self.fitted, self._fit_words)

    def _tell(self) -> None:
        if not self._quiet:
            self.shared.choose_band(self.state())

    def _follow(self, state: BandState) -> None:
        if state == self.state():
            return
        self._quiet = True
        try:
            self.fitted, self._fit_words = state.fitted, state.words
            self.choose(state.choice)
            if state.choice == CUSTOM:
                self.onset.setValue(state.onset_mev)
                self.mass.setValue(state.mass)
            elif state.fitted is not None:
                self._set_values(state.fitted)
            self.refresh()
            self.changed.emit()
        finally:
            self._quiet = False

    # --- what is chosen -------------------------------------------------------------------------------------------

    def choice(self) -> str:
        """A material's name, `CUSTOM` or `FIT`."""
        return str(self.kind.currentData())

    def choose(self, choice: str) -> None:
        """Choose a material, `CUSTOM` or `FIT`; unknown names are ignored."""
        index = self.kind.findData(choice)
        if index >= 0:
            self.kind.setCurrentIndex(index)
            self._tell()  # a choice that stood there already is a choice, too

    def dispersion(self) -> Dispersion | None:
        """The band; None means that it is still to be fitted to the data (the detector does so itself).

        Raises
        ------
        PhysicsError
            If the typed values make no band.
        """
        choice = self.choice()
        if choice == FIT:
            return self.fitted
        if choice == CUSTOM:
            return Dispersion(self.onset.value(), self.mass.value())
        return MATERIALS[choice]

    def _chosen(self) -> None:
        choice = self.choice()
        band = self.fitted if choice == FIT else MATERIALS.get(choice)
        if band is not None:
            self._set_values(band)
        for spin in (self.onset, self.mass):
            spin.setEnabled(choice == CUSTOM)
        self.fit.setVisible(choice == FIT)
        self.refresh()
        self.changed.emit()

    def _set_values(self, band: Dispersion) -> None:
        for spin, value in ((self.onset, band.onset_mev), (self.mass, band.mass)):
            spin.blockSignals(True)
            spin.setValue(value)
            spin.blockSignals(False)

    def _typed(self) -> None:
        if self.choice() == CUSTOM:
            self.refresh()
            self.changed.emit()

    # --- fit ------------------------------------------------------------------------------------------------------

    def start_fit(self) -> None:
        """Fit the band to the current stack, off the GUI thread."""
        try:
            stack, channel = self._current()
            prepare = self._preparation()
        except FriedelError as error:
            self.problem.emit(sentence(error))
            return

        def work() -> Generator[Progress, None, Any]:
            from friedel.prepare.band import fit_dispersion

            yield Progress(0.0, "fitting the Fourier ring")
            fit = fit_dispersion(stack, channel=channel, prepare=prepare)
            return fit, fit.dispersion  # raises, here in the worker, if there is no ring

        self.job.start(work)

    def _fitted(self, result: Any) -> None:
        fit, self.fitted = result
        self._fit_words = str(fit)
        self._set_values(result[1])
        self.choose(FIT)
        self.refresh()
        self.ring.setChecked(True)
        self.changed.emit()

    def adopt(self, band: Any) -> None:
        """Take over the band that a detection fitted by itself (as its provenance tells it)."""
        if (
            self.choice() != FIT
            or self.fitted is not None
            or not isinstance(band, dict)
            or "mass" not in band
        ):
            return
        self.fitted = Dispersion(float(band["onset_mev"]), float(band["mass"]), name="fitted")
        self._fit_words = "Fitted during the detection"
        self._set_values(self.fitted)
        self.refresh()
        self._tell()

    def reset(self) -> None:
        """Forget the fit: another stack was chosen."""
        self.fitted = None
        self._fit_words = ""
        self.refresh()

    def _render(self, state: State) -> None:
        self.fit.setEnabled(state is not State.RUNNING)
        self.fit.setText("Fitting…" if state is State.RUNNING else "Fit")

    # --- what it means --------------------------------------------------------------------------------------------

    def refresh(self, *_args: Any) -> None:
        """Say what the band means for this stack, and redraw the ring."""
        try:
            band = self.dispersion()
            stack, _ = self._current()
        except FriedelError as error:
            self.text.setText(sentence(error))
            return
        if band is None:
            self.text.setText(
                "Will be fitted to the ring in this map's Fourier transforms; press Fit to see it first."
            )
        else:
            words = f"{self._fit_words}. " if self.choice() == FIT and self._fit_words else ""
            self.text.setText(words + describe_band(band, stack))
        self._draw()

    def _show_ring(self, shown: bool) -> None:
        if shown and self.plot is None:
            self.plot = Plot("q_x (nm⁻¹)", "q_y (nm⁻¹)", viewer=self._viewer, height=220)
            self.plot.square()
            self._rows.addRow(self.plot)
        if self.plot is not None:
            self.plot.setVisible(shown)
        self._draw()

    def _draw(self) -> None:
        if self.plot is None or not self.ring.isChecked():
            return
        try:
            stack, channel = self._current()
            maps = didv(stack, channel)
        except FriedelError:
            return
        order = np.argsort(stack["bias"].to_numpy())
        index = int(order[min(self._bias_index(), len(order) - 1)])
        q_y, q_x, modulus = fourier_map(maps.isel(bias=index).to_numpy(), pixel_pitch(stack))
        self.plot.picture(np.log1p(modulus / (np.median(modulus) or 1.0)), (*edges(q_x), *edges(q_y)))
        band = self.dispersion()
        bias = float(stack["bias"][index])
        radius = float(2 * band.k(bias)) if band is not None else None
        self.plot.ring("2k", radius)
        self.plot.axes.setTitle(
            f"{bias:+.4g} mV" + (f", 2k = {radius:.3g} nm⁻¹" if radius else ""), size="9pt"
        )


def _number(name: str, value: float, decimals: int, step: float) -> QDoubleSpinBox:
    """A number of the band with the range and the help of its setting."""
    known = setting(BandSettings, name)
    spin = create_widget(value=value, widget_type="FloatSpinBox", options={"step": step}).native
    spin.setRange(max(known.option.least or -1e6, -1e6), min(known.option.most or 1e6, 1e6))
    spin.setDecimals(decimals)
    spin.setSuffix(f" {known.option.unit}")
    spin.setValue(value)
    spin.setToolTip(known.help)
    spin.setKeyboardTracking(False)
    # The widest number it could hold would widen the dock, and buttons beside it would cut the one it holds.
    spin.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    spin.setMinimumWidth(90)
    return spin
