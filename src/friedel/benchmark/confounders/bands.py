"""Scatterers and bands that are no point scatterers on a parabola."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import hankel1, jv, k0

from friedel.benchmark.confounders.draft import Confounder, Layout
from friedel.benchmark.confounders.layouts import plain_waves, waves_at
from friedel.benchmark.greens import helical, multipole
from friedel.benchmark.instrument import pixels
from friedel.benchmark.t_matrix_exact import Places, distances, scattered

#: A thermal step is 3.5 kT wide [meV per K].
THERMAL = 3.5 * 0.08617


def _p_wave(layout: Layout, share: float, random: np.random.Generator) -> np.ndarray:
    """Partial waves m = ±1 with phase shifts of their own; `share` of the scatterers have no s wave at all."""
    s = layout.amplitude(layout.bias_mv)
    count = s.shape[1]
    pure = random.random(count) < share
    delta = random.uniform(0.5, 1.5, count) * random.choice([-1.0, 1.0], count)
    p = np.broadcast_to((np.exp(2j * delta) - 1) / 2, s.shape)
    weight = np.where(pure, 1.0, 0.5 if share < 1 else 1.0)
    amplitude = np.stack([p * weight, np.where(pure, 0, s), p * weight], axis=1)
    maps = multipole(pixels(layout.shape), layout.scatterers.position, layout.k, amplitude, (-1, 0, 1))
    return maps.reshape(-1, *layout.shape)


def _extended(layout: Layout, radius_nm: float, random: np.random.Generator) -> np.ndarray:
    """Hard discs, partly absorbing: s_m = −J_m(ka)/H_m(ka) for |m| ≤ 2; none more than 10 px outside."""
    position = layout.scatterers.position
    position = position[((position > -10) & (position < np.array(layout.shape) + 9)).all(axis=1)]
    count = len(position)
    a = random.uniform(0.7, 1.3, count) * radius_nm / layout.pixel_nm
    orders = (-2, -1, 0, 1, 2)
    ka = layout.k[:, None] * a
    amplitude = np.stack([-jv(abs(m), ka) / hankel1(abs(m), ka) for m in orders], axis=1)
    maps = multipole(
        pixels(layout.shape), position, layout.k, amplitude * random.uniform(0.6, 1.0, count), orders
    )
    return maps.reshape(-1, *layout.shape)


def _fano(layout: Layout, share: float, random: np.random.Generator) -> np.ndarray:
    """In a share of the scatterers the phase shift runs through π within some 20 meV of a resonance."""
    scatterers, bias = layout.scatterers, layout.bias_mv
    count = len(scatterers.position)
    centre, width = random.uniform(bias.min(), bias.max(), count), random.uniform(8, 40, count)
    resonant = random.random(count) < share
    extra = np.arctan2(width / 2, centre - bias[:, None]) * resonant
    middle = (bias.min() + bias.max()) / 2
    delta = scatterers.delta + scatterers.slope * (bias[:, None] - middle) * 1e-3 + extra
    return waves_at(layout, layout.k, (scatterers.elasticity * np.exp(2j * delta) - 1) / 2)


def _bound(layout: Layout, height: float, random: np.random.Generator) -> np.ndarray:
    """The tail of a bound state, K₀(κr)², at every scatterer, fading with the bias."""
    waves = plain_waves(layout)
    grid = pixels(layout.shape)
    fade = np.exp(-(layout.bias_mv - layout.bias_mv.min()) / random.uniform(60, 200))
    for point in layout.scatterers.position:
        kappa = 5.1232 * np.sqrt(layout.band.mass * random.uniform(0.01, 0.05)) * layout.pixel_nm
        soft = np.hypot(np.hypot(*(grid - point).T), 0.4 / layout.pixel_nm)
        profile = (k0(kappa * soft) / k0(kappa * 0.4 / layout.pixel_nm)) ** 2
        size = height * waves.std() * random.uniform(0.5, 1.5)
        waves = waves + size * fade[:, None, None] * profile.reshape(layout.shape)
    return waves


def _two_bands(layout: Layout, share: float, random: np.random.Generator) -> np.ndarray:
    """A second band, whose k is 0.55 to 0.75 of the first one's, carries `share` of the density."""
    other = waves_at(layout, layout.k * random.uniform(0.55, 0.75), layout.amplitude(layout.bias_mv))
    return (1 - share) * plain_waves(layout) + share * other


def _spin_split(layout: Layout, split: float, _random: np.random.Generator) -> np.ndarray:
    """Two spins with k(1 ± split), which do not mix."""
    s = layout.amplitude(layout.bias_mv)
    up, down = (waves_at(layout, layout.k * (1 + sign * split), s) for sign in (1, -1))
    mean: np.ndarray = (up + down) / 2
    return mean


