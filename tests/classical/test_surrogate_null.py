"""Significance from surrogates: honest in correlated noise, unmoved by what stands out."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from friedel.classical.matched_field import Template, significance, statistic
from friedel.classical.surrogate_null import SurrogateNull, iter_surrogate_null, phases_drawn
from friedel.progress import drain
from friedel.stack import normalise

K = np.linspace(0.6, 1.0, 5)
WHOLE = np.ones((48, 48), bool)


def _noise(seed):
    """Correlated from pixel to pixel and, like height jitter, from map to map."""
    random = np.random.default_rng(seed)
    common = gaussian_filter(random.normal(size=WHOLE.shape), 0.8)
    own = gaussian_filter(random.normal(size=(len(K), *WHOLE.shape)), (0, 0.8, 0.8))
    return normalise(own + 1.5 * common)


def test_surrogates_keep_the_spectra_within_and_between_maps():
    maps = _noise(0)
    drawn = phases_drawn(maps, np.random.default_rng(1))
    before, after = (np.fft.rfft2(one) for one in (maps, drawn))
    assert np.abs(after) == pytest.approx(np.abs(before), rel=1e-4, abs=1e-2)
    cross = [one[0] * one[3].conj() for one in (before, after)]
    assert cross[1] == pytest.approx(cross[0], rel=1e-3, abs=1.0)
    assert np.abs(drawn - maps).max() > 1


def test_fields_without_scatterers_have_few_significant_points():
    """At 0.95 one field in twenty should have one; the χ² of the bulk gives several times as many."""
    listed, listed_before = 0, 0
    for seed in range(30):
        maps = _noise(seed)
        t = statistic(maps, K)
        null = drain(iter_surrogate_null(maps, K, WHOLE))
        listed += bool((null.significance(t) >= 0.95).any())
        listed_before += bool((significance(t, 2 * len(K)) >= 0.95).any())
    assert listed <= 5 < listed_before


def test_a_scatterer_stands_out_of_its_own_surrogates():
    rows, columns = np.indices(WHOLE.shape)
    r = np.hypot(rows - 20, columns - 25)
    waves = np.stack([Template()(r, k).real for k in K])
    maps = normalise(_noise(3) + 12 * waves)
    t = statistic(maps, K)
    sure = drain(iter_surrogate_null(maps, K, WHOLE)).significance(t)
    assert sure[18:23, 23:28].max() > 0.999


def test_the_tail_is_that_of_the_maxima():
    """Exponential maxima of mean 3: the significance of t is exp(−n e^{−t/3})."""
    random = np.random.default_rng(0)
    null = SurrogateNull.of([np.sort(random.exponential(3.0, 400))[::-1] for _ in range(50)])
    for t in (18.0, 24.0):
        assert null.significance(np.array([t]))[0] == pytest.approx(np.exp(-400 * np.exp(-t / 3)), abs=0.08)
    assert np.isnan(null.significance(np.array([np.nan]))[0])
