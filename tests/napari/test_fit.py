"""What was fitted, in the window: δ(E) of a point, waves that follow the slider, completeness, points by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.refit.exact import EXACT

import friedel
from friedel.benchmark.synthetic import make_synthetic
from friedel.given_points import refit_with
from friedel.report.fit_figure import chosen, fit_figure
from napari_friedel.layers import add_layer, results, showing, stack_layers
from napari_friedel.layers.info import ImpuritiesInfo, known

pytestmark = pytest.mark.gui


@pytest.fixture(scope="module")
def simulated():
    return make_synthetic(EXACT, 3)


@pytest.fixture(scope="module")
def found(simulated):
    return friedel.refit_points(simulated.stack, simulated.truth()[0], dispersion=simulated.dispersion)


@pytest.fixture
def shown(model, simulated, found):
    """The stack with the fitted points."""
    for layer in stack_layers(simulated.stack):
        add_layer(model, layer)
    stack = next(x for x in model.layers if x.ndim == 3)
    return stack, showing.show(model, stack, found, maps=False)


def test_the_inspect_dock_draws_the_phase_shift_of_the_selected_point(model, shown, found, open_dock) -> None:
    from napari_friedel.docks.inspect import InspectDock

    dock = open_dock(InspectDock, model)
    dock.show()
    _, points = shown
    points.selected_data = {0}
    dock.tabs.setCurrentIndex(4)
    dock.redraw()
    bias, shift = dock.phase._items["δ"].getData()
    assert list(bias) == sorted(EXACT.bias_mv)
    at = found.provenance["refit"]["phase_shift_bias_mv"]
    assert np.interp(at, bias, shift) == pytest.approx(points.features["phase_shift_rad"][0], abs=0.01)
    low, high = (dock.phase._items[f"±1σ: {side}"].getData()[1] for side in ("low", "high"))
    assert ((low < shift) & (shift < high)).all()
    text = dock.where.text()
    assert "|s| =" in text and "±" in text and "The point was added by hand." in text
    points.selected_data = set()
    dock.redraw()
    assert not len(
        dock.phase._items["δ"].getData()[0] if dock.phase._items["δ"].getData()[0] is not None else []
    )


def test_flags_are_words_in_the_features_and_bits_in_tables(shown) -> None:
    _, points = shown
    assert points.features[results.FLAG_WORDS].str.contains("by_hand").all()
    table = results.table_of(points)
    assert results.FLAG_WORDS not in table and table["flags"].dtype.kind in "iu"


def test_the_fitted_waves_follow_the_slider(model, shown, found, open_dock, qtbot) -> None:
    from napari_friedel.docks.detect import DetectDock

    dock = open_dock(DetectDock, model)
    dock.show()
    stack, _ = shown
    dock.stack.choose(stack)
    assert "%" in dock.fit.explained.text() and dock.fit.waves.isEnabled()
    model.dims.set_current_step(0, 0)
    dock.fit.waves.click()
    layer = results.find(model, stack, "model")
    order = np.argsort(found.waves.bias_mv)
    assert layer.data == pytest.approx(found.model(order[0]), rel=1e-4)
    model.dims.set_current_step(0, 3)
    qtbot.waitUntil(lambda: np.allclose(layer.data, found.model(order[3]), rtol=1e-4), timeout=5000)
    assert f"{sorted(EXACT.bias_mv)[3]:+.4g} mV" in layer.name
    rest = results.find(model, stack, "residual")
    assert layer.data + rest.data == pytest.approx(found.waves.recorded[order[3]], rel=1e-4)
    dock.fit.waves.click()
    assert not layer.visible and not rest.visible


def test_what_could_be_missed_is_two_maps(model, shown, open_dock, qtbot) -> None:
    from napari_friedel.docks.detect import DetectDock

    dock = open_dock(DetectDock, model)
    stack, _ = shown
    dock.stack.choose(stack)
    with qtbot.waitSignal(dock.fit.job.returned, timeout=30000):
        dock.fit.missed.click()
    least, odds = (results.find(model, stack, kind) for kind in ("missed", "one_more"))
    assert least.visible and not odds.visible
    assert least.data.shape == EXACT.shape and 0 < np.nanmin(least.data) <= np.nanmax(least.data) <= 1


def test_points_of_any_layer_are_fitted(model, simulated, open_dock, qtbot) -> None:
    from napari_friedel.docks.detect import DetectDock

    for layer in stack_layers(simulated.stack):
        add_layer(model, layer)
    stack = next(x for x in model.layers if x.ndim == 3)
    truth, optional = simulated.truth()
    truth = truth[~optional]
    frame = {name: getattr(stack, name)[1:] for name in ("scale", "translate")}
    mine = model.add_points(truth, name="mine", **frame)
    dock = open_dock(DetectDock, model)
    dock.stack.choose(stack)
    dock.band.choose("au111")
    dock.fit.points.choose(mine)
    dock.fit.hold.setChecked(True)
    with qtbot.waitSignal(dock.fit.job.returned, timeout=30000):
        dock.fit.fit.click()
    made = results.find(model, stack, "impurities")
    assert known(made, ImpuritiesInfo).found.provenance["refit"]["hold"]
    assert len(made.data) == len(truth) and np.isfinite(made.features["phase_shift_rad"]).all()
    assert np.sort(made.data, axis=0) == pytest.approx(np.sort(truth, axis=0), abs=0.01)


def test_points_made_by_hand_are_fitted_at_the_next_run(model, shown, simulated, found) -> None:
    """One impurity is missing, the user adds it a little off: the run fits it with the others."""
    stack, points = shown
    missing = found.table.iloc[2]
    place = missing[["row", "column"]].to_numpy(float)
    lacking = replace(found, table=found.table.drop(index=2).reset_index(drop=True))
    points = showing.show(model, stack, lacking, maps=False)
    points.add(place + 0.4)
    assert results.made_by_hand(points) == pytest.approx(place[None] + 0.4)
    again = refit_with(lacking, results.made_by_hand(points))
    assert list(again.table["origin"]) == ["found"] * len(lacking.table) + ["added"]
    points = showing.show(model, stack, again, maps=False)
    made = points.features["origin"] == "added"
    assert made.sum() == 1 and np.isfinite(points.features.loc[made, "sigma_phase_shift_rad"]).all()
    assert np.hypot(*(points.data[made.to_numpy()][0] - place)) < 0.3
    assert results.counted(points)[made.to_numpy()].all()


def test_the_report_s_figure_shows_three_voltages(found) -> None:
    assert chosen(found) == [1, 5, 9]
    figure = fit_figure(found)
    data, model, rest = (figure.axes[i].images[0].get_array() for i in range(3))
    assert np.asarray(model) + np.asarray(rest) == pytest.approx(np.asarray(data), rel=1e-4)
    assert "% of the variance" in figure.axes[2].get_title()
