"""The checks of a result, the preparation in the form, and a napari that is too old."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from made_up import build_detections, quick

from friedel.detections import Check
from friedel.errors import FriedelError, FriedelWarning
from friedel.settings import PrepareSettings
from napari_friedel.layers import placement, results, showing

pytestmark = pytest.mark.gui

GOOD = Check("density", 0.01, 0.05, True, "The density is 0.01 nm⁻².")
BAD = Check("ring", 0.4, 1.0, False, "No Friedel ring is seen: check the band.")

EDGE = Check("line", 9.0, 5.0, True, "Nine points lie on a line and were demoted.", noted=True)


@pytest.fixture
def dock(shown, qtbot, open_dock):
    from napari_friedel.docks.detect import DetectDock

    widget = open_dock(DetectDock, shown)
    widget.band.choose("ag111")
    return widget


def _run(dock, qtbot):
    dock.bar.start.click()
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=60000)


def test_failed_and_noted_checks_are_in_sight_once_and_passed_ones_are_folded(dock, qtbot, detector) -> None:
    def checked(stack, **options):
        found = yield from quick(stack, **options)
        told = {
            **found.provenance,
            "warnings": [BAD.sentence, EDGE.sentence, "Two voltages lie outside the band."],
        }
        told["prepare"] = [{"step": "plane", "text": "A plane was subtracted from each map."}]
        return replace(found, checks=(GOOD, BAD, EDGE), provenance=told)

    detector(checked)
    _run(dock, qtbot)
    box = dock.result.checks
    assert box.failed.text() == BAD.sentence and not box.failed.isHidden()
    assert box.noted.text() == EDGE.sentence and not box.noted.isHidden()
    assert dock.message.text() == "Two voltages lie outside the band."
    assert GOOD.sentence in box.passed.text() and "A plane was subtracted" in box.passed.text()
    assert box.fold.text() == "1 check passed, 1 step of preparation" and not box.fold.isExpanded()


def test_a_warning_on_the_way_that_a_check_repeats_is_not_told_twice(dock, qtbot, detector) -> None:
    def checked(stack, **options):
        found = yield from quick(stack, **options)
        warnings.warn(FriedelWarning(EDGE.sentence), stacklevel=1)
        return replace(
            found, checks=(GOOD, EDGE), provenance={**found.provenance, "warnings": [EDGE.sentence]}
        )

    detector(checked)
    _run(dock, qtbot)
    assert dock.result.checks.noted.text() == EDGE.sentence
    assert not dock.message.text()


def test_unfolded_checks_are_read_to_their_end_in_a_narrow_dock(dock, qtbot, detector) -> None:
    long = replace(
        GOOD, sentence="A sentence that takes more than one line in a dock as narrow as this one is. " * 2
    )

    def checked(stack, **options):
        return replace((yield from quick(stack, **options)), checks=(long,) * 9)

    detector(checked)
    _run(dock, qtbot)
    dock.resize(340, 700)
    dock.show()
    box = dock.result.checks
    for _ in range(2):  # folded and unfolded once more
        box.fold.expand(animate=False)
        label = box.passed
        qtbot.waitUntil(lambda label=label: label.height() >= label.heightForWidth(label.width()) > 200)
        box.fold.collapse(animate=False)
        qtbot.waitUntil(lambda label=label: not label.visibleRegion().boundingRect().height())


def test_a_form_that_has_grown_gets_its_room(dock, qtbot) -> None:
    from qtpy.QtWidgets import QPushButton

    dock.show()
    before = dock.minimumWidth()
    wide = QPushButton("what comes later may be wider than all that was there")
    wide.setFixedWidth(before + 60)
    dock.form.addWidget(wide)
    qtbot.waitUntil(lambda: dock.minimumWidth() >= before + 60)


def test_a_result_without_checks_shows_no_empty_box(dock, qtbot, detector) -> None:
    detector(quick)
    _run(dock, qtbot)
    assert dock.result.checks.failed.isHidden() and dock.result.checks.fold.isHidden()


def test_the_form_of_the_preparation_reaches_the_detector_and_what_is_copied(dock, qtbot, detector) -> None:
    from qtpy.QtWidgets import QApplication

    called = detector(quick)
    _run(dock, qtbot)
    assert called["prepare"] == PrepareSettings()
    dock.python.click()
    assert "PrepareSettings" not in QApplication.clipboard().text()
    dock.prepare.set("background", "high-pass")
    dock.prepare.set("lockin_phase_deg", "auto")
    dock.prepare.set("row_offsets", False)
    _run(dock, qtbot)
    wanted = PrepareSettings(background="high-pass", lockin_phase_deg="auto", row_offsets=False)
    assert called["prepare"] == wanted
    dock.python.click()
    text = QApplication.clipboard().text()
    namespace: dict = {}
    exec("from friedel.settings import PrepareSettings", namespace)
    call = text[text.index("prepare=PrepareSettings(") + len("prepare=") :]
    assert eval(call[: call.index(")") + 1], namespace) == wanted
    dock.command.click()
    words = QApplication.clipboard().text().split()
    assert "--no-row-offsets" in words and words[words.index("--background") + 1] == "high-pass"
    dock.defaults.click()
    assert dock.prepare.settings() == PrepareSettings()


def test_a_wrong_number_of_the_preparation_is_refused_with_a_sentence(dock, qtbot, detector) -> None:
    called = detector(quick)
    dock.prepare.set("clip", 1.0)
    dock.bar.start.click()
    assert dock.message.level == "error" and "clip" in dock.message.text().lower() and not called


class _Waves:
    """A model that tells its index; the data are 10."""

    def model(self, index: int) -> np.ndarray:
        return np.full((24, 30), float(index))

    def residual(self, index: int) -> np.ndarray:
        return 10 - self.model(index)


def test_model_and_residual_are_shown_at_the_nearest_voltage_in_place_of_the_last(shown, stack) -> None:
    from napari_friedel.layers.fitted import show_fit

    layer = shown.layers[-1]
    found = replace(build_detections(stack, bias_mv=[60.0, 25.0, -30.0]), waves=_Waves())
    showing.show(shown, layer, found, maps=False)
    before = len(shown.layers)
    assert show_fit(shown, layer, 20.0) == 25.0
    model, residual = (results.find(shown, layer, kind) for kind in ("model", "residual"))
    assert (np.asarray(model.data) == 1).all() and (np.asarray(residual.data) == 9).all()
    assert model.name.endswith("fitted waves at +25 mV") and model.visible and residual.visible
    assert show_fit(shown, layer, -50.0) == -30.0
    assert len(shown.layers) == before + 2 and (np.asarray(model.data) == 2).all()
    np.testing.assert_allclose(model.scale, placement(stack)["scale"])


def test_a_result_without_a_refit_has_no_fitted_waves_and_says_so(shown, stack) -> None:
    from napari_friedel.layers.fitted import show_fit

    layer = shown.layers[-1]
    with pytest.raises(FriedelError, match="press “Detect” first"):
        show_fit(shown, layer, 0.0)
    showing.show(shown, layer, build_detections(stack), maps=False)
    with pytest.raises(FriedelError, match="no refit was used"):
        show_fit(shown, layer, 0.0)


def test_the_form_is_never_wider_than_its_dock(dock) -> None:
    dock.resize(100, 400)
    dock.show()
    assert dock.content.minimumSizeHint().width() <= dock._scroll.viewport().width()
    assert dock.minimumWidth() <= 400
