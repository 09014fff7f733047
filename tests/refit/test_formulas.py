"""The formulas of the methods page, each with a case worked out by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import ncx2

from friedel.benchmark.synthetic import make_synthetic
from friedel.refit import robust
from friedel.refit.bias_binning import average_into
from friedel.refit.common_scale import COMMON_SCALE, free_common_scale
from friedel.refit.completeness import detectable_amplitude
from friedel.refit.error_model import AmplitudeErrors
from friedel.refit.information import inside_shares, own_shares
from friedel.refit.joint_fit.data import FitData
from friedel.refit.joint_fit.evaluation import correct_binning, wave_model
from friedel.refit.joint_fit.state import Curvature
from friedel.refit.joint_fit.step import begin
from friedel.refit.model_selection import SELECTION, posterior_probability, required_delta_chi2
from friedel.refit.normal_equations import NormalEquations
from friedel.refit.source_search import log_odds_alone
from friedel.scoring.intervals import poisson

from .exact import EXACT


def _curvature(matrix, by_scale=None):
    """One scatterer: row, column, Re s, Im s."""
    size = len(matrix)
    by_scale = np.zeros((size, 1)) if by_scale is None else by_scale
    return Curvature(NormalEquations(np.asarray(matrix, float), np.zeros(size), by_scale), 1, 1)


def test_delta_chi2_of_independent_parts_is_the_sum_of_their_squares_over_variances():
    """Wald: s = 0.3 + 0.4i with variances 1/100 and 1/25 gives 9 + 4."""
    curvature = _curvature(np.diag([1.0, 1.0, 100.0, 25.0]))
    assert curvature.delta_chi2(np.array([[0.3 + 0.4j]])) == pytest.approx([13.0])


def test_delta_chi2_is_at_fixed_scales():
    """A scale that takes 19 of 20 of the information on Re s: N = 20 − 19, and fixed it is 20 again."""
    by_scale = np.array([[0.0], [0.0], [np.sqrt(19.0)], [0.0]])
    curvature = _curvature(np.diag([1.0, 1.0, 1.0, 1.0]), by_scale)
    assert curvature.delta_chi2(np.array([[1.0 + 0j]])) == pytest.approx([20.0])


def test_sigma_of_a_position_is_the_root_of_the_mean_of_its_variances():
    assert _curvature(np.diag([4.0, 16.0, 1, 1])).sigma() == pytest.approx([np.sqrt((1 / 4 + 1 / 16) / 2)])


def test_own_share_of_a_shared_position():
    """N = [[2, 1], [1, 2]] has (N⁻¹)_ii = 2/3: 1/(2 · 2/3) = 3/4."""
    matrix = np.eye(4)
    matrix[:2, :2] = [[2, 1], [1, 2]]
    assert own_shares(_curvature(matrix)) == pytest.approx([0.75])


def test_inside_share_is_a_half_on_an_edge_and_a_quarter_on_a_corner():
    """By symmetry, for a scatterer midway between the pixels of either side; of the middle of a large field all."""
    damped = np.array([0.7, 0.75, 0.8]) + 0.1j
    data = FitData.from_maps(average_into(np.zeros((3, 80, 80)), damped, 3), np.ones((80, 80), bool))
    places = np.array([[-0.5, 39.5], [-0.5, -0.5], [39.5, 39.5]])
    assert inside_shares(data, places) == pytest.approx([0.5, 0.25, 1.0])


def test_log_odds_of_one_number():
    """Of mean 0 and variance v: g²/(m + 1/v) − log(1 + m v)."""
    prior = SimpleNamespace(typical=np.zeros((1, 1)), typical_spread=np.full((1, 1), 0.5))
    found = log_odds_alone(np.array([[30.0]]), np.array([[[96.0]]]), prior)
    assert found == pytest.approx([900 / 100 - np.log(1 + 96 / 4)])


def test_detectable_amplitude_is_the_root_of_noncentrality_over_information():
    """Information 400 and 900 on the two parts: the first counts. Pr(χ'²(λ) > 20) = 0.9 in two dimensions.

    Of 100 times the information it would be 0.03; what is weaker than 0.15 is pruned.
    """
    (found,) = detectable_amplitude(np.diag([400.0, 900.0])[None], 20.0)
    assert ncx2.sf(20.0, 2, 400 * found**2) == pytest.approx(0.9)
    assert detectable_amplitude(np.diag([4e4, 9e4])[None], 20.0) == pytest.approx([0.15])


def test_least_delta_chi2_solves_the_logistic_regression_at_a_network_of_one_half():
    """a + c x + d (x − x_typical) = 0 with x = log₁₀ Δχ²."""
    a, _, c, d = SELECTION.weights("quick")
    assert np.log10(required_delta_chi2(1000.0, "quick")) == pytest.approx((3 * d - a) / (c + d))


def test_posterior_probability_is_the_logistic_regression():
    """Of p = ½ the logit is 0; without confident points the typical Δχ² is 1000."""
    a, _, c, d = SELECTION.weights("full")
    expected = expit(a + 2 * c + np.log10(100 / 1000) * d)
    assert posterior_probability(np.array([0.49999999]), np.array([100.0])) == pytest.approx(expected)


def test_pixel_weights_are_students():
    """χ² of 2 maps of 4, 4 and 16 over a median of 4: (8 + 2)/(8 + 2·4) for the last."""
    assert robust.weights(np.array([4.0, 4.0, 16.0]), 2) == pytest.approx([1, 1, 10 / 16])
    assert robust.misfit(np.array([[3.0], [4.0]]), np.array([0.6, 0.8]), 0.5) == pytest.approx([25 - 12.5])


def test_common_errors_of_the_amplitudes_lie_along_them():
    """Scale 2 of σ = 0.01 and 5 % of s = 0.6: the real part has 4·10⁻⁴ + 9·10⁻⁴, the imaginary one the first."""
    errors = AmplitudeErrors(scale=2.0, common=0.05)
    found = errors.covariance(np.array([[0.6 + 0j]]), 1e-4 * np.eye(2)[None])
    assert found[0] == pytest.approx(np.diag([13e-4, 4e-4]))


def test_no_event_has_a_poisson_interval_that_is_not_zero():
    """At 95 % the upper limit of no event is −log 0.025."""
    low, high = poisson(0)
    assert low == 0 and high == pytest.approx(-np.log(0.025))


def test_a_mean_over_voltages_is_corrected_for():
    """Four bins of eleven voltages: the corrected model is nearer to the mean of the eleven maps."""
    simulated = make_synthetic(EXACT, 3)
    k, points = simulated.k, simulated.scatterers.position
    maps = np.zeros((len(k), *EXACT.shape), np.float32)
    binned = average_into(maps, k, 4)
    data = FitData.from_maps(binned, np.ones(EXACT.shape, bool))
    state = begin(data, points, np.full(len(points), 0.3))
    fine = FitData.from_maps(average_into(maps, k, len(k)), np.ones(EXACT.shape, bool))
    every = begin(fine, points, np.full(len(points), 0.3))
    s = np.stack([np.full(len(points), -0.7 + 0.3j), np.full(len(points), 0.05 + 0.1j)], axis=1)
    state.update(coefficients=s)
    # The energies of the bins do not reach as far as those of the voltages.
    half = np.ptp(fine.k.real) / np.ptp(data.k.real)
    shift = (fine.k.real.mean() - data.k.real.mean()) / (np.ptp(data.k.real) / 2)
    every.update(coefficients=np.stack([s[:, 0] + shift * s[:, 1], half * s[:, 1]], axis=1))
    exact = np.stack([part.mean(axis=0) for part in np.array_split(wave_model(fine, every).density(), 4)])
    plain = wave_model(data, state).density()
    correct_binning(data, state)
    corrected = plain + state.binning_correction[:, state.used]
    far = [np.sqrt(np.mean((one - exact) ** 2)) for one in (plain, corrected)]
    assert far[1] < far[0] / 3


def test_the_prior_does_not_pull_the_common_scale():
    """Two scatterers whose data (N − P) know s = 1 and the sum only weakly: the prior at 0 pulls, freed it does not."""
    truth, tight = np.array([1.0, 1.0]), np.array([4.0, 4.0])
    data = np.array([[60.0, -40.0], [-40.0, 60.0]])  # of the sum 20, of the difference 100
    covariance = np.linalg.inv(data + np.diag(tight))
    pulled = covariance @ data @ truth
    assert pulled == pytest.approx([20 / 24] * 2)
    # The prior of the scale itself is stronger than that of only two scatterers, and stays.
    assert not free_common_scale(covariance, pulled, tight, pulled).change.any()
    weak = replace(COMMON_SCALE, sigma=1e3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("friedel.refit.common_scale.COMMON_SCALE", weak)
        freed = free_common_scale(covariance, pulled, tight, pulled)
    assert pulled + freed.change == pytest.approx(truth, abs=1e-4)
    direction = np.array([1, 1]) / np.sqrt(2)
    assert direction @ freed.covariance @ direction == pytest.approx(1 / 20, rel=1e-4)
