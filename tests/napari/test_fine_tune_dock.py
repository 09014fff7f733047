"""The fine-tune dock with a small network: curves, cancel, resume, keep, revert, crash."""

from __future__ import annotations

import numpy as np
import pytest

from friedel.physics.dispersion import MATERIALS
from friedel.stack import make_stack
from napari_friedel import tuning
from napari_friedel.layers import add_layer, info_of, kind_of, results, showing, stack_layers

pytestmark = pytest.mark.gui

PLACES = np.array([(5, 6), (8, 22), (15, 14), (24, 27), (26, 8)], dtype=float)


@pytest.fixture(scope="module")
def small_network():
    torch = pytest.importorskip("torch")
    from friedel.models.paper_net import AttentionConfig, AttentionNetwork

    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = AttentionNetwork(AttentionConfig(width=8, dilations=(1, 2), inner_product="global")).eval()
    network.project.weight.data *= 200  # peaks that differ, as a trained network's do
    return network


@pytest.fixture
def waves():
    """Eq. 3 around five impurities."""
    random = np.random.default_rng(0)
    bias = np.linspace(-230, 20, 6)
    k = MATERIALS["au111"].k(bias)[:, None, None] * 0.469
    yy, xx = np.mgrid[:32, :32]
    maps = sum(
        np.cos(2 * k * np.hypot(yy - r, xx - c)) / (np.hypot(yy - r, xx - c) + 1) ** 2 for r, c in PLACES
    )
    maps = maps / maps.std() + 0.3 * random.normal(size=maps.shape)
    return make_stack({"LockinX": maps}, bias_mv=bias, pixel_nm=0.469, source="waves.3ds")


@pytest.fixture
def dock(model, waves, small_network, open_dock):
    from friedel.models.registry import save_model, user_path
    from napari_friedel.docks.fine_tune import FineTuneDock

    header = {
        "architecture": "attention",
        "config": small_network.config.as_dict(),
        "k_range": [0.6, 0.95],
        "calibration": {"slope": 1.0, "intercept": -2.0},
        "threshold": 0.5,
    }
    save_model(user_path("small"), small_network, header)
    for layer in stack_layers(waves):
        add_layer(model, layer)
    widget = open_dock(FineTuneDock, model)
    widget.model.setCurrentIndex(widget.model.findData("small"))
    widget.band.choose("au111")
    widget.options.set("epochs", 1)
    widget.options.set("device", "cpu")
    widget.further_settings = {"steps_per_epoch": 4, "batch": 4, "voltages": 4, "check_every": 2}
    return widget


def _wait(dock, qtbot):
    qtbot.waitUntil(lambda: not dock.job.busy and not dock.after_job.busy, timeout=120000)
    qtbot.wait(50)
    qtbot.waitUntil(lambda: not dock.after_job.busy, timeout=120000)


def test_a_click_draws_curves_and_shows_before_and_after(dock, qtbot) -> None:
    dock.bar.start.click()
    _wait(dock, qtbot)
    assert dock.message.level != "error", dock.message.text()
    x, y = dock.plots[0]._items["training"].getData()
    assert x[-1] == 4 and np.isfinite(y).all()
    assert [row[0] for row in dock.outcome.texts][:1] == ["entropy (nat)"]
    layer = dock.stack.layer()
    assert results.find(dock.viewer, layer, "impurities") is not None
    assert results.find(dock.viewer, layer, "before") is not None
    assert dock.outcome.keep.isEnabled() and dock.outcome.revert.isEnabled()


def test_keep_makes_a_model_of_its_own_and_the_detect_dock_lists_it(dock, qtbot, open_dock) -> None:
    from friedel.models.registry import find_model, read_header
    from napari_friedel.docks.detect import DetectDock

    detect = open_dock(DetectDock, dock.viewer)
    dock.bar.start.click()
    _wait(dock, qtbot)
    dock.keep_as("my sample")
    assert detect.model.currentData() == "my sample"
    header = read_header(find_model("my sample"))
    assert header["parent_name"] == "small" and header["fine_tune"]["alpha"] == 0.03
    dock.safely(lambda: dock.keep_as("my sample"))()
    assert "exists already" in dock.message.text()
    assert tuning.unfinished() is None


