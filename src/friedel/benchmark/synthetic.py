"""Synthetic fields: dI/dV stacks with known impurities, by an independent exact simulator, for benchmarks only.

A synthetic field holds what real data hold and an ideal simulation leaves out: scatterers outside the field, cores that
follow no universal law, the herringbone (as phase and as stripes), z-jitter that multiplies a pixel's whole
spectrum, row offsets, drift, tip changes, white noise. Left out: the set-point's division, the herringbone's
zigzag, tip shape.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from friedel._util.moved import renamed
from friedel.benchmark.greens import multipole
from friedel.benchmark.inpaint import Patch
from friedel.benchmark.instrument import bound_state, measure, nearest, pixels, scramble, smooth_in_bias
from friedel.benchmark.t_matrix_exact import (
    Places,
    Ripple,
    Scatterers,
    complex_wavevector,
    distances,
    scattered,
)
from friedel.geometry import know_truth
from friedel.physics.dispersion import Dispersion, required
from friedel.stack import make_stack

if TYPE_CHECKING:
    import xarray as xr

    from friedel.benchmark.settings import Setting

#: Atoms do not sit closer together than this [nm] (1.5 px of the paper's map).
SEPARATION_NM = 0.7
#: Cores reach from 0.28 to 1.13 nm: 0.6 to 2.4 px of the paper's map.
CORE_NM = (0.28, 1.13)
#: Pixels this close to an impurity are replaced in the variants without cores (1.5 px of the paper's map).
REPLACED_NM = 0.7
#: rms of the waves relative to ρ₀ in a field of 60 scatterers; the noise of an empty field refers to it.
TYPICAL_RMS = 0.2


@dataclass(frozen=True)
class SyntheticField:
    """A simulated stack and the whole truth about it.

    Parameters
    ----------
    stack : xarray.Dataset
        Channel ``LockinX``, image ``bound_state``; positions by `friedel.stack.true_positions`.
    scatterers : Scatterers
        All of them, outside the field too.
    core_px : array, shape (N,)
        Radius of each core.
    noise : array, shape (bias,)
        Standard deviation of the white noise, unit of ρ₀.
    k : array of complex, shape (bias,)
        Wavevector [rad/px].
    amplitude : array of complex, shape (bias, N)
        s_i at each bias.
    setting : Setting
    dispersion : Dispersion
    """

    stack: xr.Dataset
    scatterers: Scatterers
    core_px: np.ndarray
    noise: np.ndarray
    k: np.ndarray
    amplitude: np.ndarray
    setting: Setting
    dispersion: Dispersion

    def truth(self, border_px: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """Positions to be found and which of them may be left out.

        An impurity within `border_px` of the field's border, on either side of it, is optional: a point on it
        is neither right nor false, and no point on it is no miss.

        Returns
        -------
        positions : array, shape (n, 2)
        optional : array of bool, shape (n,)
        """
        edge = _to_border(self.scatterers.position, self.setting.shape)
        near = edge > -border_px
        return self.scatterers.position[near], edge[near] <= border_px


def make_synthetic(setting: Setting, seed: int | tuple[int, ...] = 0) -> SyntheticField:
    """Simulate a stack.

    Parameters
    ----------
    setting : Setting
    seed : int or tuple of int
        The waves do not change with `setting.cores`, so that the variants without cores are the same fields.

    Returns
    -------
    SyntheticField
    """
    dispersion = required(setting.material)
    streams = np.random.SeedSequence(seed).spawn(4)
    cores, stripe, instrument = (np.random.default_rng(s) for s in streams[1:])
    bias = np.asarray(setting.bias_mv)
    waves = _field(replace(setting, cores="scrambled"), seed)
    points, maps = waves.scatterers.position, waves.maps
    rms = np.sqrt(np.mean((maps - maps.mean((1, 2), keepdims=True)) ** 2, axis=(1, 2)))
    if len(points) == 0:
        rms = np.full(len(bias), TYPICAL_RMS)
    core_px = cores.uniform(*CORE_NM, len(points)) / setting.pixel_nm
    if waves.ripple is not None:
        stripes = waves.ripple.cosine(pixels(setting.shape)).reshape(setting.shape)
        maps = maps + 0.3 * rms[:, None, None] * smooth_in_bias(bias, 1, stripe)[:, 0, None, None] * stripes
    if setting.cores == "replaced":
        near = nearest(setting.shape, points) <= REPLACED_NM / setting.pixel_nm
        maps = Patch(near).fill(maps)
    else:
        maps = scramble(maps, bias, points, core_px, rms, cores)
    maps = measure(1 + maps, setting, rms, instrument)
    stack = make_stack(
        {"LockinX": maps},
        bias_mv=bias,
        pixel_nm=setting.pixel_nm,
        images={"bound_state": bound_state(setting, points, stripe)},
        instrument="synthetic field",
        source=f"{setting.material}, {setting.impurities} impurities",
        header={name: getattr(setting, name) for name in setting.__dataclass_fields__ if name != "bias_mv"},
    )
    inside = points[_to_border(points, setting.shape) >= 0]
    stack = know_truth(stack, inside)
    noise = setting.noise * rms
    return SyntheticField(
        stack, waves.scatterers, core_px, noise, waves.k, waves.amplitude, setting, dispersion
    )


class _Waves(NamedTuple):
    scatterers: Scatterers
    k: np.ndarray  # (bias,) complex [rad/px]
    amplitude: np.ndarray  # (bias, N) complex
    ripple: Ripple | None
    maps: np.ndarray  # (bias, rows, columns), ρ/ρ₀ − 1


@lru_cache(maxsize=2)
def _field(setting: Setting, seed: int | tuple[int, ...]) -> _Waves:
    """Scatterers and their waves; kept, because the variant without cores asks for the same again."""
    dispersion = required(setting.material)
    random = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    bias = np.asarray(setting.bias_mv)
    energy = bias - dispersion.onset_mev
    k = complex_wavevector(energy, dispersion.mass, dispersion.broadening_mev) * setting.pixel_nm
    scatterers = _with_planted(_scatterers(setting, random), setting)
    middle = (bias.min() + bias.max()) / 2
    amplitude = np.array([scatterers.amplitude(v - middle) for v in bias]).reshape(len(bias), -1)
    ripple = _ripple(setting, float(np.mean(energy)), random)
    maps = _waves(setting, scatterers, k, amplitude, ripple, random)
    maps.setflags(write=False)
    return _Waves(scatterers, k, amplitude, ripple, maps)


def _to_border(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Distance to the field's border [px], positive inside."""
    if len(points) == 0:
        return np.zeros(0)
    low, high = points + 0.5, np.asarray(shape) - 0.5 - points
    gap = np.minimum(low, high)
    outside = np.hypot(*np.minimum(gap, 0).T)
    result: np.ndarray = np.where(outside > 0, -outside, gap.min(1))
    return result


