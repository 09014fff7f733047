"""k(E) against the numbers of arXiv 2006.15898 and its own limits."""

import numpy as np
import pytest

from friedel.errors import PhysicsError
from friedel.physics.dispersion import MATERIALS, Dispersion, resolve


def test_the_papers_wavevectors():
    """0.659 and 0.900 rad/px at −230 and +20 mV for 375 Å on 80 px."""
    k = MATERIALS["au111"].k([-230, 20]) * 37.5 / 80
    np.testing.assert_allclose(k, [0.659, 0.900], atol=1.5e-3)


def test_below_the_onset_there_is_no_wave():
    assert np.isnan(MATERIALS["ag111"].k([-66.0, -65.0])).all()
    assert MATERIALS["ag111"].k(-64.0) > 0


def test_a_hole_band_lives_below_its_onset():
    k = Dispersion(100.0, -0.3).k([0.0, 200.0])
    assert k[0] > 0 and np.isnan(k[1])


def test_k_grows_as_the_square_root_of_energy_and_mass():
    assert Dispersion(0, 0.4).k(400) == pytest.approx(2 * Dispersion(0, 0.4).k(100))
    assert Dispersion(0, 0.4).k(100) == pytest.approx(2 * Dispersion(0, 0.1).k(100))


def test_names_are_forgiving_and_errors_tell_what_is_known():
    assert resolve("Au(111)") is MATERIALS["au111"]
    with pytest.raises(PhysicsError, match="cu111"):
        resolve("unobtainium")
    with pytest.raises(PhysicsError, match="mass"):
        Dispersion(0, 0)
