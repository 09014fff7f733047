"""Amplitude, phase shift and absorption from energy coefficients: cases worked out by hand."""

import numpy as np
import pytest

from friedel.refit.columns import phases
from friedel.refit.flags import SENTENCES, PointFlag, names


def _one(s, slope=0.0, covariance=None):
    covariance = np.zeros((4, 4)) if covariance is None else covariance
    return phases(np.array([[s, slope]], complex), covariance[None])


@pytest.mark.parametrize(
    ("s", "amplitude", "shift", "absorption"),
    [
        (-1.0, 1.0, np.pi / 2, 0.0),  # unitary: e^{2iδ} = −1
        (-0.5, 0.5, 0.0, 1.0),  # the black dot: e^{2iδ} = 0
        ((np.exp(0.6j) - 1) / 2, np.sin(0.3), 0.3, 0.0),  # elastic: |s| = sin δ
        ((0.5 * np.exp(-1.0j) - 1) / 2, None, -0.5, 0.75),  # η = ½
    ],
)
def test_known_scatterers(s, amplitude, shift, absorption):
    found = _one(s)
    if amplitude is not None:
        assert found.amplitude[0] == pytest.approx(amplitude)
    assert found.absorption[0] == pytest.approx(absorption, abs=1e-9)
    if s != -0.5:
        assert abs(found.shift[0]) == pytest.approx(abs(shift))


def test_the_slope_is_that_of_an_elastic_scatterer():
    """s = (e^{2iδ} − 1)/2 with δ = 0.4 + 0.25 e: ds/de = i e^{2iδ} δ′."""
    z = np.exp(0.8j)
    found = _one((z - 1) / 2, 1j * z * 0.25)
    assert found.shift_slope[0] == pytest.approx(0.25)


def test_standard_deviations_are_those_of_draws():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4)) * 0.004
    covariance = root @ root.T
    s, slope = -0.4 + 0.35j, 0.05 - 0.1j
    found = _one(s, slope, covariance)
    draws = rng.multivariate_normal([s.real, s.imag, slope.real, slope.imag], covariance, 20000)
    many = phases(
        np.stack([draws[:, 0] + 1j * draws[:, 1], draws[:, 2] + 1j * draws[:, 3]], axis=1),
        np.zeros((len(draws), 4, 4)),
    )
    spread = [
        one.std() for one in (many.amplitude, many.phase, many.shift, many.shift_slope, many.absorption)
    ]
    assert found.sigma[0] == pytest.approx(spread, rel=0.05)


def test_every_flag_has_a_bit_of_its_own_and_a_sentence():
    assert set(SENTENCES) == set(PointFlag)
    assert all(one.sentence.endswith(".") for one in PointFlag)
    assert names(int(PointFlag.ADDED | PointFlag.BORDER)) == ["added", "border"] and names(0) == []
