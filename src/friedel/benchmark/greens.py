"""Multiple scattering beyond point scatterers on a free surface: multipoles, a reflecting wall, spinors.

All of them are ρ/ρ₀ = 1 + Re Σ U T Ũ with T = (1 − S H)⁻¹ S (Fiete and Heller, Rev. Mod. Phys. 75, 933 (2003)); what
changes is the free propagator. H_m is the Hankel function of the first kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import hankel1

from friedel.benchmark.t_matrix_exact import NEAREST, STEP

#: Within this distance [rad, k·r] of a scatterer's centre a wave of angular momentum m ≠ 0 is taken at this distance.
CORE = 1.2


class Table:
    """H_m(kr) at many distances, by linear interpolation in a table that all orders share.

    Parameters
    ----------
    distance : array
        [px], any shape.
    """

    def __init__(self, distance: np.ndarray) -> None:
        place = np.maximum(distance, NEAREST) / STEP
        self._index = place.astype(np.intp)
        self._weight = (place - self._index).astype(np.float32)
        reach = float(distance.max()) if distance.size else 0.0
        self._grid = np.arange(0, int(np.ceil(reach / STEP)) + 3) * STEP
        self._grid[0] = STEP / 2

    def hankel(self, order: int, k: complex) -> np.ndarray:
        """H_order(kr), complex64; order ≥ 0."""
        values = hankel1(order, k * self._grid).astype(np.complex64)
        low = values[self._index]
        between: np.ndarray = low + self._weight * (values[self._index + 1] - low)
        return between


def _solve(amplitude: np.ndarray, hankel: np.ndarray) -> np.ndarray:
    """T = (1 − S H)⁻¹ S for diagonal S."""
    return np.linalg.solve(np.eye(len(amplitude)) - amplitude[:, None] * hankel, np.diag(amplitude))


def _signed(order: int, values: np.ndarray) -> np.ndarray:
    """H_{−m} = (−1)^m H_m, given H_|m|."""
    return -values if order < 0 and order % 2 else values


def multipole(
    pixels: np.ndarray, points: np.ndarray, k: np.ndarray, amplitude: np.ndarray, orders: tuple[int, ...]
) -> np.ndarray:
    """ρ/ρ₀ − 1 around scatterers that scatter several partial waves (s, p, d …).

    Parameters
    ----------
    pixels : array, shape (P, 2)
    points : array, shape (N, 2)
    k : array of complex, shape (V,)
        [rad/px].
    amplitude : array of complex, shape (V, M, N)
        s_m = (e^{2iδ_m} − 1)/2 of every order.
    orders : tuple of int, length M
        Angular momenta m.

    Notes
    -----
    Waves of m ≠ 0 diverge as r^{−|m|}: pixels within `CORE` of a scatterer see the wave at its rim.

    Returns
    -------
    array, shape (V, P)
    """
    n = len(points)
    maps = np.zeros((len(k), len(pixels)))
    if n == 0:
        return maps
    vector = pixels[:, None] - points
    rim = CORE / float(np.mean(np.real(k)))
    table = Table(np.maximum(np.hypot(vector[..., 0], vector[..., 1]), rim))
    phase = np.exp(1j * np.arctan2(vector[..., 0], vector[..., 1])).astype(np.complex64)
    between = points[:, None] - points  # from j to i
    length = np.hypot(between[..., 0], between[..., 1]) + np.eye(n)
    angle = np.arctan2(between[..., 0], between[..., 1])
    apart = ~np.eye(n, dtype=bool)
    for v in range(len(k)):
        steps = {b - a for a in orders for b in orders}
        free = {m: apart * _signed(m, hankel1(abs(m), k[v] * length)) * np.exp(1j * m * angle) for m in steps}
        blocks = [[free[b - a] for b in orders] for a in orders]
        matrix = _solve(amplitude[v].reshape(-1), np.block(blocks)).astype(np.complex64)
        radial = {m: table.hankel(m, k[v]) for m in {abs(m) for m in orders}}
        out = np.concatenate([_signed(m, radial[abs(m)]) * phase**m for m in orders], axis=1)
        back = np.concatenate([_signed(m, radial[abs(m)]) * phase ** (-m) for m in orders], axis=1)
        maps[v] = np.einsum("pn,pn->p", out @ matrix, back).real
    return maps


@dataclass(frozen=True)
class Wall:
    """A straight step edge that reflects part of the wave.

    Parameters
    ----------
    normal : (float, float)
        Unit vector (row, column).
    offset : float
        The edge is where normal·r = offset [px].
    reflection : complex
        Amplitude with which waves come back, |reflection| ≤ 1.
    transmission : complex
        Amplitude with which they pass.
    """

    normal: tuple[float, float]
    offset: float
    reflection: complex
    transmission: complex

    def side(self, points: np.ndarray) -> np.ndarray:
        """Signed distance from the edge [px]."""
        return np.asarray(points @ np.asarray(self.normal) - self.offset)

    def image(self, points: np.ndarray) -> np.ndarray:
        """The mirror images of points."""
        return np.asarray(points - 2 * self.side(points)[:, None] * np.asarray(self.normal))


def behind_wall(
    pixels: np.ndarray, points: np.ndarray, k: np.ndarray, amplitude: np.ndarray, wall: Wall
) -> np.ndarray:
    """ρ/ρ₀ − 1 of point scatterers beside a wall, with the wall's own standing waves, cos(2kx + φ)/√x.

    The propagator is that of images: G = H₀(k|r − r'|) + R H₀(k|r − r'_image|) on one side, t H₀(k|r − r'|) across.

    Parameters
    ----------
    pixels, points, k
        As for `multipole`.
    amplitude : array of complex, shape (V, N)
    wall : Wall

    Returns
    -------
    array, shape (V, P)
    """
    here, there = wall.side(pixels), wall.side(points)
    own = Table(2 * np.abs(here) + 0.8)  # a step is not sharper than some tenths of a nanometre
    n = len(points)
    same = (here[:, None] > 0) == (there > 0)
    image = wall.image(points)
    direct = Table(_length(pixels, points)) if n else None
    mirrored = Table(_length(pixels, image)) if n else None
    near, far = _length(points, points) + np.eye(n), _length(points, image)
    together = (there[:, None] > 0) == (there > 0)
    maps = np.empty((len(k), len(pixels)))
    for v in range(len(k)):
        maps[v] = (wall.reflection * own.hankel(0, k[v])).real
        if direct is None or mirrored is None:
            continue
        free = hankel1(0, k[v] * near) * ~np.eye(n, dtype=bool)
        back = wall.reflection * hankel1(0, k[v] * np.maximum(far, NEAREST))
        matrix = _solve(amplitude[v], np.where(together, free + back, wall.transmission * free))
        g = direct.hankel(0, k[v])
        g = np.where(same, g + wall.reflection * mirrored.hankel(0, k[v]), wall.transmission * g)
        g = g.astype(np.complex64)
        maps[v] += np.einsum("pn,pn->p", g @ matrix.astype(np.complex64), g).real
    return maps


def helical(pixels: np.ndarray, points: np.ndarray, k: np.ndarray, amplitude: np.ndarray) -> np.ndarray:
    """ρ/ρ₀ − 1 of non-magnetic scatterers for electrons whose spin is locked to their momentum.

    The propagator is H₀ + i H₁ (σ × r̂)_z; backscattering from one scatterer cancels to leading order.
    Parameters and result as for `behind_wall`, without the wall.
    """
    n = len(points)
    maps = np.zeros((len(k), len(pixels)))
    if n == 0:
        return maps
    vector = pixels[:, None] - points
    length = np.hypot(vector[..., 0], vector[..., 1])
    table = Table(np.maximum(length, CORE / float(np.mean(np.real(k)))))
    # (σ × r̂)_z has the elements up = r̂_y + i r̂_x and its conjugate.
    up = ((vector[..., 0] + 1j * vector[..., 1]) / np.maximum(length, NEAREST)).astype(np.complex64)
    between = points[:, None] - points
    apart = np.hypot(between[..., 0], between[..., 1]) + np.eye(n)
    lift = (between[..., 0] + 1j * between[..., 1]) / apart
    off = ~np.eye(n, dtype=bool)
    for v in range(len(k)):
        h0, h1 = off * hankel1(0, k[v] * apart), 1j * off * hankel1(1, k[v] * apart)
        hankel = np.block([[h0, h1 * lift], [h1 * lift.conj(), h0]])
        matrix = _solve(np.tile(amplitude[v], 2), hankel).astype(np.complex64)
        g0, g1 = table.hankel(0, k[v]), 1j * table.hankel(1, k[v])
        # Rows: spin at the pixel; columns: spin and place of the scatterer. Backwards r̂ changes its sign.
        first, second = np.hstack([g0, g1 * up]), np.hstack([g1 * up.conj(), g0])
        first_back, second_back = np.hstack([g0, -g1 * up.conj()]), np.hstack([-g1 * up, g0])
        total = np.einsum("pn,pn->p", first @ matrix, first_back)
        maps[v] = 0.5 * (total + np.einsum("pn,pn->p", second @ matrix, second_back)).real
    return maps


def _length(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    length: np.ndarray = np.hypot(points[:, :1] - others[:, 0], points[:, 1:] - others[:, 1])
    return length