def test_revert_brings_the_former_points_back(dock, qtbot) -> None:
    dock.bar.start.click()
    _wait(dock, qtbot)
    layer = dock.stack.layer()
    assert info_of(results.find(dock.viewer, layer, "impurities")).label == "small fine-tuned"
    dock.outcome.revert.click()
    assert info_of(results.find(dock.viewer, layer, "impurities")).label == "small"
    assert results.find(dock.viewer, layer, "before") is None and not dock.outcome.keep.isEnabled()


def test_cancel_keeps_the_best_state_and_resume_goes_on(dock, qtbot) -> None:
    dock.further_settings["steps_per_epoch"] = 400
    dock.bar.start.click()
    qtbot.waitUntil(lambda: len(dock._points.get("L0", ([],))[0]) >= 3, timeout=120000)
    dock.job.cancel()
    _wait(dock, qtbot)
    qtbot.waitUntil(lambda: dock.session.result is not None, timeout=60000)
    _wait(dock, qtbot)
    stopped = dock.session.tuner.step
    assert 2 <= stopped < 400 and not dock.resume.isHidden() and "Resume" in dock.message.text()
    dock.resume.click()
    qtbot.waitUntil(lambda: dock.session.tuner.step > stopped, timeout=120000)
    dock.job.cancel()
    _wait(dock, qtbot)
    steps = dock._points["L0"][0]
    assert steps == sorted(steps), "the curve goes on where it stopped"


def test_a_crash_is_offered_at_the_next_start(dock, qtbot, open_dock, small_network) -> None:
    from napari_friedel.docks.fine_tune import FineTuneDock

    dock.further_settings["steps_per_epoch"] = 3
    dock.bar.start.click()
    _wait(dock, qtbot)
    assert tuning.autosave_path().exists()
    other = open_dock(FineTuneDock, dock.viewer)
    assert not other.resume.isHidden() and "waves.3ds" in other.message.text()
    other.resume.click()
    _wait(other, qtbot)
    assert other.message.level != "error", other.message.text()
    assert other.session.tuner.step == 3


def test_without_a_band_it_says_what_is_missing(dock) -> None:
    dock.band.choose("fit")
    dock.bar.start.click()
    assert dock.message.level == "error" and "surface band" in dock.message.text() and not dock.job.busy


def test_corrected_points_can_supervise(dock, waves, qtbot) -> None:
    from made_up import build_detections

    assert not dock.use_points.isEnabled()
    points = showing.show(dock.viewer, dock.stack.layer(), build_detections(waves))
    points.add([[15.0, 14.0]])
    assert dock.use_points.isEnabled() and "(1)" in dock.use_points.text()
    dock.use_points.setChecked(True)
    assert dock._settings()["added"] == ((15.0, 14.0),)
    dock.bar.start.click()
    _wait(dock, qtbot)
    assert dock.message.level != "error", dock.message.text()
    assert dock.session.tuner.corrections is not None


def test_the_preview_shows_s_on_the_map(dock, qtbot) -> None:
    dock.preview.setChecked(True)
    seen = []

    def inserted(event) -> None:
        if kind_of(event.value) == "preview":
            seen.append(event.value.data)

    dock.viewer.layers.events.inserted.connect(inserted)
    dock.bar.start.click()
    _wait(dock, qtbot)
    assert seen and seen[0].shape == (32, 32) and np.isfinite(seen[0]).any()
    assert results.find(dock.viewer, dock.stack.layer(), "preview") is None, "it goes with the training"
    assert "Finished" in dock.message.text()
