import json
import warnings

import numpy as np
import pandas as pd
import pytest

import friedel
from friedel.assembly import physical
from friedel.benchmark.confounders import confounded
from friedel.detections import COLUMNS
from friedel.errors import FriedelWarning, ModelError, PhysicsError, SettingsError, StackError
from friedel.models.registry import Model, build_network
from friedel.pipeline import detect, iter_detect
from friedel.progress import Progress
from friedel.resample import plan
from friedel.scoring.metrics import evaluate
from friedel.stack import make_stack, pixel_pitch
from single_scattering import make_synthetic


@pytest.fixture(scope="module")
def untrained():
    header = {
        "architecture": "wave",
        "config": {"width": 4, "d_q": 2, "d_v": 4, "head": 8, "tile": 24, "overlap": 12},
        "k_range": [0.6, 1.0],
    }
    return Model(build_network("wave", header["config"]).eval(), header, "untrained")


@pytest.mark.parametrize("method", ["matched-field", "omp"])
def test_classical_methods_find_the_scatterers(simulated, hits, method):
    found = detect(simulated.stack, dispersion="au111", method=method)
    assert list(found.table.columns) == [*COLUMNS, "significance"]
    assert found.s.shape == found.probability.shape == (64, 64)
    assert found.table["probability"].is_monotonic_decreasing
    assert hits(found.positions, simulated.truth) >= 0.9 * len(simulated.truth)
    if method == "omp":
        assert len(found) <= len(simulated.truth) + 1
        assert (found.impurities["sigma_nm"] > 0).all()


def test_positions_in_nm_and_at_the_tip(simulated):
    table = detect(simulated.stack, dispersion="au111", method="matched-field").table
    pitch_y, pitch_x = pixel_pitch(simulated.stack)
    np.testing.assert_allclose(table["y_nm"], table["row"] * pitch_y)
    np.testing.assert_allclose(table["x_nm"], table["column"] * pitch_x)
    np.testing.assert_allclose(table["tip_x_nm"], table["x_nm"] - 31.5 * pitch_x)


def test_an_area_gives_the_indices_of_the_whole(simulated, hits):
    area = ((10, 60), (5, 64))
    found = detect(simulated.stack, dispersion="au111", method="omp", area=area)
    inside = ((simulated.truth >= (11, 6)) & (simulated.truth < (59, 63))).all(axis=1)
    assert found.s.shape == (50, 59)
    assert hits(found.positions, simulated.truth[inside]) >= 0.9 * inside.sum()


@pytest.mark.parametrize("pixel_nm", [0.2, (0.3, 0.42)])
def test_any_sampling(hits, pixel_nm):
    simulated = make_synthetic(
        impurities=8, shape=(84, 84), pixel_nm=pixel_nm, bias=np.arange(-200, 1, 40.0), seed=2
    )
    found = detect(simulated.stack, dispersion="au111", method="omp")
    assert hits(found.positions, simulated.truth, 0.3 / np.min(pixel_nm)) >= 7
    assert found.s.shape == (84, 84)
    assert found.provenance["pixel_nm"] > 0.29


def test_without_a_band_it_is_fitted_and_said(simulated, hits):
    with pytest.warns(FriedelWarning, match="ring in the FFT gives"):
        found = detect(simulated.stack, method="omp")
    assert found.provenance["dispersion"]["origin"] == "fitted to the FFT ring"
    assert hits(found.positions, simulated.truth) >= 0.9 * len(simulated.truth)


def test_without_a_ring_the_user_is_warned():
    rng = np.random.default_rng(3)
    stack = make_stack(
        {"LockinX": rng.standard_normal((6, 40, 40))}, bias_mv=np.arange(6) * 20.0, pixel_nm=0.4
    )
    with pytest.warns(FriedelWarning, match="no Friedel ring"):
        found = detect(stack, method="matched-field")
    assert len(found) == 0
    assert found.provenance["dispersion"]["origin"] == "assumed"


def test_the_network_runs_and_leaves_its_provenance(simulated, untrained):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FriedelWarning)  # the checks doubt an untrained network
        found = detect(simulated.stack, dispersion="au111", model=untrained, threshold=0.3)
    made = json.loads(json.dumps(found.provenance, allow_nan=False))
    assert made["model"] == "untrained" and made["architecture"] == "wave" and made["threshold"] == 0.3
    assert made["channel"] == "LockinX" and made["derived"] is False and made["rescale"] == [1.0, 1.0]
    assert found.s.shape == (64, 64) and np.isfinite(found.s).all()
    assert {"ring", "density"} <= {check["name"] for check in made["checks"]} and made["prepare"] is not None


def test_sigma_is_scaled_as_the_model_was_calibrated(simulated, untrained):
    scaled = Model(untrained.network, {**untrained.header, "sigma_scale": 0.5}, "scaled")
    plain, half = (
        detect(simulated.stack, dispersion="au111", model=one).table["sigma_nm"].to_numpy()
        for one in (untrained, scaled)
    )
    assert len(plain)
    np.testing.assert_allclose(half, 0.5 * plain, rtol=1e-6)


