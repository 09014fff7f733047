"""The form of the fine-tune dock: sample, model, band, settings, curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QCheckBox, QComboBox, QTabWidget

from friedel.settings import FineTuneSettings
from napari_friedel import recipes
from napari_friedel.layers.info import kind_of
from napari_friedel.layers.stack_layers import stack_of
from napari_friedel.layers.viewing import stack_index
from napari_friedel.widgets import Dock, JobBar, LayerBox, button, form_for
from napari_friedel.widgets.band_box import BandBox
from napari_friedel.widgets.copy_bar import CopyBar
from napari_friedel.widgets.outcome_box import OutcomeBox
from napari_friedel.widgets.plots import COLOURS, Plot

if TYPE_CHECKING:
    from napari_friedel.jobs import Job

CURVES = (
    ("L₀", ("L0", "held_out_L0"), ("training", "held out")),
    ("Entropy", ("L_reg", "entropy"), ("training", "held out")),
    ("Agreement", ("agreement", "f1"), ("share found", "F1")),
)


class FineTuneForm(Dock):
    """What is chosen before a fine-tuning; `FineTuneDock` runs it."""

    job: Job

    def current(self) -> tuple[Any, str]:
        """The chosen stack and its channel."""
        return stack_of(self.stack.layer())

    def fill_models(self, _name: str = "") -> None:
        """List the models that can be fine-tuned."""
        from friedel.models.registry import list_models

        chosen = self.model.currentData() or "friedel"
        self.model.clear()
        for info in list_models():
            if not info.problem:
                self.model.addItem(info.name if info.bundled else f"{info.name} (yours)", info.name)
        self.model.setCurrentIndex(max(self.model.findData(chosen), 0))

    def _recipe(self) -> recipes.Recipe:
        (stack, channel), values = self.current(), self._settings()
        settings = FineTuneSettings(**{name: value for name, value in values.items() if name != "preview"})
        return recipes.fine_tuning(stack, settings, self.model.currentData(), channel, self.band.dispersion())

    def _settings(self) -> dict[str, Any]:
        raise NotImplementedError

    def _build_choices(self) -> None:
        rows = self.group("Start from")
        self.stack = LayerBox(self.viewer, lambda x: kind_of(x) == "stack")
        self.model = QComboBox()
        self.fill_models()
        self.use_points = QCheckBox("Learn from my corrected points")
        self.use_reference = QCheckBox("Follow the agreement with the reference")
        self.use_reference.setChecked(True)
        self.use_reference.setToolTip("Only shown, never learned from")
        self.use_points.setToolTip("Points that you added, accepted or rejected count in the loss")
        self.stack.setToolTip("The sample")
        self.model.setToolTip("The model that the fine-tuning starts from; it is never overwritten")
        rows.addRow("Stack", self.stack)
        rows.addRow("Model", self.model)
        rows.addRow(self.use_points)
        rows.addRow(self.use_reference)
        self.band = BandBox(self.current, self.viewer, lambda: stack_index(self.viewer, self.stack.layer()))
        self.band.ring.hide()
        self.form.addWidget(self.band)

    def _build_run(self) -> None:
        names = ("epochs", "alpha", "learning_rate", "noise", "device", "seed")
        self.options = form_for(
            FineTuneSettings,
            names,
            choices={"device": lambda: ("auto", "cpu", "cuda", "mps")},
            folded="Advanced",
        )
        self.form.addWidget(self.options)
        self.defaults = button("Defaults", "The settings with which the gain was measured")
        self.defaults.clicked.connect(self.options.reset)
        self.form.addWidget(self.defaults)
        self.bar = JobBar(self.job, "Fine-tune")
        self.bar.start.setToolTip(
            "Train on simulations of this sample, with the confidence regulariser on its data"
        )
        self.pin(self.bar)
        self.resume = button("Resume", "Go on with the fine-tuning that was stopped")
        self.resume.setVisible(False)
        self.preview = QCheckBox("Preview S on the map while it trains")
        self.preview.setToolTip("A layer below the points that goes when the training ends")
        self.form.addWidget(self.resume)
        self.copy = CopyBar(self._recipe, self.message.error)
        self.form.addWidget(self.copy)
        self.form.addWidget(self.preview)
        self.outcome = OutcomeBox()
        self.form.addWidget(self.outcome)
        self.tabs = QTabWidget()
        self.tabs.setVisible(False)  # nothing to draw yet
        self.plots = []
        for title, _, labels in CURVES:
            plot = Plot("step", title, viewer=self.viewer, height=170)
            plot.legend()
            for name, colour in zip(labels, ("first", "second"), strict=True):
                plot.curve(name, [], [], COLOURS[colour])
            self.plots.append(plot)
            self.tabs.addTab(plot, title)
        self.form.addWidget(self.tabs)
