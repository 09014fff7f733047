"""Dock "Fine-tune": train on the opened stack with the confidence regulariser, watch, keep or revert."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QInputDialog

from friedel.errors import FriedelError, ModelError, PhysicsError
from friedel.physics.dispersion import Dispersion
from napari_friedel import remembered, tuning
from napari_friedel.docks.fine_tune_form import CURVES, FineTuneForm
from napari_friedel.jobs import Job, State, release_memory
from napari_friedel.layers import results, showing
from napari_friedel.layers.info import ImpuritiesInfo, known
from napari_friedel.tuning import Session
from napari_friedel.turns import in_turns
from napari_friedel.widgets.band_box import CUSTOM
from napari_friedel.widgets.outcome_box import show_outcome, show_preview
from napari_friedel.widgets.plots import COLOURS


class FineTuneDock(FineTuneForm):
    """Dock "Fine-tune"."""

    tab = "Fine-tune"
    page = "how-to/own-model.html"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.job = Job(self, "fine-tuning")
        self.after_job = Job(self, "detection with the fine-tuned model")
        #: Settings of `friedel.finetuning.tuner.FineTuneConfig` that have no field here, for scripts.
        self.further_settings: dict[str, Any] = {}
        self.session: Session | None = None
        self._points: dict[str, tuple[list[float], list[float]]] = {}
        self._drawing = QTimer(self)  # the curves are drawn a few times a second, not at every step
        self._drawing.setSingleShot(True)
        self._drawing.setInterval(300)
        self._drawing.timeout.connect(self._draw)
        self._build_choices()
        self._build_run()
        self.form.addStretch(1)
        self._connect()
        self.share_stack(self.stack)
        self._stack_changed()
        self._offer_unfinished()

    def _connect(self) -> None:
        self.stack.currentIndexChanged.connect(self._stack_changed)
        self.listener.on(results.EVENTS.changed, self._count_corrections)
        self.listener.on(tuning.EVENTS.models_changed, self.fill_models)
        self.listener.on(remembered.EVENTS.restored, self._recalled)
        self.band.problem.connect(self.message.error)
        self.bar.start.clicked.connect(self.safely(self.start))
        self.resume.clicked.connect(self.safely(self.start_again))
        self.job.progressed.connect(self._progress)
        self.job.returned.connect(self.safely_with(self._trained))
        self.job.cancelled.connect(self.safely(self._stopped))
        self.job.failed.connect(self._failed)
        self.job.warned.connect(self.message.warn)
        self.job.state_changed.connect(self._render)
        self.after_job.returned.connect(self.safely_with(self._compared))
        self.after_job.failed.connect(self.message.error)
        self.outcome.keep.clicked.connect(self.safely(self._ask_name))
        self.outcome.revert.clicked.connect(self.safely(self.throw_away))

    def _recalled(self, group: str) -> None:
        self.options.recall(group)

    # --- what is there --------------------------------------------------------------------------------------------

    def _stack_changed(self, *_args: Any) -> None:
        if self.shared.band is None:
            self.band.reset()
        self._count_corrections()
        points = self._impurities()
        band = (
            {} if points is None else known(points, ImpuritiesInfo).found.provenance.get("dispersion") or {}
        )
        if "mass" in band and self.shared.band is None:  # the band of the detection is the sample's
            self.band.choose(str(band.get("name")))
            if self.band.dispersion() is None or self.band.dispersion().mass != band["mass"]:  # type: ignore[union-attr]
                self.band.choose(CUSTOM)
                self.band.onset.setValue(float(band["onset_mev"]))
                self.band.mass.setValue(float(band["mass"]))

    def _impurities(self) -> Any:
        return (
            results.find(self.viewer, self.stack.layer(), "impurities")
            if self.stack.layer() is not None
            else None
        )

    def _count_corrections(self, _layer: Any = None) -> None:
        found = tuning.corrections(self._impurities())
        number = len(found["added"]) + len(found["removed"])
        self.use_points.setText(f"Learn from my corrected points ({number})")
        self.use_points.setEnabled(number > 0)
        if not number:
            self.use_points.setChecked(False)

    def _offer_unfinished(self) -> None:
        found = tuning.unfinished()
        if found is None or self.session is not None:
            return
        self.resume.setVisible(True)
        self.message.info(
            f"An unfinished fine-tuning of {found['source'] or 'a stack'} was found. Choose that stack and press "
            "Resume, or start a new one."
        )

    # --- the run --------------------------------------------------------------------------------------------------

    def _settings(self) -> dict[str, Any]:
        chosen = tuning.corrections(self._impurities()) if self.use_points.isChecked() else {}
        return {
            **self.options.values(),
            "preview": self.preview.isChecked(),
            **self.further_settings,
            **{name: tuple(tuple(p) for p in points) for name, points in chosen.items()},
        }

    def _new_session(
        self, settings: dict[str, Any], model: str, band: Dispersion | None, restore: bool
    ) -> Session:
        stack, channel = self.current()
        if band is None:
            raise PhysicsError(
                "Fine-tuning simulates your sample and needs its surface band: choose it, or press Fit."
            )
        if not model:
            raise ModelError("There is no model to start from.")
        crosses = results.find(self.viewer, self.stack.layer(), "reference")
        reference = (
            None if crosses is None or not self.use_reference.isChecked() else np.asarray(crosses.data)
        )
        before = None
        points = self._impurities()
        if points is not None and known(points, ImpuritiesInfo).found.provenance.get("model") == model:
            before = known(points, ImpuritiesInfo).found
        return Session(stack, channel, model, band, settings, reference, restore, before=before)

    def start(self) -> None:
        """Start a new fine-tuning with what is chosen.

        Raises
        ------
        FriedelError
            If the stack, the band or the model is missing.
        """
        session = self._new_session(self._settings(), self.model.currentData(), self.band.dispersion(), False)
        self._points.clear()
        self._begin(session)

    def start_again(self) -> None:
        """Go on with the fine-tuning that was cancelled, or with the one that a crash has left behind."""
        if self.session is not None and self.session.tuner is not None:
            self._begin(self.session)
            return
        found = tuning.unfinished()
        if found is None:
            raise ModelError("There is no fine-tuning to resume.")
        band = Dispersion(**found["dispersion"])
        self._begin(self._new_session({**found["settings"]}, found["model"], band, True))

    def _begin(self, session: Session) -> None:
        self.session = session
        self._layer = self.stack.layer()
        self.outcome.show_model(None)
        self.message.clear()
        self.job.start(session.run)

    def _render(self, state: State) -> None:
        busy = state in (State.RUNNING, State.CANCELLING)
        tuner = self.session.tuner if self.session is not None else None
        unfinished = tuner is not None and tuner.step < tuner.config.steps
        self.resume.setVisible(not busy and unfinished)
        self.preview.setEnabled(not busy)

    def _progress(self, steps: list[Any]) -> None:
        for step in steps:
            if "step" not in step.values:
                continue
            for name, value in step.values.items():
                if isinstance(value, (int, float)) and name != "step":
                    x, y = self._points.setdefault(name, ([], []))
                    x.append(step.values["step"])
                    y.append(value)
        self.tabs.setVisible(any(key in self._points for _, keys, _ in CURVES for key in keys))
        if not self._drawing.isActive():
            self._drawing.start()
        fields = [step.values["s"] for step in steps if "s" in step.values]
        if fields and self._layer in self.viewer.layers:
            show_preview(self.viewer, self._layer, fields[-1])

    def _draw(self) -> None:
        for plot, (_, keys, names) in zip(self.plots, CURVES, strict=True):
            for key, name, colour in zip(keys, names, ("first", "second"), strict=True):
                x, y = self._points.get(key, ([], []))
                plot.curve(name, x, y, COLOURS[colour], width=1.2 if colour == "first" else 2.2)

    # --- afterwards -----------------------------------------------------------------------------------------------

    def _running(self) -> Session:
        if self.session is None:
            raise FriedelError("There is no fine-tuning to go on with; start one.")
        return self.session

    def _trained(self, model: Any) -> None:
        session = self._running()
        session.result = model
        self._drop("preview")
        if not self.message.text():
            self.message.info("Finished. Comparing before and after on the whole map…")
        self.outcome.show_model(model)
        self.after_job.start(lambda: session.compare(model))

    def _stopped(self) -> None:
        session = self.session
        if session is None or session.tuner is None or not session.tuner.validations:
            self._drop("preview")
            self.message.info("Cancelled before the first step; nothing was changed.")
            return
        self._drop("preview")
        self.message.info("Cancelled. The best state so far is shown below; Resume goes on from here.")
        finish = Job(self, "best state of the fine-tuning")
        finish.returned.connect(self.safely_with(self._trained))
        finish.failed.connect(self.message.error)
        finish.start(session.finish)

    def _failed(self, text: str, details: str) -> None:
        self.message.error(text, details)
        if self.session is not None and self.session.tuner is not None and self.session.tuner.validations:
            self.outcome.show_model(None)

    def _compared(self, both: Any) -> None:
        before, after = both
        session = self._running()
        session.before = before
        if self._layer not in self.viewer.layers:
            return
        points = showing.show_points(self.viewer, self._layer, after)
        self.viewer.layers.selection.active = points
        in_turns(show_outcome(self.viewer, self._layer, before, points), viewer=self.viewer)
        counts = (len(before), int(results.counted(points).sum()))
        self.outcome.show_model(session.result, counts)
        self.scroll_to(self.outcome)
        counted = f"{counts[0]} impurities before, {counts[1]} after"
        if session.tuner is not None and session.tuner.step < session.tuner.config.steps:
            self.message.info(
                f"Cancelled: {counted}. Keep the best state so far, revert, or go on with Resume."
            )
        else:
            self.message.info(f"Finished: {counted}. Keep the model under a name, or revert.")
        tuning.EVENTS.models_changed.emit("")

    def _drop(self, kind: str) -> None:
        layer = results.find(self.viewer, self._layer, kind)
        if layer is not None:
            self.viewer.layers.remove(layer)

    def _ask_name(self) -> None:
        name, ok = QInputDialog.getText(self, "Keep the model", "Name:", text="my-sample")
        if ok and name.strip():
            self.keep_as(name.strip())

    def keep_as(self, name: str) -> None:
        """Save the fine-tuned model in the user's folder and choose it in the detect dock.

        Raises
        ------
        ModelError
            If the name is taken or cannot be used.
        """
        if self.session is None or self.session.result is None:
            raise ModelError("There is no fine-tuned model to keep.")
        path = tuning.keep(self.session.result, name)
        tuning.forget_unfinished()
        tuning.EVENTS.models_changed.emit(name)
        self.message.info(f"Kept as {path.stem!r}; the detect dock uses it now.")

    def throw_away(self) -> None:
        """Bring the former points back, choose the bundled model, and forget the fine-tuned one."""
        session = self.session
        if session is not None and session.before is not None and self._layer in self.viewer.layers:
            showing.show(self.viewer, self._layer, session.before)
        for kind in ("before", "preview"):
            self._drop(kind)
        self.session = None
        self.outcome.show_model(None)
        self.resume.setVisible(False)
        tuning.forget_unfinished()
        tuning.EVENTS.models_changed.emit("friedel")
        release_memory()
        self.message.info("Back to the bundled model; your kept models are untouched.")
