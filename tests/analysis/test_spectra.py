"""Densities, spectra, profiles and Fourier maps against numbers known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from friedel.analysis.spectra import (
    away_from,
    defect_free_spectrum,
    dispersion_map,
    fourier_map,
    radial_profile,
    spectrum,
)
from friedel.scoring.areal_density import covered_area, density
from friedel.stack import make_stack


def test_garwoods_interval() -> None:
    # Tables of the exact Poisson interval: 0 → (0, 3.689), 10 → (4.795, 18.390).
    none, ten = density(0, 2.0), density(10, 2.0)
    assert (none.value, none.low) == (0, 0) and none.high * 2 == pytest.approx(3.689, abs=1e-3)
    assert ten.low * 2 == pytest.approx(4.795, abs=1e-3) and ten.high * 2 == pytest.approx(18.390, abs=1e-3)
    assert "10 impurities" in str(ten)


@pytest.mark.parametrize(("count", "area"), [(1, 0.0), (-1, 1.0), (1, float("nan"))])
def test_a_density_needs_an_area(count, area) -> None:
    with pytest.raises(ValueError, match="positive area"):
        density(count, area)


def test_only_acquired_pixels_are_counted() -> None:
    data = np.ones((2, 4, 5))
    data[:, 3] = np.nan
    stack = make_stack({"LockinX": data}, bias_mv=[0, 1], pixel_nm=(0.5, 0.2))
    assert covered_area(stack) == pytest.approx(15 * 0.1)
    assert covered_area(stack, ((2, 4), (0, 2))) == pytest.approx(2 * 0.1)


def test_spectrum_at_a_pixel_and_over_a_disc() -> None:
    maps = np.arange(2 * 5 * 5, dtype=float).reshape(2, 5, 5)
    assert spectrum(maps, 1.2, 2.9).tolist() == [8, 33]
    assert spectrum(maps, 2, 2, 1.0).tolist() == [12, 37]  # a symmetric cross has the centre's mean
    assert np.isnan(spectrum(maps, -1, 2)).all() and np.isnan(spectrum(maps, 2, 5)).all()
    assert np.isfinite(spectrum(maps, 4.4, 4.4, 2.0)).all()


def test_the_average_leaves_impurities_and_gaps_out() -> None:
    maps = np.ones((1, 9, 9))
    maps[:, 4, 4] = 100
    maps[:, 0, 0] = np.nan
    mean, spread = defect_free_spectrum(maps, [(4, 4)], 1.5)
    assert mean.tolist() == [1] and spread.tolist() == [0]
    assert away_from((9, 9), [(4, 4)], 1.5).sum() == 81 - 9
    nothing, _ = defect_free_spectrum(maps, [(4, 4)], 50)
    assert np.isnan(nothing).all()


def test_profile_of_a_cone() -> None:
    yy, xx = np.mgrid[:21, :31]
    image = np.hypot((yy - 10) * 0.4, (xx - 15) * 0.2)
    r, mean, error = radial_profile(image, 10, 15, (0.4, 0.2), 3.0)
    assert np.allclose(mean, r) and r[0] == 0 and r[-1] <= 3.0 and (error >= 0).all()
    empty = radial_profile(np.full((3, 3), np.nan), 1, 1, (1, 1), 2.0)
    assert all(len(part) == 0 for part in empty)


def test_a_plane_wave_is_a_spot_at_its_wavevector() -> None:
    _, xx = np.mgrid[:40, :60]
    step = 2 * np.pi / (60 * 0.3)
    q_y, q_x, modulus = fourier_map(np.cos(8 * step * 0.3 * xx), (0.5, 0.3))
    row, column = np.unravel_index(np.argmax(modulus), modulus.shape)
    assert q_y[row] == 0 and abs(q_x[column]) == pytest.approx(8 * step)


def test_the_ring_moves_with_energy() -> None:
    yy, xx = np.mgrid[:64, :64]
    r = 0.5 * np.hypot(yy - 31, xx - 33)
    rings = (1.5, 2.5, 3.5)
    maps = np.array([np.cos(q * r) / (r + 1) for q in rings])
    q, modulus = dispersion_map(maps, (0.5, 0.5))
    assert q[-1] <= np.pi / 0.5 and np.allclose(modulus.mean(axis=1), 1)
    assert np.allclose(q[modulus.argmax(axis=1)], rings, atol=2 * 2 * np.pi / 32)
