import numpy as np
import pytest

from friedel._util.robust import nanmedian, spread


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("shape", [(3, 20, 21), (2, 150, 130), (2, 300, 4), (1, 1, 1), (0, 3, 3)])
@pytest.mark.parametrize("axis", [None, 0, 2, (1, 2)])
@pytest.mark.parametrize("missing", [0.0, 0.2, 1.0])
def test_median_is_that_of_numpy(shape, axis, missing):
    if not np.prod(shape) and axis is None:
        pytest.skip("NumPy has no median of nothing but a warning")
    random = np.random.default_rng(0)
    values = random.normal(size=shape).round(1).astype(np.float32)
    values[random.random(shape) < missing] = np.nan
    for keep in (False, True):
        found = nanmedian(values, axis=axis, keepdims=keep)
        np.testing.assert_array_equal(found, np.nanmedian(values, axis=axis, keepdims=keep))
        assert found.dtype == np.float32


def test_median_of_infinite_values_is_that_of_numpy():
    values = np.array([-np.inf, 1.0, np.inf, np.inf, np.nan])
    assert nanmedian(values) == np.nanmedian(values) == np.inf


def test_spread_takes_a_known_centre():
    values = np.random.default_rng(1).normal(size=(2, 30, 30))
    centre = nanmedian(values, axis=(1, 2), keepdims=True)
    np.testing.assert_array_equal(spread(values, axis=(1, 2), centre=centre), spread(values, axis=(1, 2)))
    assert spread(values, axis=(1, 2)) == pytest.approx(1, abs=0.1)