@pytest.mark.parametrize("tiles", ["blend", "paper"])
def test_it_yields_between_tiles_and_can_be_closed(simulated, untrained, tiles):
    work = iter_detect(simulated.stack, dispersion="au111", model=untrained, tiles=tiles)
    steps = [next(work) for _ in range(5)]
    assert all(isinstance(step, Progress) for step in steps)
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions) and fractions[-1] < 1
    work.close()


def test_gaps_and_a_derived_channel_are_remarked(simulated):
    current = np.cumsum(simulated.maps, axis=0) * 10.0
    current[:, 50:] = np.nan
    stack = make_stack({"Current": current}, bias_mv=simulated.bias, pixel_nm=0.469)
    with pytest.warns(FriedelWarning):
        found = detect(stack, dispersion="au111", method="matched-field")
    assert found.provenance["derived"] is True
    text = " ".join(found.provenance["warnings"])
    assert "derivative of 'Current'" in text and "22 % of the pixels" in text
    assert np.isnan(found.s[55]).all()


def test_a_tiny_field_is_remarked():
    simulated = make_synthetic(impurities=1, shape=(30, 30), pixel_nm=0.167, bias=np.array([-100.0, -50, 0]))
    with pytest.warns(FriedelWarning, match="half Friedel wavelengths"):
        detect(simulated.stack, dispersion="au111", method="matched-field")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"method": "magic"}, SettingsError, "method must be 'network'"),
        ({"threshold": 2}, SettingsError, "from 0 to 1"),
        ({"model": 3}, SettingsError, "model must be a name"),
        ({"area": ((0, 99), (0, 99))}, StackError, "does not lie inside"),
        ({"channel": "Phase"}, StackError, "no channel 'Phase'"),
        ({"dispersion": "fe3o4"}, PhysicsError, "Unknown material"),
        ({"model": "nobody"}, ModelError, "no model 'nobody'"),
    ],
)
def test_bad_input_is_a_sentence(simulated, change, error, words):
    with pytest.raises(error, match=words):
        detect(simulated.stack, **{"dispersion": "au111", **change})


def test_a_stack_without_pixels_is_refused():
    stack = make_stack({"LockinX": np.full((3, 20, 20), np.nan)}, bias_mv=[0, 10, 20], pixel_nm=0.4)
    with pytest.raises(StackError, match="no acquired pixel"):
        detect(stack, dispersion="au111", method="omp")


def test_what_lies_beyond_the_border_is_not_listed():
    stack = make_stack({"LockinX": np.zeros((1, 20, 20), np.float32)}, bias_mv=[0.0], pixel_nm=0.5)
    scaling = plan(np.array([1.6]), (0.5, 0.5), (20, 20), (0.7, 0.9))
    assert scaling.identity
    rows = [-0.7, -0.4, 10.0, 19.4, 19.6]
    table = pd.DataFrame({"row": rows, "column": 5.0, "s": 1.0, "probability": 0.9, "sigma_px": 0.1})
    assert physical(table, scaling, stack, ((0, 20), (0, 20)))["row"].tolist() == [-0.4, 10.0, 19.4]


def test_a_density_is_unknown_where_no_probability_is_listed(tmp_path):
    stack = friedel.simulate("au111", impurities=8, seed=3, shape=(40, 48), bias_mv=np.arange(-200.0, 1, 20))
    wrong = stack.assign_coords(x=stack["x"] * 2, y=stack["y"] * 2)  # half of the true wavelength in pixels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FriedelWarning)
        found = friedel.detect(wrong, dispersion="au111")
        right = friedel.detect(stack, dispersion="au111")
    assert found.withheld and len(found) == 0 and found.failed
    assert not right.withheld and len(right) > 0
    friedel.write_report(wrong, found, tmp_path / "a.html", name="wrong pitch")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "unknown: no probability is listed" in text and "nan %" not in text


def test_a_field_of_which_every_second_line_is_missing_is_searched():
    stack = friedel.simulate("au111", impurities=8, seed=3, shape=(40, 48), bias_mv=np.arange(-200.0, 1, 20))
    whole = friedel.detect(stack, dispersion="au111")
    stack["LockinX"][:, ::2] = np.nan
    with pytest.warns(FriedelWarning, match="missing|not acquired"):
        found = friedel.detect(stack, dispersion="au111")
    assert abs(len(found) - len(whole)) <= 1


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_constant_maps_are_said_to_show_nothing(value):
    stack = friedel.simulate(
        "au111", impurities=2, seed=3, shape=(24, 24), bias_mv=np.array([-100.0, -50.0, 0.0])
    )
    stack["LockinX"][:] = value
    with pytest.raises(StackError, match="one and the same value"):
        friedel.detect(stack, dispersion="au111")


def test_where_hardly_a_pixel_was_recorded_at_every_voltage_the_refit_has_no_say():
    """A fifth of the values of each map is saturated, elsewhere in each."""
    field = confounded("none", "moderate", 3)
    maps = field.stack["LockinX"]
    top = maps.mean(("y", "x")) + 0.7 * maps.std(("y", "x"))
    with pytest.warns(FriedelWarning, match="not refitted"):
        found = detect(field.stack.assign(LockinX=maps.clip(max=top)), dispersion=field.band)
    assert "dropped" not in [check.name for check in found.checks]
    assert evaluate(found.positions, field.positions, 1.0, optional=field.optional).f1 > 0.9
