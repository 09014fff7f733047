"""δ(E): elastic scatterers worked out by hand, the band by draws, the place of the point."""

import numpy as np
import pytest

import friedel
from friedel.benchmark.synthetic import make_synthetic
from friedel.errors import FriedelError
from friedel.refit.columns import phases
from friedel.refit.phase_curve import phase_curve, phase_shift

from .exact import EXACT


def test_a_constant_elastic_scatterer_has_one_phase_shift():
    """S = (e^{0.6i} − 1)/2 has δ = 0.3 at every energy; ∂δ/∂Im s = Re e^{−0.6i}."""
    s = (np.exp(0.6j) - 1) / 2
    covariance = np.diag([0.0, 0.01**2, 0, 0])
    shift, sigma = phase_shift(np.array([s, 0]), covariance, np.linspace(-1, 1, 5))
    assert shift == pytest.approx([0.3] * 5)
    assert sigma == pytest.approx([0.01 * np.cos(0.6)] * 5)


def test_an_uncertain_slope_widens_the_band_towards_the_ends():
    covariance = np.diag([0, 0, 0, 0.02**2])
    _, sigma = phase_shift(np.array([0.0, 0.0]), covariance, np.array([-1.0, 0.0, 0.5]))
    assert sigma == pytest.approx([0.02, 0.0, 0.01])


def test_a_resonance_is_unwrapped_and_has_the_table_s_value_in_the_middle():
    """Through δ = π/2 at e = 0.5 the curve goes on instead of jumping by π."""
    coefficients = np.array([-0.9 + 0.25j, -0.1 - 0.5j])
    energy = np.linspace(-1, 1, 41)
    shift, _ = phase_shift(coefficients, np.zeros((4, 4)), energy)
    assert np.abs(np.diff(shift)).max() < 0.3
    assert shift[20] == pytest.approx(phases(coefficients[None], np.zeros((1, 4, 4))).shift[0])
    z = 1 + 2 * (coefficients[0] + coefficients[1] * energy)
    assert np.exp(2j * shift) == pytest.approx(z / np.abs(z))


def test_the_curve_of_a_point_has_the_table_s_value_at_the_stated_voltage():
    simulated = make_synthetic(EXACT, 3)
    truth, _ = simulated.truth()
    found = friedel.refit_points(simulated.stack, truth, dispersion=simulated.dispersion)
    row = found.table.iloc[0]
    curve = phase_curve(found.waves, row["row"], row["column"])
    assert (np.diff(curve.bias_mv) > 0).all() and len(curve.bias_mv) == len(EXACT.bias_mv)
    at = found.provenance["refit"]["phase_shift_bias_mv"]
    assert np.interp(at, curve.bias_mv, curve.shift) == pytest.approx(row["phase_shift_rad"], abs=0.01)
    assert np.interp(at, curve.bias_mv, curve.sigma) == pytest.approx(row["sigma_phase_shift_rad"], rel=0.1)
    with pytest.raises(FriedelError, match="no amplitude"):
        phase_curve(found.waves, -20.0, -20.0)
