"""Where the waves do not explain the maps, no probability rises; the explained share tells."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from friedel.benchmark.synthetic import make_synthetic
from friedel.refit.candidates import CANDIDATES, max_candidates
from friedel.refit.goodness import goodness
from friedel.refit.joint_fit.step import guess_amplitudes, step, update_weights
from friedel.refit.refit_input import RefitMaps

from .exact import EXACT, joint_fit


def _fit(simulated, points, add=None):
    data, state = joint_fit(simulated, points)
    if add is not None:
        data = replace(data, values=(data.values + add).astype(np.float32))
    guess_amplitudes(data, state)
    for number in range(5):
        update_weights(data, state)
        step(data, state, positions=number > 1)
    return goodness(data, state)


def test_a_field_of_point_scatterers_is_explained():
    simulated = make_synthetic(EXACT, 3)
    found = _fit(simulated, simulated.scatterers.position)
    assert found.explained > 0.9
    assert np.nanmin(found.local) > 0.6


def test_a_structure_that_is_no_wave_is_not_explained_where_it_lies():
    simulated = make_synthetic(EXACT, 3)
    shape = EXACT.shape
    island = gaussian_filter((np.hypot(*(np.indices(shape) - 10.0)) < 7).astype(float), 1)
    noise = np.random.default_rng(1).normal(size=shape)
    structure = (4 * island * (1 + gaussian_filter(noise, 1.5) * 4)).ravel()
    found = _fit(simulated, simulated.scatterers.position, structure)
    near = np.hypot(*(simulated.scatterers.position - 10.0).T) < 7
    far = (np.hypot(*(simulated.scatterers.position - 10.0).T) > 18) & np.isfinite(found.local)
    assert found.explained < 0.8
    assert near.any() and np.nanmax(found.local[near]) < np.nanmin(found.local[far])


def test_noise_alone_is_not_explained():
    simulated = make_synthetic(replace(EXACT, impurities=0, margin_nm=0.0), 0)
    rng = np.random.default_rng(0)
    smooth = gaussian_filter(rng.normal(size=EXACT.shape), 1.2)
    points = rng.uniform(4, 32, (6, 2))
    assert _fit(simulated, points, 5 * smooth.ravel()).explained < CANDIDATES.min_explained_structure


@pytest.mark.parametrize("k", [0.5, 0.8])
def test_the_number_of_candidates_is_bounded_by_the_wavelength(k):
    field = RefitMaps(np.zeros((2, 40, 40)), np.array([k, k]), np.ones((40, 40), bool), 0.4)
    assert max_candidates(field) == pytest.approx(0.5 * 1600 * (k / np.pi) ** 2, abs=1)
