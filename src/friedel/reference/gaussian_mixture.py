"""A mixture of Gaussians on an image: expectation-maximisation, polish, and what each one is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import spsolve

#: Free parameters of one Gaussian in the criterion: row, column, weight, width.
PARAMETERS = 4
#: Widths may move this far from the common first guess; wider ones would model the background.
WIDTH_LIMITS = (0.5, 1.7)
#: Lags [px] up to which the residual's autocorrelation is known well enough.
LARGEST_LAG = 8


@dataclass
class Mixture:
    """K isotropic Gaussians and a uniform background."""

    centre: np.ndarray  # (K, 2) row, column [px]
    width: np.ndarray  # (K,) standard deviation [px]
    share: np.ndarray  # (K,) of the intensity; the rest is background


@dataclass
class Fit:
    """The least-squares fit of a mixture to the map."""

    amplitude: np.ndarray  # (K,)
    background: float
    residual: np.ndarray  # (rows, columns), 0 where not acquired
    rss: float
    raised: np.ndarray  # (K,) by how much leaving a Gaussian out raises the residual sum of squares


def windows(mixture: Mixture, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels near each Gaussian: flat index (K, M), offset from the centre (K, M, 2), whether in the field."""
    reach = int(np.ceil(4 * mixture.width.max()))
    step = np.arange(-reach, reach + 1)
    box = np.stack(np.meshgrid(step, step, indexing="ij"), -1).reshape(-1, 2)
    pixel = np.rint(mixture.centre).astype(int)[:, None] + box
    inside = ((pixel >= 0) & (pixel < np.asarray(shape))).all(-1)
    clipped = np.clip(pixel, 0, np.asarray(shape) - 1)
    return clipped[..., 0] * shape[1] + clipped[..., 1], pixel - mixture.centre[:, None], inside


def maximise(mixture: Mixture, weight: np.ndarray, known: np.ndarray, steps: int) -> Mixture:
    """Expectation-maximisation on the pixel intensities; each Gaussian sees the pixels within 4 widths."""
    if len(mixture.centre) == 0:
        return mixture
    flat, area, total = weight.ravel(), int(known.sum()), float(weight.sum())
    common = float(np.median(mixture.width))
    low, high = common * WIDTH_LIMITS[0], common * WIDTH_LIMITS[1]
    for _ in range(steps):
        index, offset, inside = windows(mixture, weight.shape)
        square = (offset**2).sum(-1)
        variance = mixture.width[:, None] ** 2
        density = mixture.share[:, None] * np.exp(-square / (2 * variance)) / (2 * np.pi * variance)
        density *= inside
        summed: np.ndarray = np.bincount(index.ravel(), density.ravel(), minlength=flat.size)
        summed = summed.astype(float) + max(1.0 - float(mixture.share.sum()), 1e-9) / area
        # Expectation: which part of each pixel's intensity belongs to which Gaussian.
        part = density / summed[index] * flat[index]
        mass = np.maximum(part.sum(1), 1e-300)
        # Maximisation: centre, width and share of that part.
        move = (part[..., None] * offset).sum(1) / mass[:, None]
        moved = ((offset - move[:, None]) ** 2).sum(-1)
        width = np.clip(np.sqrt((part * moved).sum(1) / (2 * mass)), low, high)
        mixture = Mixture(mixture.centre + np.clip(move, -1, 1), width, mass / total)
        if np.abs(move).max() < 1e-5:
            break
    return mixture


def fit_amplitudes(mixture: Mixture, image: np.ndarray, known: np.ndarray) -> Fit:
    """Fit amplitudes and background by least squares with the Gaussians at their places."""
    count = len(mixture.centre)
    index, offset, inside = windows(mixture, image.shape)
    values = np.exp(-(offset**2).sum(-1) / (2 * mixture.width[:, None] ** 2)) * (
        inside & known.ravel()[index]
    )
    which = np.repeat(np.arange(count), index.shape[1])
    basis = csr_array((values.ravel(), (index.ravel(), which)), shape=(image.size, count))
    y = np.where(known, image, 0.0).ravel()
    mask = known.ravel().astype(float)
    normal = np.empty((count + 1, count + 1))
    normal[:count, :count] = (basis.T @ basis).toarray()
    normal[:count, count] = normal[count, :count] = basis.T @ mask
    normal[count, count] = mask.sum()
    normal[np.diag_indices(count)] *= 1 + 1e-9
    inverse = np.linalg.pinv(normal, hermitian=True)
    solution = inverse @ np.append(basis.T @ y, (y * mask).sum())
    residual = (y - basis @ solution[:count] - solution[count]) * mask
    rss = max(float((residual**2).sum()), 1e-12 * float((y**2).sum()), 1e-300)
    raised = solution[:count] ** 2 / np.maximum(np.diag(inverse)[:count], 1e-300)
    return Fit(solution[:count], float(solution[count]), residual.reshape(image.shape), rss, raised)


