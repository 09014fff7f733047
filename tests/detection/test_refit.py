"""The joint multiple-scattering fit: as good as the bound where the model is exact, and bounded where it is not."""

from dataclasses import replace

import numpy as np
import pytest

from friedel.detection import refit
from friedel.detection.refit import iter_refit, pool
from friedel.evaluation.bound import isolated, position_bound
from friedel.evaluation.twin import Setting, Twin, make_twin
from friedel.evaluation.waves import complex_wavevector
from friedel.physics.dispersion import Dispersion
from friedel.progress import drain
from friedel.stack import didv, normalise

#: No disturbance: what is left is the model, exactly, and white noise.
EXACT = Setting(
    shape=(36, 36),
    bias_mv=tuple(float(v) for v in range(-230, 21, 25)),
    impurities=8,
    noise=0.3,
    jitter_pm=0.0,
    rows=0.0,
    herringbone=False,
    cores="replaced",
    margin_nm=1.5,
)


def _refit(twin: Twin, points: np.ndarray, **options):
    maps = normalise(didv(twin.stack).to_numpy())
    mask = np.ones(maps.shape[1:], bool)
    return drain(iter_refit(maps, twin.k, mask, points, np.full(len(points), 0.12), **options))


def _errors(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.sqrt((np.hypot(*(found - truth).T) ** 2).mean())


@pytest.fixture(scope="module")
def exact():
    twin = make_twin(EXACT, 3)
    truth, optional = twin.truth()
    start = truth + np.random.default_rng(1).normal(0, 0.12, truth.shape)
    return twin, truth, ~optional & isolated(twin), start, _refit(twin, start)


def test_reaches_the_bound_where_the_model_is_exact(exact):
    twin, truth, counts, start, found = exact
    bound = np.sqrt((position_bound(twin)[counts] ** 2).mean())
    assert _errors(start[counts], truth[counts]) > 5 * bound
    assert _errors(found.positions[counts], truth[counts]) < 1.5 * bound
    assert not found.kept.any()


def test_sigma_covers_the_errors(exact):
    _, truth, counts, _, found = exact
    z = (found.positions - truth)[counts] / found.sigma[counts, None]
    assert 0.3 < np.sqrt((z**2).mean()) < 1.6


@pytest.mark.slow
def test_finds_the_herringbone_and_the_positions_that_it_shifts():
    setting = replace(EXACT, herringbone=True, shape=(52, 52), impurities=16)
    twin = make_twin(setting, 5)
    truth, optional = twin.truth()
    counts = ~optional & isolated(twin)
    start = truth + np.random.default_rng(2).normal(0, 0.1, truth.shape)
    found = _refit(twin, start, pixel_nm=setting.pixel_nm)
    (tile,) = found.about["tiles"]
    assert 0.036 < tile["herringbone"] < 0.056  # 38 meV out of 2 × 415 meV
    unaware = _refit(twin, start)
    assert unaware.about["tiles"][0]["herringbone"] == 0
    error = _errors(found.positions[counts], truth[counts])
    assert error < 0.6 * _errors(unaware.positions[counts], truth[counts])
    assert error < 0.5 * _errors(start[counts], truth[counts])


def test_noise_moves_no_point_far():
    rng = np.random.default_rng(0)
    maps = normalise(rng.normal(size=(6, 24, 24)))
    points = rng.uniform(2, 22, (8, 2))
    sigma = np.full(8, 0.1)
    work = iter_refit(maps, np.linspace(0.66, 0.9, 6) + 0.01j, np.ones((24, 24), bool), points, sigma)
    found = drain(work)
    moved = np.hypot(*(found.positions - points).T)
    assert (moved <= refit.FARTHEST).all() and np.median(moved) < refit.LEAST_SPREAD
    assert (moved[found.kept] == 0).all() and (found.sigma[found.kept] == 0.1).all()


def test_wrong_positions_are_given_back(monkeypatch):
    twin = make_twin(EXACT, 3)
    truth, _ = twin.truth()
    start = truth.copy()
    start[0] += [0.9, -0.9]  # the fit would move it back, by more than it may
    far = _refit(twin, start)
    assert not far.kept[0] and np.hypot(*(far.positions[0] - truth[0])) < 0.1
    monkeypatch.setattr(refit, "FARTHEST", 0.5)
    found = _refit(twin, start)
    assert (np.hypot(*(found.positions - start).T) <= 0.5).all()
    assert found.kept[0] and (found.positions[0] == start[0]).all()


def test_two_points_on_one_impurity_do_not_stay_together():
    twin = make_twin(EXACT, 3)
    truth, _ = twin.truth()
    start = np.vstack([truth, truth[2] + [0.8, 0.0]])
    found = _refit(twin, start)
    assert np.hypot(*(found.positions[2] - found.positions[-1])) >= refit.CLOSEST


def test_tiles_give_every_point_once(monkeypatch):
    monkeypatch.setattr(refit, "TILE", 26)
    monkeypatch.setattr(refit, "OVERLAP", 12)
    monkeypatch.setattr(refit, "ITERATIONS", 4)
    twin = make_twin(EXACT, 3)
    truth, optional = twin.truth()
    start = truth + np.random.default_rng(1).normal(0, 0.12, truth.shape)
    found = _refit(twin, start)
    assert len(found.about["tiles"]) > 1
    assert _errors(found.positions[~optional], truth[~optional]) < 0.6 * _errors(start, truth)


def test_nothing_to_refit():
    maps = np.zeros((3, 16, 16), np.float32)
    found = drain(iter_refit(maps, np.array([0.7, 0.8, 0.9]), np.ones((16, 16), bool), np.zeros((0, 2))))
    assert found.positions.shape == (0, 2) and found.about["kept"] == 0


def test_pool_keeps_the_order_of_k():
    k = np.array([0.9, 0.7, 0.8, 0.6])
    maps = k[:, None, None] * np.ones((4, 2, 2))
    pooled, groups = pool(maps, k, 2)
    assert groups == pytest.approx([0.65, 0.85])
    assert pooled[:, 0, 0] == pytest.approx([0.65, 0.85])


def test_damping_is_that_of_the_complex_band():
    energy = np.array([290.0, 540.0])
    k = complex_wavevector(energy, 0.26, 20.0) * 0.469
    band = Dispersion(-520.0, 0.26, 20.0)
    assert band.complex_k(energy - 520.0) * 0.469 == pytest.approx(k, rel=2e-3)


@pytest.fixture(scope="module")
def detected():
    from friedel.detection.detector import detect

    twin = make_twin(EXACT, 3)
    options = {"dispersion": twin.dispersion, "method": "matched-field"}
    return twin, detect(twin.stack, **options), detect(twin.stack, refit=True, **options)


def test_detect_moves_the_impurities_and_leaves_the_other_candidates(detected):
    _, plain, fitted = detected
    strong = plain.table["probability"] >= plain.threshold
    assert 0 < strong.sum() < len(plain.table)
    before, after = (one.table[["row", "column"]].to_numpy() for one in (plain, fitted))
    assert (before[~strong] == after[~strong]).all()
    moved = np.hypot(*(after - before)[strong].T)
    assert (moved > 0).any() and (moved <= refit.FARTHEST).all()
    assert np.isfinite(fitted.impurities["sigma_nm"]).any()
    assert fitted.table["x_nm"].to_numpy() == pytest.approx(after[:, 1] * EXACT.pixel_nm)


def test_detect_records_the_refit(detected):
    import json

    _, plain, fitted = detected
    assert "refit" not in plain.provenance
    about = json.loads(json.dumps(fitted.provenance))["refit"]
    assert about["voltage_groups"] == 11 and about["kept"] <= len(fitted)


def test_a_wrong_band_is_noticed_and_made_good(detected):
    from friedel.detection.detector import detect
    from friedel.errors import FriedelWarning

    twin, _, right = detected
    wrong = replace(twin.dispersion, mass=1.06 * twin.dispersion.mass)
    with pytest.warns(FriedelWarning, match=r"\d % longer than the surface band says"):
        found = detect(twin.stack, dispersion=wrong, method="matched-field", refit=True)
    (tile,) = found.provenance["refit"]["tiles"]
    assert tile["k_change"] == pytest.approx(-0.03, abs=0.006)
    assert abs(right.provenance["refit"]["tiles"][0]["k_change"]) < 0.006


@pytest.mark.filterwarnings("ignore:No surface band was given")
def test_without_a_band_nothing_is_refitted():
    from friedel.detection.detector import detect
    from friedel.errors import FriedelWarning

    twin = make_twin(replace(EXACT, impurities=0, margin_nm=0.0, shape=(24, 24)), 0)
    with pytest.warns(FriedelWarning, match="not refitted"):
        found = detect(twin.stack, method="matched-field", refit=True)
    assert found.provenance["refit"] is None
