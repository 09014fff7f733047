"""Cholesky's way gives what the usual way gives, and gives way to it."""

import numpy as np
import pytest

from friedel.refit import cholesky


def _matrix(smallest):
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    return turn @ np.diag(np.linspace(smallest, 5, 30)) @ turn.T, rng


@pytest.mark.parametrize("smallest", [0.1, -0.5])  # the second is no positive matrix
def test_solutions_and_inverses(smallest):
    matrix, rng = _matrix(smallest)
    before = matrix.copy()
    for right in (rng.normal(size=30), rng.normal(size=(30, 4))):
        x = cholesky.solve(matrix, right)
        assert x.shape == right.shape
        np.testing.assert_allclose(matrix @ x, right, atol=1e-10)
    inverse = cholesky.inverse(matrix)
    np.testing.assert_allclose(inverse @ matrix, np.eye(30), atol=1e-10)
    assert np.array_equal(matrix, before)


def test_a_single_number_is_a_matrix_too():
    assert cholesky.solve(np.array([[4.0]]), np.array([2.0])) == 0.5
    assert cholesky.inverse(np.array([[4.0]])) == 0.25


@pytest.mark.parametrize("smallest", [0.1, -0.5])
def test_a_torch_device_gives_the_same_to_1e_8(smallest):
    matrix, rng = _matrix(smallest)
    for right in (rng.normal(size=30), rng.normal(size=(30, 4))):
        there = cholesky.solve(matrix, right, "cpu")
        assert there.shape == right.shape
        np.testing.assert_allclose(there, cholesky.solve(matrix, right), rtol=0, atol=1e-8)
    np.testing.assert_allclose(cholesky.inverse(matrix, "cpu"), cholesky.inverse(matrix), rtol=0, atol=1e-8)


@pytest.mark.parametrize("device", [None, "cpu"])
def test_a_covariance_stays_positive_where_rounding_makes_its_matrix_indefinite(device):
    matrix, _ = _matrix(-3e-6)
    inverse = cholesky.inverse(matrix, device)
    assert (np.linalg.eigvalsh(inverse) > 0).all()
    assert np.linalg.norm(np.linalg.inv(inverse) - matrix, 2) < 1e-3
