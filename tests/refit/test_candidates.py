"""When candidates are refitted, and when the fit revises positions and probabilities."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from friedel.benchmark.cramer_rao import isolated
from friedel.benchmark.settings import Setting
from friedel.benchmark.synthetic import make_synthetic
from friedel.candidates.result import Candidates
from friedel.errors import FriedelWarning, SettingsError
from friedel.pipeline import detect
from friedel.progress import drain
from friedel.refit import pruning
from friedel.refit.candidates import (
    CANDIDATES,
    RefitOptions,
    iter_refit_candidates,
    prior_sigma,
)
from friedel.refit.refit_input import RefitMaps
from friedel.refit.schedules import FULL, QUICK
from friedel.stack import didv, make_stack, normalise

SETTING = Setting(
    shape=(40, 40), bias_mv=tuple(float(v) for v in range(-230, 21, 25)), impurities=10, noise=0.5, margin_nm=1.5
)  # fmt: skip


@pytest.fixture(scope="module")
def simulated():
    return make_synthetic(SETTING, 4)


def test_by_default_a_network_is_followed_by_the_quick_refit(simulated):
    found = detect(simulated.stack, dispersion=simulated.dispersion)
    assert found.provenance["refit"]["kind"] == "quick" and found.provenance["refit"]["used"]
    same = detect(simulated.stack, dispersion=simulated.dispersion, refit="quick")
    assert same.table.equals(found.table)
    alone = detect(simulated.stack, dispersion=simulated.dispersion, refit="none")
    assert "refit" not in alone.provenance
    both = np.isin(found.table["s"], alone.table["s"])  # S is the network's; a point may cross the border
    assert both.sum() >= len(alone.table) - 2
    assert not np.isin(found.impurities["row"], alone.table["row"]).any()


@pytest.mark.parametrize("options", [{"model": "paper"}, {"method": "matched-field"}, {"method": "omp"}])
def test_methods_without_sigma_are_not_refitted(simulated, options):
    assert "refit" not in detect(simulated.stack, dispersion=simulated.dispersion, **options).provenance


@pytest.mark.filterwarnings("ignore::friedel.errors.FriedelWarning")
def test_without_a_band_or_with_few_waves_nothing_is_refitted(simulated):
    rng = np.random.default_rng(0)
    noise = make_stack(
        {"LockinX": rng.normal(size=(5, 30, 30)).astype(np.float32)}, bias_mv=np.arange(5.0), pixel_nm=0.469
    )
    assert "refit" not in detect(noise).provenance
    small = make_synthetic(replace(SETTING, shape=(14, 14), impurities=3), 2)
    assert "refit" not in detect(small.stack, dispersion=small.dispersion).provenance


def test_a_fit_that_explains_few_impurities_revises_nothing(simulated, monkeypatch):
    strict = replace(pruning.DECISIONS, max_move_px=0.0)  # no point is accepted that has moved
    monkeypatch.setattr(pruning, "DECISIONS", strict)
    with pytest.warns(FriedelWarning, match="explains only 0 of"):
        found = detect(simulated.stack, dispersion=simulated.dispersion)
    alone = detect(simulated.stack, dispersion=simulated.dispersion, refit="none")
    assert found.table.equals(alone.table) and not found.provenance["refit"]["used"]


def test_an_empty_field_gives_no_warning_of_the_refit(simulated):
    """That it shows no ring is told by a check; the refit has nothing to complain of."""
    empty = make_synthetic(replace(SETTING, impurities=0), 1)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", FriedelWarning)
        found = detect(empty.stack, dispersion=empty.dispersion)
    assert len(found) == 0
    assert not [str(one.message) for one in told if "refit" in str(one.message)]
    assert "ring" in {check.name for check in found.failed}


def _refit(table, simulated, kind):
    """Table after the fit, and its summary; the network gives S = −4 and 0.002 at every other pixel."""
    maps = normalise(didv(simulated.stack).to_numpy())
    s, low = np.full(maps.shape[1:], -4.0), np.full(maps.shape[1:], 0.002)
    work = iter_refit_candidates(
        Candidates(table, s, low, threshold=0.5, calibrated=True),
        RefitMaps(maps, simulated.k, np.ones(low.shape, bool), SETTING.pixel_nm),
        RefitOptions(kind, select=True),
    )
    result = drain(work)
    return result.table, result.summary()


def test_an_undetected_impurity_is_added_by_the_fit(simulated):
    """One impurity is taken from the table: the fit adds it, with the network's S and probability."""
    truth, optional = simulated.truth()
    one = int(np.flatnonzero(~optional & isolated(simulated))[0])
    rest = np.delete(truth, one, axis=0)
    columns = {"row": rest[:, 0], "column": rest[:, 1], "s": 5.0, "probability": 0.99, "sigma_px": 0.1}
    table, about = _refit(pd.DataFrame(columns), simulated, "full")
    place = table[["row", "column"]].to_numpy()
    found = np.hypot(*(place - truth[one]).T).argmin()
    assert np.hypot(*(place[found] - truth[one])) < 0.3
    assert table["s"][found] == -4.0 and table["probability"][found] > 0.01
    assert about["new"] >= 1 and len(table) == len(rest) + about["new"]


