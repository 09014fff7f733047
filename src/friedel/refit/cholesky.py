"""Solve and inverse of symmetric positive-definite matrices by Cholesky factorisation (LAPACK posv, potrf and potri).

It takes a third of the time of a general solve. Rounding may make a matrix of single-precision sums slightly
indefinite. Then `solve` falls back to a general LU solve. `inverse` gives a covariance, whose variances are positive:
it raises the diagonal by the least power of ten that makes the matrix positive definite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import lapack

from friedel._util.threads import one_thread_each

if TYPE_CHECKING:
    import torch

#: Shares of the diagonal that are tried in turn: rounding in single precision is 1e-6 of the larger entries.
RAISED = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)


def solve(matrix: np.ndarray, right: np.ndarray, device: str | None = None) -> np.ndarray:
    """Solution x of A x = b, in the shape of b.

    Parameters
    ----------
    matrix : array, shape (n, n)
    right : array, shape (n,) or (n, m)
    device : str, optional
        A torch device that does it; LAPACK if None.
    """
    if device is not None:
        factor = _factor_on(device, matrix)
        if factor is None:
            return np.linalg.solve(matrix, right)
        import torch

        given = torch.from_numpy(right.reshape(len(right), -1)).to(factor)
        return np.asarray(torch.cholesky_solve(given, factor).cpu().numpy()).reshape(right.shape)
    with one_thread_each():  # scipy has a BLAS of its own, whose threads would go on spinning beside numpy's
        _, x, info = lapack.dposv(matrix.T, right)  # the transpose is the matrix in LAPACK's order of memory
    return np.asarray(x).reshape(right.shape) if info == 0 else np.linalg.solve(matrix, right)


def inverse(matrix: np.ndarray, device: str | None = None) -> np.ndarray:
    """A⁻¹, positive definite, shape (n, n); `device` as for `solve`."""
    for share in (0.0, *RAISED):
        raised = matrix + share * np.diag(np.abs(matrix.diagonal())) if share else matrix
        out = _inverse_of_positive(raised, device)
        if out is not None:
            return out
    return np.linalg.inv(matrix)


def _inverse_of_positive(matrix: np.ndarray, device: str | None) -> np.ndarray | None:
    """None where the matrix is not positive definite."""
    if device is not None:
        factor = _factor_on(device, matrix)
        if factor is None:
            return None
        import torch

        return np.asarray(torch.cholesky_inverse(factor).cpu().numpy())
    with one_thread_each():
        factor, info = lapack.dpotrf(matrix.T, clean=True)
        if info == 0:
            upper, info = lapack.dpotri(factor)
    if info != 0:
        return None
    out = upper + upper.T
    np.einsum("ii->i", out)[:] /= 2
    return np.asarray(out)


def _factor_on(device: str, matrix: np.ndarray) -> torch.Tensor | None:
    """The lower factor of a matrix in double precision; None if it is not positive definite."""
    import torch

    factor, info = torch.linalg.cholesky_ex(torch.from_numpy(matrix).to(device, torch.float64))
    return None if int(info) else factor