def criterion(
    mixture: Mixture, image: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, float, float]:
    """What each Gaussian is worth: gain of the criterion, amplitude; then noise, background level, criterion.

    Leaving a Gaussian out raises the residual sum of squares by a²/(N⁻¹)ₖₖ. Neighbouring pixels of a residual
    are not independent (waves, the tip's width): their number is divided by the residual's correlation area.
    """
    if len(mixture.centre) == 0:
        return (
            np.zeros(0),
            np.zeros(0),
            float(np.std(image[known])),
            float(np.mean(image[known])),
            float("inf"),
        )
    fit = fit_amplitudes(mixture, image, known)
    n = int(known.sum())
    effective = max(n / _correlation_area(fit.residual), 8.0)
    penalty = PARAMETERS * np.log(effective)
    gain = np.where(fit.amplitude > 0, effective * np.log1p(fit.raised / fit.rss) - penalty, -np.inf)
    bic = effective * np.log(fit.rss / n) + len(gain) * penalty
    return gain, fit.amplitude, float(np.sqrt(fit.rss / n)), fit.background, float(bic)


def polish(mixture: Mixture, image: np.ndarray, known: np.ndarray, steps: int) -> Mixture:
    """Bring centres and widths to the least-squares optimum (Levenberg-Marquardt, all Gaussians together).

    Expectation-maximisation finds the basin; where peaks overlap it needs hundreds of steps for the last
    tenth of a pixel.
    """
    count = len(mixture.centre)
    if count == 0:
        return mixture
    common = float(np.median(mixture.width))
    low, high = common * WIDTH_LIMITS[0], common * WIDTH_LIMITS[1]
    which = np.arange(count)[:, None]
    fit, damping = fit_amplitudes(mixture, image, known), 1e-3
    for _ in range(steps):
        index, offset, inside = windows(mixture, image.shape)
        width = mixture.width[:, None]
        square = (offset**2).sum(-1)
        bell = np.exp(-square / (2 * width**2)) * (inside & known.ravel()[index])
        slope = fit.amplitude[:, None] * bell
        parts = [
            slope * offset[..., 0] / width**2,
            slope * offset[..., 1] / width**2,
            slope * square / width**3,
            bell,
        ]
        where = np.broadcast_to(which, index.shape)
        jacobian = csr_array(
            (
                np.concatenate([part.ravel() for part in parts]),
                (np.tile(index.ravel(), 4), np.concatenate([(where + j * count).ravel() for j in range(4)])),
            ),
            shape=(image.size, 4 * count),
        )
        normal = (jacobian.T @ jacobian).tocsc()
        diagonal = normal.diagonal() + 1e-12
        right = jacobian.T @ fit.residual.ravel()
        step = spsolve(normal + diags_array(damping * diagonal, format="csc"), right)
        trial = Mixture(
            # A peak just outside still shows; farther out it would only model the border's background.
            np.clip(
                mixture.centre + np.clip(step[: 2 * count].reshape(2, count).T, -0.5, 0.5), -1, image.shape
            ),
            np.clip(mixture.width + step[2 * count : 3 * count], low, high),
            mixture.share,
        )
        tried = fit_amplitudes(trial, image, known)
        if tried.rss < fit.rss:
            done = fit.rss - tried.rss < 1e-5 * fit.rss
            mixture, fit, damping = trial, tried, damping / 5
            if done:
                break
        else:
            damping *= 10
    mass = np.clip(fit.amplitude, 0, None) * mixture.width**2
    share = mixture.share.sum() * mass / max(mass.sum(), 1e-300)
    return Mixture(mixture.centre, mixture.width, share)


def position_inflation(residual: np.ndarray, width: np.ndarray) -> np.ndarray:
    """By how much correlated noise raises the variance of the peaks' coordinates over that in white noise, shape (K,).

    The least-squares position weighs the noise with the slope g of its Gaussian. Its variance is that in white noise
    times Σ_l ρ(l) a(l), with ρ the noise's autocorrelation at lag l and a that of g, both 1 at lag 0. For a Gaussian of
    width w, averaged over the two coordinates, a(l) = (1 − l²/4w²) exp(−l²/4w²). Never below 1, which is white noise.

    Parameters
    ----------
    residual : array, shape (rows, columns)
        Of the fit, 0 where not acquired.
    width : array, shape (K,)
        Standard deviation of each peak [px].
    """
    rho = _autocorrelation(residual)
    lag = [np.arange(size) - size // 2 for size in rho.shape]
    square = (lag[0][:, None] ** 2 + lag[1] ** 2) / (4 * np.asarray(width, float)[:, None, None] ** 2)
    inflation: np.ndarray = np.maximum(1.0, ((1 - square) * np.exp(-square) * rho).sum(axis=(1, 2)))
    return inflation


def _correlation_area(residual: np.ndarray) -> float:
    """Σ ρ² of the residual's autocorrelation over lags up to `LARGEST_LAG`: 1 for white noise [px]."""
    near = _autocorrelation(residual)
    # White noise alone gives 1/n at every lag.
    return max(1.0, float((near**2).sum()) - near.size / residual.size)


def _autocorrelation(residual: np.ndarray) -> np.ndarray:
    """Autocorrelation at lags up to `LARGEST_LAG` along rows and columns, 1 at lag 0, which is in the middle."""
    shape = [2 * size for size in residual.shape]
    power = np.abs(np.fft.rfft2(residual, shape)) ** 2
    correlation = np.fft.irfft2(power, shape)
    if correlation[0, 0] <= 0:
        return np.ones((1, 1))
    rho = np.fft.fftshift(correlation / correlation[0, 0])
    row, column = residual.shape
    up, left = min(row, LARGEST_LAG), min(column, LARGEST_LAG)
    return np.asarray(rho[row - up : row + up + 1, column - left : column + left + 1])
