"""Solve and inverse of symmetric positive-definite matrices by Cholesky factorisation (LAPACK posv, potrf and potri).

It takes a third of the time of a general solve. Rounding may make a matrix of single-precision sums slightly
indefinite; then it falls back to a general LU solve.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from friedel._util.threads import one_thread_each


def solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solution x of A x = b, in the shape of b.

    Parameters
    ----------
    matrix : array, shape (n, n)
    right : array, shape (n,) or (n, m)
    """
    with one_thread_each():  # scipy has a BLAS of its own, whose threads would go on spinning beside numpy's
        _, x, info = lapack.dposv(matrix.T, right)  # the transpose is the matrix in LAPACK's order of memory
    return np.asarray(x).reshape(right.shape) if info == 0 else np.linalg.solve(matrix, right)


def inverse(matrix: np.ndarray) -> np.ndarray:
    """A⁻¹, shape (n, n)."""
    with one_thread_each():
        factor, info = lapack.dpotrf(matrix.T, clean=True)
        if info == 0:
            upper, info = lapack.dpotri(factor)
    if info != 0:
        return np.linalg.inv(matrix)
    out = upper + upper.T
    np.einsum("ii->i", out)[:] /= 2
    return np.asarray(out)
