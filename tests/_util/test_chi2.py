"""The χ² distribution equals that of `scipy.stats`."""

import numpy as np
import pytest
from scipy import stats

from friedel._util import chi2


@pytest.mark.parametrize("freedom", [1, 2, 7.5, 84])
def test_it_equals_scipy_stats(freedom: float) -> None:
    values = np.array([-1.0, 0.0, 1e-3, 0.5, 3.0, 80.0, 400.0, np.inf])
    np.testing.assert_array_equal(chi2.sf(values, freedom), stats.chi2.sf(values, freedom))
    chances = np.array([1e-12, 1e-5, 0.1, 0.5, 0.9, 1 - 1e-9])
    np.testing.assert_array_equal(chi2.isf(chances, freedom), stats.chi2.isf(chances, freedom))
    np.testing.assert_array_equal(chi2.ppf(chances, freedom), stats.chi2.ppf(chances, freedom))
    assert np.isnan(chi2.sf(np.nan, freedom))
