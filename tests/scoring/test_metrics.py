"""Metrics against cases counted by hand, simulation and scikit-learn's definition."""

import numpy as np
import pytest
from scipy.stats import binom

from friedel.scoring.chance import chance_matching, chance_recall, disc_in_field
from friedel.scoring.intervals import bootstrap, f1_interval, wilson
from friedel.scoring.metrics import best_cut, evaluate, precision_recall


def test_counts_of_a_small_field():
    truth = [[5, 5], [10, 10], [15, 15], [15.0, 15.6]]
    found = [[5.3, 5.4], [15, 15.3], [30, 30]]
    scores = evaluate(found, truth, 1.0, (40, 40))
    assert (scores.right, scores.false, scores.missed) == (2, 1, 2)
    assert scores.precision == pytest.approx(2 / 3)
    assert scores.recall == pytest.approx(0.5)
    assert scores.f1 == pytest.approx(4 / 7)
    assert scores.rmse == pytest.approx(np.sqrt((0.25 + 0.09) / 2))
    assert scores.paper_share == pytest.approx(
        0.75
    )  # one peak serves both close points: that is its weakness
    assert np.isnan(scores.average_precision)
    assert scores.as_dict()["average_precision"] is None


def test_a_peak_in_every_pixel_has_the_papers_share_one_and_no_precision():
    every = np.stack(np.meshgrid(np.arange(40), np.arange(40), indexing="ij"), -1).reshape(-1, 2)
    truth = np.random.default_rng(0).uniform(1, 38, (20, 2))
    scores = evaluate(every, truth, 1.0, (40, 40))
    assert scores.paper_share == scores.recall == 1.0
    assert scores.precision == pytest.approx(20 / 1600)
    assert scores.chance_recall > 0.95


def test_nothing_found_and_nothing_there():
    nothing = evaluate([], [], 1.0, (10, 10))
    assert np.isnan([nothing.f1, nothing.precision, nothing.recall]).all()
    assert evaluate([], [[1, 1]], 1.0, (10, 10)).f1 == 0
    assert evaluate([[1, 1]], [], 1.0, (10, 10)).precision == 0


def test_average_precision_follows_the_step_definition():
    truth = [[0, 0], [0, 10], [0, 20]]
    found = [[0, 0], [50, 50], [0, 10], [60, 60], [0, 20]]
    curve = precision_recall(found, [5, 4, 3, 2, 1], truth, 1.0)
    np.testing.assert_allclose(curve.precision, [1, 1 / 2, 2 / 3, 2 / 4, 3 / 5])
    assert curve.average_precision == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


def test_equal_scores_enter_together():
    curve = precision_recall([[0, 0], [9, 9]], [1.0, 1.0], [[0, 0]], 1.0)
    assert list(curve.threshold) == [1.0]
    assert curve.precision[0] == 0.5


def test_every_point_of_the_curve_is_what_evaluate_says_there():
    random = np.random.default_rng(5)
    truth, found = random.uniform(0, 20, (30, 2)), random.uniform(0, 20, (40, 2))
    scores, optional = random.normal(size=40), random.random(30) < 0.3
    curve = precision_recall(found, scores, truth, 2.0, optional=optional)
    for threshold, precision, recall, f1 in zip(
        curve.threshold, curve.precision, curve.recall, curve.f1, strict=True
    ):
        one = evaluate(found[scores >= threshold], truth, 2.0, optional=optional)
        np.testing.assert_allclose(
            [precision, recall, f1], [np.nan_to_num(one.precision), one.recall, one.f1]
        )


def test_the_best_cut_is_shared_by_all_fields():
    truth = [[0, 0]]
    one = precision_recall([[0, 0], [9, 9]], [0.9, 0.5], truth, 1.0)
    other = precision_recall([[0, 0], [9, 9]], [0.7, 0.6], truth, 1.0)
    threshold, f1 = best_cut([one, other])
    assert threshold == 0.7
    assert f1 == 1.0
    assert np.isnan(best_cut([])[1])


def test_the_chance_recall_is_what_simulation_finds():
    truth = np.array([[0.0, 0.0], [20.0, 20.0], [39.4, 12.0], [10.0, 10.3]])
    recall, share = chance_matching(truth, 100, 2.0, (40, 40), draws=2000, seed=1)
    closed = chance_recall(truth, 100, 2.0, (40, 40))
    assert closed == pytest.approx(share, abs=4 * np.sqrt(0.25 / 8000))
    assert recall <= closed + 0.01


def test_the_disc_is_cut_by_the_field():
    areas = disc_in_field([[20, 20], [-0.5, 10], [-0.5, -0.5], [30, 20]], 3.0, (40, 20 + 1))
    np.testing.assert_allclose(areas[1:3], np.pi * 9 / np.array([2, 4]), rtol=1e-3)
    chord = np.pi * 9 - (9 * np.arccos(0.5 / 3) - 0.5 * np.sqrt(9 - 0.25))  # half a pixel to the right border
    np.testing.assert_allclose(areas[[0, 3]], chord, rtol=1e-3)


def test_wilson_covers():
    share, trials = 0.9, 40
    inside = sum(
        binom.pmf(s, trials, share)
        for s in range(trials + 1)
        if wilson(s, trials)[0] <= share <= wilson(s, trials)[1]
    )
    assert 0.92 < inside < 0.99
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(10, 10)[1] == pytest.approx(1.0)


def test_the_bootstrap_covers_about_as_often_as_it_says():
    random = np.random.default_rng(2)
    hits = 0
    for trial in range(200):
        low, high = bootstrap(random.normal(size=20), draws=400, seed=trial)
        hits += low <= 0 <= high
    assert 0.86 < hits / 200 < 0.99
    assert np.isnan(bootstrap([1.0])[0])


def test_the_f1_interval_holds_the_figure():
    low, high = f1_interval(50, 5, 10)
    assert low < 100 / 115 < high
    assert f1_interval(50, 0, 0) == (1.0, 1.0)


def test_scores_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="finite scores"):
        precision_recall([[0, 0]], [1.0, 2.0], [[0, 0]], 1.0)
