import numpy as np
import pytest

from friedel.dispersion_fit.fourier_ring import fit_ring
from friedel.errors import PhysicsError
from friedel.stack import make_stack
from single_scattering import make_synthetic


def worst(fit, simulated):
    return np.nanmax(np.abs(fit.k_per_bias / simulated.dispersion.k(fit.bias_mv) - 1))


def test_au_at_the_papers_sampling(simulated):
    fit = fit_ring(simulated.stack)
    assert fit.found
    assert worst(fit, simulated) < 0.015
    assert fit.onset_mev == pytest.approx(-520, abs=max(40, 3 * fit.onset_error))
    assert fit.mass == pytest.approx(0.26, abs=max(0.03, 3 * fit.mass_error))
    assert 0 < fit.onset_error < 80 and 0 < fit.mass_error < 0.06
    assert fit.dispersion.mass == fit.mass
    assert "m* =" in str(fit)


def test_five_voltages_and_pixels_that_are_not_square():
    simulated = make_synthetic(
        dispersion="ag111",
        bias=np.array([70.0, 95, 120, 145, 170]),
        pixel_nm=(0.4, 0.5),
        shape=(80, 64),
        noise=0.6,
    )
    fit = fit_ring(simulated.stack)
    assert fit.found and worst(fit, simulated) < 0.02


def test_an_aborted_scan_is_enough(simulated):
    stack = simulated.stack.copy(deep=True)
    stack["LockinX"].values[:, 44:] = np.nan
    fit = fit_ring(stack)
    assert fit.found and worst(fit, simulated) < 0.02


@pytest.mark.parametrize("common", [0.0, 1.0])
def test_noise_has_no_ring(common):
    rng = np.random.default_rng(4)
    maps = rng.standard_normal((12, 48, 48)) + common * rng.standard_normal((48, 48))
    fit = fit_ring(make_stack({"dIdV": maps}, bias_mv=np.arange(12) * 20.0, pixel_nm=0.4))
    assert not fit.found and np.isnan(fit.mass) and np.isnan(fit.k_per_bias).all()
    with pytest.raises(PhysicsError, match="no Friedel ring"):
        _ = fit.dispersion


def test_a_lattice_is_no_ring():
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :64] * 0.07
    angles = np.pi / 3 * np.arange(3) + 0.2
    lattice = sum(np.cos(2 * np.pi / 0.25 * (rows * np.cos(a) + columns * np.sin(a))) for a in angles)
    maps = lattice * (1 + 0.1 * np.arange(8))[:, None, None] + 0.5 * rng.standard_normal((8, 64, 64))
    assert not fit_ring(make_stack({"dIdV": maps}, bias_mv=np.arange(8) * 20.0, pixel_nm=0.07)).found


def test_one_voltage_cannot_tell():
    simulated = make_synthetic(bias=np.array([-100.0]), impurities=5, shape=(40, 40))
    assert not fit_ring(simulated.stack).found
