"""Platt scaling, matching of peaks and the threshold against cases with a known answer."""

import numpy as np
import pytest
import torch

from friedel.training.calibrate_paper import best_threshold, calibrate, hits, peaks, platt


def test_platt_recovers_the_sigmoid_it_was_drawn_from():
    rng = np.random.default_rng(0)
    score = rng.normal(2, 3, 40_000)
    true = rng.random(40_000) < 1 / (1 + np.exp(-(0.8 * score - 1.5)))
    (slope,), intercept = platt(score, true)
    assert slope == pytest.approx(0.8, abs=0.03) and intercept == pytest.approx(-1.5, abs=0.06)


def test_platt_of_separable_scores_is_finite():
    (slope,), intercept = platt(np.array([0.0, 1.0, 5.0, 6.0]), np.array([False, False, True, True]))
    assert np.isfinite([slope, intercept]).all() and slope > 0


def test_hits_are_one_to_one_best_first():
    truth = np.array([[5.0, 5.0], [9.0, 9.0]])
    positions = np.array([[5, 6], [5, 5], [9, 9], [0, 0]])
    assert hits(positions, truth).tolist() == [True, False, True, False]
    assert hits(positions, np.zeros((0, 2))).tolist() == [False] * 4


def test_platt_of_two_features():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40_000, 2)) * [1.0, 5.0] + [0.0, 3.0]
    true = rng.random(40_000) < 1 / (1 + np.exp(-(1.5 * x[:, 0] - 0.4 * x[:, 1] + 1.0)))
    slopes, intercept = platt(x, true)
    np.testing.assert_allclose([*slopes, intercept], [1.5, -0.4, 1.0], atol=0.08)


def test_peaks_best_first():
    s = torch.zeros(6, 6)
    s[1, 1], s[4, 4], s[4, 3] = 2.0, 5.0, 1.0
    positions, values = peaks(s - torch.arange(36).reshape(6, 6) * 1e-4)
    assert positions[:2].tolist() == [[4, 4], [1, 1]] and values[0] > values[1]


def test_best_threshold_by_hand():
    probability = np.array([0.9, 0.8, 0.6, 0.2])
    true = np.array([True, False, True, False])
    # cuts after 1, 2, 3, 4 candidates with 3 impurities: 2/4, 2/5, 4/6, 4/7
    threshold, f1 = best_threshold(probability, true, 3)
    assert threshold == pytest.approx(0.4) and f1 == pytest.approx(4 / 6)


def noisy_field(height, seed):
    s = torch.randn(16, 16, generator=torch.Generator().manual_seed(seed))
    s[4, 4] += height
    return s


def test_fields_that_do_not_count_leave_the_threshold_alone():
    """Peaks in fields that do not count are all false, yet the threshold still finds those that count."""
    truth = np.array([[4.0, 4.0]])
    fields = [(noisy_field(9.0, seed), truth, True) for seed in range(8)]
    fields += [(noisy_field(4.0, 100 + seed), np.zeros((0, 2)), False) for seed in range(8)]
    result = calibrate(fields)
    assert result["validation"]["f1"] == 1.0 and result["validation"]["impurities"] == 8
    assert 0 < result["threshold"] < 1


def test_the_calibration_does_not_see_the_scale_of_s():
    truth = np.array([[4.0, 4.0]])
    fields = [(noisy_field(6.0, seed), truth, True) for seed in range(12)]
    scaled = [(100 * s, points, counts) for s, points, counts in fields]
    first, second = calibrate(fields)["calibration"], calibrate(scaled)["calibration"]
    for name in ("spread", "noise", "intercept"):
        assert first[name] == pytest.approx(second[name], rel=1e-3)
    assert second["typical_spread"] == pytest.approx(100 * first["typical_spread"], rel=1e-4)
