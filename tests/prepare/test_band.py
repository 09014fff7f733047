"""The surface band of raw maps: what has a ring or spots of its own is taken out before."""

import numpy as np
import pytest

from friedel.benchmark.confounders import confounded
from friedel.dispersion_fit import fourier_ring
from friedel.dispersion_fit.fourier_ring import fit_ring
from friedel.prepare import PrepareSettings
from friedel.prepare.band import BAND_PX, fit_dispersion, middle_of


@pytest.fixture(scope="module")
def striped():
    return confounded("stripes", "strong", 3)


def test_stripes_do_not_hide_the_band(striped):
    assert not fit_ring(striped.stack).found
    fit, true = fit_dispersion(striped.stack), striped.true_band
    assert fit.found
    assert abs(fit.onset_mev - true.onset_mev) < 3 * fit.onset_error
    assert abs(fit.mass - true.mass) < 3 * fit.mass_error
    np.testing.assert_allclose(fit.k_per_bias, true.k(striped.stack["bias"].to_numpy()), rtol=0.03)


def test_maps_as_recorded_are_those_of_the_ring(striped):
    for prepare in (False, PrepareSettings(as_recorded=True)):
        assert fit_dispersion(striped.stack, prepare=prepare).height == fit_ring(striped.stack).height


def test_a_map_without_data_has_a_wavevector_all_the_same():
    made = confounded("few", "moderate", 1)
    stack = made.stack.copy(deep=True)
    name = next(iter(stack.data_vars))
    stack[name][5] = np.nan
    whole, part = fit_dispersion(made.stack), fit_dispersion(stack)
    assert part.found and len(part.k_per_bias) == stack.sizes["bias"]
    np.testing.assert_allclose(part.k_per_bias, whole.k_per_bias, rtol=0.02)


def test_a_stack_without_data_has_no_band(striped):
    empty = striped.stack.copy(deep=True)
    empty[next(iter(empty.data_vars))][:] = np.nan
    assert not fit_dispersion(empty).found


@pytest.mark.parametrize("size", [30, BAND_PX, BAND_PX + 7])
def test_the_middle_of_a_large_field_is_enough(size):
    rows = np.broadcast_to(np.arange(size)[:, None], (2, size, 9))
    middle = middle_of(rows)
    assert middle.shape == (2, min(size, BAND_PX), 9)
    assert abs(middle.mean() - (size - 1) / 2) <= 0.5


def test_the_former_name_is_known_until_the_next_version():
    with pytest.warns(DeprecationWarning, match="fit_ring"):
        assert fourier_ring.fit_dispersion is fit_ring