def _helical(layout: Layout, share: float, _random: np.random.Generator) -> np.ndarray:
    """Spin locked to the momentum in `share` of the density, a usual band of the same k in the rest."""
    points, s = layout.scatterers.position, layout.amplitude(layout.bias_mv)
    maps = helical(pixels(layout.shape), points, layout.k, s).reshape(-1, *layout.shape)
    return np.asarray(share * maps + (1 - share) * plain_waves(layout))


def _anisotropic(layout: Layout, ratio: float, random: np.random.Generator) -> np.ndarray:
    """An elliptical band: k along rows is (1 + ratio) times, along columns 1/(1 + ratio) times the mean."""
    scale = np.sqrt(1 + ratio)
    pair = (scale, 1 / scale) if random.random() < 0.5 else (1 / scale, scale)
    return waves_at(layout, layout.k, layout.amplitude(layout.bias_mv), pair)


def _warped(layout: Layout, warp: float, random: np.random.Generator) -> np.ndarray:
    """A hexagonal contour, k(θ) = k (1 + warp cos 6θ), by the phase along each straight path."""
    grid, points, angle = pixels(layout.shape), layout.scatterers.position, random.uniform(0, np.pi)

    def lengths(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        vector = a[:, None] - b
        theta = np.arctan2(vector[..., 0], vector[..., 1]) - angle
        length: np.ndarray = distances(a, b) * (1 + warp * np.cos(6 * theta))
        return length

    away, between = Places(lengths(grid, points)), lengths(points, points)
    s = layout.amplitude(layout.bias_mv)
    maps = [scattered(away, between, layout.k[v], s[v]) for v in range(len(s))]
    return np.reshape(maps, (len(s), *layout.shape))


def _warm(layout: Layout, kelvin: float, _random: np.random.Generator) -> np.ndarray:
    """Maps averaged over the thermal width, −∂f/∂E."""
    step = 6.0
    reach = (
        np.arange(-np.ceil(1.5 * THERMAL * kelvin / step), np.ceil(1.5 * THERMAL * kelvin / step) + 1) * step
    )
    weight = 1 / np.cosh(reach / (2 * 0.08617 * kelvin)) ** 2
    weight /= weight.sum()
    energies = np.unique(np.round((layout.bias_mv[:, None] + reach).ravel(), 6))
    sharp = waves_at(layout, layout.wavevector(energies), layout.amplitude(energies))
    index = np.searchsorted(energies, np.round(layout.bias_mv[:, None] + reach, 6))
    return np.stack([np.tensordot(weight, sharp[one], 1) for one in index])


def _linear(layout: Layout, slope: float, _random: np.random.Generator) -> np.ndarray:
    """A linear band: k grows with the energy by `slope` between the first and the last bias, about the same mean."""
    mean = layout.k.mean()
    t = (layout.bias_mv - layout.bias_mv.mean()) / max(np.ptp(layout.bias_mv), 1.0)
    return waves_at(layout, mean * (1 + slope * t), layout.amplitude(layout.bias_mv))


def _steep(layout: Layout, value: float, _random: np.random.Generator) -> Layout:
    """Phase shifts that move `value` times faster with the energy."""
    faster = replace(layout.scatterers, slope=layout.scatterers.slope * value)
    return replace(layout, scatterers=faster)


CONFOUNDERS = (
    Confounder("p-wave", "p wave, half / pure", "scatterers", 0.5, 1.0, waves=_p_wave, without=False),
    Confounder("extended", "discs of 0.5 / 0.9 nm", "scatterers", 0.5, 0.9, waves=_extended, without=False),
    Confounder("fano", "Fano resonances", "scatterers", 0.5, 1.0, waves=_fano, without=False),
    Confounder("bound", "bound states", "scatterers", 1.0, 3.0, waves=_bound, without=False),
    Confounder("steep", "phase shifts that move fast", "scatterers", 3, 6, layout=_steep, without=False),
    Confounder("two-bands", "two bands", "bands", 0.3, 0.5, waves=_two_bands, without=False),
    Confounder("spin-split", "k ± 4 / 10 %", "bands", 0.04, 0.10, waves=_spin_split, without=False),
    Confounder("helical", "helical band, half / whole", "bands", 0.5, 1.0, waves=_helical, without=False),
    Confounder(
        "anisotropic", "k anisotropic by 5 / 12 %", "bands", 0.05, 0.12, waves=_anisotropic, without=False
    ),
    Confounder("warped", "hexagonal warping 3 / 8 %", "bands", 0.03, 0.08, waves=_warped, without=False),
    Confounder("warm", "30 / 77 K", "bands", 30, 77, waves=_warm, without=False),
    Confounder("linear", "linear band", "bands", 0.5, 1.2, waves=_linear, without=False),
)