def _scatterers(setting: Setting, random: np.random.Generator) -> Scatterers:
    """Random places (hard discs, exact number inside, Poisson number outside) and scattering amplitudes."""
    rows, columns = setting.shape
    margin = setting.margin_nm / setting.pixel_nm
    ring = (rows + 2 * margin) * (columns + 2 * margin) / (rows * columns) - 1
    wanted = {True: setting.impurities, False: int(random.poisson(setting.impurities * ring))}
    count = {True: 0, False: 0}
    places: list[np.ndarray] = []
    while count != wanted:
        place = random.uniform(-0.5 - margin, np.array([rows, columns]) - 0.5 + margin)
        inside = bool(((place >= -0.5) & (place <= np.array([rows, columns]) - 0.5)).all())
        if count[inside] == wanted[inside]:
            continue
        if places and np.hypot(*(np.array(places) - place).T).min() < SEPARATION_NM / setting.pixel_nm:
            continue
        places.append(place)
        count[inside] += 1
    n = len(places)
    position = np.array(places).reshape(n, 2)
    if setting.scatterers not in ("usual", "p-wave"):
        return _special(setting.scatterers, position, random)
    if not setting.unlike:
        return Scatterers(position, np.full(n, 1.9), np.full(n, -0.5), np.full(n, 0.8))
    delta, elasticity = np.zeros(n), np.zeros(n)
    for i in range(n):
        while True:  # an impurity that scatters less than a third of the strongest is none for this purpose
            delta[i], elasticity[i] = random.uniform(0, np.pi), random.uniform(0.3, 1.0)
            if abs(elasticity[i] * np.exp(2j * delta[i]) - 1) / 2 >= 1 / 3:
                break
    return Scatterers(position, delta, random.uniform(-1, 1, n), elasticity)