def test_an_unknown_refit_is_refused(simulated):
    with pytest.raises(SettingsError, match="refit must be 'none', 'quick' or 'full', not 'often'"):
        detect(simulated.stack, refit="often")


@pytest.mark.parametrize("seed", [8, 10])
def test_an_impurity_outside_the_field_moves_back_out(seed):
    """A network puts on the border what lies beyond; the fit moves it out. (With its own σ 0.9 px off or more.)"""
    simulated = make_synthetic(replace(SETTING, noise=0.8), seed)
    everything = simulated.scatterers.position
    size = np.array(SETTING.shape)
    beyond = -np.minimum(everything + 0.5, size - 0.5 - everything).min(axis=1)
    apart = np.hypot(*(everything[:, None] - everything).transpose(2, 0, 1)) + 99 * np.eye(len(everything))
    one = int(np.flatnonzero((beyond > 1) & (beyond < 1.5) & (apart.min(axis=1) > 3))[0])
    reported = np.vstack([everything[beyond < 0], np.clip(everything[one], -0.4, size - 0.6)])
    chance = np.r_[np.full(len(reported) - 1, 0.99), 0.7]
    table = pd.DataFrame(
        {
            "row": reported[:, 0],
            "column": reported[:, 1],
            "s": chance,
            "probability": chance,
            "sigma_px": 0.15,
        }
    )
    fitted, _ = _refit(table, simulated, "quick")
    place = fitted[fitted["s"] == 0.7][["row", "column"]].to_numpy()[0]
    assert np.hypot(*(place - everything[one])) < 0.5


def test_only_a_doubtful_point_on_the_border_is_given_room():
    table = pd.DataFrame(
        {
            "row": [20.0, 20.0, 0.2, 39.0, 0.2, 0.2],
            "column": [20.0, 1.0, 20.0, 39.0, 20.0, 20.0],
            "probability": [0.3, 0.3, 0.3, 0.94, 0.96, 0.3],
            "sigma_px": [0.1, 0.1, 0.1, 0.2, 0.1, np.nan],
        }
    )
    assert prior_sigma(table, (40, 40), QUICK) == pytest.approx(
        [0.1, 0.1, CANDIDATES.edge_sigma_px, CANDIDATES.edge_sigma_px, 0.1, CANDIDATES.edge_sigma_px]
    )
    assert len(prior_sigma(table[:0], (40, 40), QUICK)) == 0
    assert np.array_equal(prior_sigma(table, (40, 40), FULL), table["sigma_px"], equal_nan=True)
