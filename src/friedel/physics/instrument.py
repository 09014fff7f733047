"""What the microscope does to the LDOS: each function is one effect, batched over fields.

Maps have the shape (B, V, H, W): fields, voltages, rows, columns. Strengths that say "rms" are relative to the root
mean square of each map about its mean. A `torch.Generator` makes every effect reproducible.
"""

from __future__ import annotations

import math

import torch


def spread(maps: torch.Tensor) -> torch.Tensor:
    """Root mean square of each map about its mean, shape (B, V, 1, 1)."""
    return maps.std(dim=(-2, -1), keepdim=True, correction=0)


def _column(strength: torch.Tensor | float) -> torch.Tensor:
    """One number per field as (B, 1, 1, 1)."""
    return torch.as_tensor(strength, dtype=torch.float32).reshape(-1, 1, 1, 1)


def white_noise(maps: torch.Tensor, eta: torch.Tensor | float, rng: torch.Generator) -> torch.Tensor:
    """Add independent Gaussian noise of standard deviation `eta` [rms] to every pixel and voltage."""
    return maps + _column(eta) * spread(maps) * torch.randn(maps.shape, generator=rng)


def correlated(noise: torch.Tensor, rows: float, columns: float) -> torch.Tensor:
    """Give white noise (..., H, W) the correlation `rows` from row to row and `columns` along the fast axis.

    Each is a stationary AR(1) walk: the standard deviation stays, and correlations fall off geometrically.
    """
    for axis, r in ((-2, rows), (-1, columns)):
        if r:
            noise = torch.movedim(torch.movedim(noise, axis, -1) @ _walk(noise.shape[axis], r).T, -1, axis)
    return noise


def _walk(n: int, r: float) -> torch.Tensor:
    """Matrix (n, n) that makes white noise an AR(1) walk: x_0 = w_0, x_i = r·x_{i−1} + √(1 − r²)·w_i."""
    lag = torch.arange(n)[:, None] - torch.arange(n)
    matrix = torch.where(lag >= 0, r ** lag.clamp_min(0).float(), torch.zeros(()))
    return matrix * torch.where(torch.arange(n) > 0, math.sqrt(1 - r**2), 1.0)


def z_jitter(maps: torch.Tensor, relative: torch.Tensor | float, rng: torch.Generator) -> torch.Tensor:
    """Scale each pixel's whole spectrum by exp(ε), ε Gaussian of width `relative` (1 pm in z is about 0.022)."""
    b, _, h, w = maps.shape
    return maps * torch.exp(_column(relative) * torch.randn(b, 1, h, w, generator=rng))


def row_offsets(
    maps: torch.Tensor,
    strength: torch.Tensor | float,
    rng: torch.Generator,
    *,
    memory: float = 0.7,
    shared: bool = True,
) -> torch.Tensor:
    """Add an offset per row, an AR(1) walk of width `strength` [rms].

    Parameters
    ----------
    maps, strength, rng
        See the module's docstring.
    memory : float
        Correlation of neighbouring rows.
    shared : bool
        True for grid spectroscopy (a row's offset is common to all voltages), False for map after map.
    """
    b, v, h, _ = maps.shape
    walk = torch.randn(b, 1 if shared else v, h, generator=rng) @ _walk(h, memory).T
    return maps + _column(strength) * spread(maps) * walk[..., None]


def tip_change(maps: torch.Tensor, strength: torch.Tensor | float, rng: torch.Generator) -> torch.Tensor:
    """From a random row on, offset the maps by `strength` [rms] (per voltage, smooth) and change their gain."""
    b, v, h, _ = maps.shape
    at = torch.randint(0, h, (b, 1, 1, 1), generator=rng)
    after = (torch.arange(h).view(1, 1, h, 1) >= at).float()
    common, slope = torch.randn(2, b, 1, 1, 1, generator=rng)
    offset = common + slope * torch.linspace(-1, 1, v).view(1, v, 1, 1)
    gain = 1 + 0.3 * _column(strength) * torch.randn(b, 1, 1, 1, generator=rng).clamp(-1.5, 1.5)
    mean = maps.mean(dim=(-2, -1), keepdim=True)
    changed = mean + (maps - mean) * gain + _column(strength) * spread(maps) * offset
    result: torch.Tensor = maps * (1 - after) + changed * after
    return result


def herringbone(
    maps: torch.Tensor, strength: torch.Tensor | float, period: torch.Tensor | float, rng: torch.Generator
) -> torch.Tensor:
    """Add the stripes of the Au(111) reconstruction.

    A pair of soliton walls per period, in a random direction, bent by a slow wave; amplitude `strength` [rms], which
    varies smoothly with voltage. `period` in pixels (6.3 nm on Au(111), arXiv 1407.5408).
    """
    b, v, h, w = maps.shape
    rows, columns = torch.meshgrid(torch.arange(h).float(), torch.arange(w).float(), indexing="ij")
    angle, phase, bend = torch.rand(3, b, 1, 1, generator=rng) * (2 * math.pi)
    across = rows * torch.cos(angle) + columns * torch.sin(angle)
    along = columns * torch.cos(angle) - rows * torch.sin(angle)
    p = torch.as_tensor(period, dtype=torch.float32).reshape(-1, 1, 1)
    argument = 2 * math.pi * across / p + 0.5 * torch.sin(2 * math.pi * along / (5 * p) + bend) + phase
    stripes = torch.cos(argument) + 0.5 * torch.cos(2 * argument + phase)
    level, slope = torch.randn(2, b, 1, 1, 1, generator=rng)
    weight = level.sign() * 0.7 + 0.5 * slope * torch.linspace(-1, 1, v).view(1, v, 1, 1)
    result: torch.Tensor = maps + _column(strength) * spread(maps) * weight * stripes[:, None]
    return result


def set_point(maps: torch.Tensor, share: torch.Tensor | float) -> torch.Tensor:
    """Divide out the feedback of the set-point: g = ρ/∫ρ dV over the voltages of the stack (arXiv 1606.07402).

    `share` is 1 if the tip's height was regulated at every pixel over this very range, 0 for constant height.
    """
    integral = maps.mean(dim=1, keepdim=True).clamp_min(0.05)
    level = integral.mean(dim=(-2, -1), keepdim=True)
    return maps * (level / integral) ** _column(share)


def drift_displacement(rows: torch.Tensor, drift: torch.Tensor, height: int) -> torch.Tensor:
    """Displacement (row, column) of the sample under the tip while it scans.

    Linear in time plus a creep that dies out over the first third of the scan.

    Parameters
    ----------
    rows : Tensor, shape (B, M)
        Fractional row being recorded (time in units of a line).
    drift : Tensor, shape (B, 2)
        Total displacement over the scan [px].
    height : int
        Lines of the scan.

    Returns
    -------
    Tensor, shape (B, M, 2)
        True position = recorded position + displacement.
    """
    t = (rows / max(height - 1, 1)).clamp(-0.5, 1.5)
    creep = 1 - torch.exp(-t.clamp_min(0) * 3)
    return (0.6 * t + 0.4 * creep)[..., None] * drift[:, None, :]


def recorded_position(true: torch.Tensor, drift: torch.Tensor, height: int) -> torch.Tensor:
    """Where scatterers at `true` (B, N, 2) appear in the recorded frame [px], inverse of the displacement."""
    recorded = true.clone()
    for _ in range(4):  # contraction: drift over a line is far below a pixel
        recorded = true - drift_displacement(recorded[..., 0], drift, height)
    return recorded