def _with_planted(drawn: Scatterers, setting: Setting) -> Scatterers:
    """The drawn scatterers, then those of `Setting.planted`."""
    if not setting.planted:
        return drawn
    more = np.array(setting.planted, float)
    return Scatterers(
        np.concatenate([drawn.position, more[:, :2]]),
        *(
            np.concatenate([values, more[:, column]])
            for column, values in enumerate((drawn.delta, drawn.slope, drawn.elasticity), start=2)
        ),
    )


def _special(kind: str, position: np.ndarray, random: np.random.Generator) -> Scatterers:
    """Weak, unitary or absorbing scatterers (`Setting.scatterers`)."""
    n = len(position)
    slope, elasticity = random.uniform(-1, 1, n), np.ones(n)
    if kind == "born":
        delta = random.uniform(0.15, 0.3, n) * random.choice([-1, 1], n)
    elif kind == "unitary":
        delta = np.pi / 2 + random.uniform(-0.15, 0.15, n)
    else:
        delta, elasticity = random.uniform(0, np.pi, n), random.uniform(0, 0.2, n)
    return Scatterers(position, delta, slope, elasticity)


def _ripple(setting: Setting, energy_mev: float, random: np.random.Generator) -> Ripple | None:
    """Herringbone: ±38 meV at a period of 6.3 nm (arXiv 1407.5408), in a random direction."""
    if not setting.herringbone:
        return None
    q = 2 * np.pi / 6.3 * setting.pixel_nm
    angle = random.uniform(0, np.pi)
    return Ripple(38 / (2 * energy_mev), (q * np.sin(angle), q * np.cos(angle)), random.uniform(0, 2 * np.pi))


def _waves(
    setting: Setting,
    scatterers: Scatterers,
    k: np.ndarray,
    amplitude: np.ndarray,
    ripple: Ripple | None,
    random: np.random.Generator,
) -> np.ndarray:
    """ρ/ρ₀ − 1 of every map, shape (bias, rows, columns); with drift, a pixel is where the tip really was."""
    rows, columns = setting.shape
    grid = pixels(setting.shape)
    if len(scatterers.position) == 0:
        return np.zeros((len(k), rows, columns))
    if setting.scatterers == "p-wave":
        delta = random.uniform(0.5, 1.5, amplitude.shape[1]) * random.choice([-1.0, 1.0], amplitude.shape[1])
        p = np.broadcast_to((np.exp(2j * delta) - 1) / 4, amplitude.shape)
        maps = multipole(grid, scatterers.position, k, np.stack([p, amplitude, p], axis=1), (-1, 0, 1))
        return maps.reshape(-1, rows, columns)
    between = distances(scatterers.position, scatterers.position, ripple)
    angle = random.uniform(0, 2 * np.pi)
    displacement = setting.drift_px * np.array([np.sin(angle), np.cos(angle)])
    away = Places(distances(grid, scatterers.position, ripple))
    within = np.arange(len(grid))[:, None] / len(grid)
    maps = np.empty((len(k), rows, columns))
    for v in range(len(k)):
        if setting.drift_px:
            time = (v + within) / len(k)
            away = Places(distances(grid + displacement * (time - 0.5), scatterers.position, ripple))
        maps[v] = scattered(away, between, k[v], amplitude[v]).reshape(rows, columns)
    return maps


#: Names of version 0.1.
__getattr__ = renamed(__name__, {"Twin": "SyntheticField", "make_twin": "make_synthetic"})
