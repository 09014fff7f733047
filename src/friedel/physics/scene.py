"""Random scenes for training: scatterers in and around a field, their LDOS, and what the microscope makes of it.

A scene is larger than the field that is cut from it: waves also arrive from scatterers outside. Cores carry no
universal physics, so what happens within a core radius is randomised; a network can learn only the waves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from friedel._util.moved import renamed
from friedel.physics import instrument
from friedel.physics.draws import Range, chance, log_uniform, now, uniform
from friedel.physics.scene_texture import fill, texture
from friedel.physics.structured import gathered, p_waves, with_arms
from friedel.physics.t_matrix_torch import Ripple, distances, ldos, scattering_amplitude


@dataclass(frozen=True)
class SceneConfig:
    """Ranges from which scenes are drawn; each pair is (low, high). Lengths in pixels, k in rad/px."""

    size: int = 48
    voltages: int = 12
    margin: float = 14.0  # how far outside the field scatterers lie
    density: Range = (4 / 6400, 170 / 6400)  # scatterers per pixel, log-uniform
    empty: float = 0.04  # share of fields without any scatterer inside or around
    closest: Range = (0.8, 3.0)  # smallest distance between two scatterers
    k: Range = (0.62, 0.92)  # geometric mean of k over the voltages
    k_ratio: Range = (1.0, 2.0)  # highest over lowest k
    k_error: float = 0.01  # relative error with which the analyst knows k
    broadening: Range = (0.002, 0.03)  # Im k / Re k
    phase: float = math.pi / 2  # unlike scatterers: δ within ± this
    weakest: float = 0.3  # smallest |sin δ|
    phase_slope: float = 0.7  # change of δ from the lowest to the highest voltage [rad], Gaussian width
    elasticity: Range = (0.1, 1.0)  # η = |e^{2iδ}|
    like: float = 0.35  # share of scenes whose scatterers are all alike
    core: Range = (0.5, 3.4)  # radius within which the map is made up
    core_edge: Range = (0.08, 0.5)  # width of the core's rim [px]
    core_height: Range = (0.3, 3.0)  # signal in a core [rms of the waves], log-uniform
    core_kept: float = 0.2  # share of scenes with the formula's own cores; below: with none but surroundings
    core_filled: float = 0.15
    noise: Range = (0.03, 1.3)  # noise [rms of the waves], log-uniform
    correlation: tuple[float, float] = (0.0, 0.0)  # of neighbours' noise along rows and columns; no range
    jitter: Range = (0.0, 0.9)  # noise common to all voltages (z-jitter) [rms of the waves]
    rows: Range = (0.0, 0.8)
    drift: Range = (0.0, 1.6)
    tip_change: float = 0.25  # share of scenes with one
    map_drift: float = 0.3  # share of scenes taken map after map, which drift from voltage to voltage
    herringbone: float = 0.35
    ripple: Range = (0.02, 0.07)  # relative shift of k by the herringbone
    set_point: float = 0.25
    extended: float = 0.0  # share of scenes whose impurities are several sources each
    arms: Range = (0.4, 1.6)  # distance of these from the centre
    p_wave: float = 0.0  # share of scenes whose impurities scatter p waves, half of them nothing else
    clustered: float = 0.0  # share of scenes whose impurities form groups
    together: Range = (1.5, 4.0)  # distance of neighbours in a group


@dataclass(frozen=True)
class Scene:
    """A batch of random fields and what is true of them.

    maps : (B, V, H, W), dI/dV with background 1, as recorded;
    k : (B, V), wavevector [rad/px] as the analyst knows it;
    points : (B, N, 2), recorded positions (row, column) of all scatterers, also outside the field;
    present : (B, N), False for padding.
    """

    maps: torch.Tensor
    k: torch.Tensor
    points: torch.Tensor
    present: torch.Tensor


def scatter_points(
    batch: int, config: SceneConfig, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random positions in the field and its margin, no two closer than a random distance.

    Returns
    -------
    points : Tensor, shape (B, N, 2)
        Row and column [px]; the field is [−½, size − ½).
    present : Tensor, shape (B, N), bool
    """
    side = config.size + 2 * config.margin
    counts = torch.poisson(log_uniform(config.density, (batch,), rng) * side**2, generator=rng).long()
    counts = counts * (torch.rand(batch, generator=rng) >= config.empty)
    n = max(int(counts.max()), 1)
    points = torch.rand(batch, n, 2, generator=rng) * side - config.margin - 0.5
    present = torch.arange(n)[None] < counts[:, None]
    if now(config.clustered, rng):
        points = gathered(points, present, config.together, rng)
    # Hard-core thinning: the later one of a pair that is too close goes.
    closest = uniform(config.closest, (batch, 1, 1), rng)
    near = (torch.cdist(points, points) < closest) & present[:, None] & present[:, :, None]
    present = present & ~torch.tril(near, diagonal=-1).any(dim=2)
    return points, present


def _wavevectors(batch: int, config: SceneConfig, rng: torch.Generator) -> torch.Tensor:
    """Wavevectors (B, V) of voltages that are even in energy on a parabolic band: even in k²."""
    mean = uniform(config.k, (batch, 1), rng)
    ratio = torch.sqrt(uniform(config.k_ratio, (batch, 1), rng))
    low, high = mean / ratio, mean * ratio
    return torch.sqrt(low**2 + (high**2 - low**2) * torch.linspace(0, 1, config.voltages)[None])


def _ripple(batch: int, config: SceneConfig, rng: torch.Generator) -> Ripple:
    """Herringbone potential of random direction and period; in most fields there is none."""
    strength = uniform(config.ripple, (batch,), rng) * chance(config.herringbone, batch, rng)
    angle, phase = 2 * math.pi * torch.rand(2, batch, generator=rng)
    q = 2 * math.pi / uniform((9.0, 20.0), (batch, 1), rng)
    return Ripple(strength, q * torch.stack([torch.sin(angle), torch.cos(angle)], dim=1), phase)


def _amplitudes(batch: int, n: int, config: SceneConfig, rng: torch.Generator) -> torch.Tensor:
    """Scattering amplitudes (B, V, N): one kind or many kinds, phases that move slowly with energy."""
    like = chance(config.like, batch, rng)[:, None]
    smallest = math.asin(config.weakest)
    own, common = uniform((smallest, config.phase), (2, batch, n), rng)
    sign_own, sign_common = torch.randn(2, batch, n, generator=rng).sign()
    own, common = own * sign_own, (common * sign_common)[:, :1] + 0.05 * torch.randn(batch, n, generator=rng)
    slope_own, slope_common = config.phase_slope * torch.randn(2, batch, n, generator=rng)
    # From high to low, which is how the scenes were always drawn.
    eta_own, eta_common = uniform(config.elasticity[::-1], (2, batch, n), rng)
    phase = torch.where(like > 0, common, own)
    slope = torch.where(like > 0, slope_common[:, :1].expand(-1, n), slope_own)
    elasticity = torch.where(like > 0, eta_common[:, :1].expand(-1, n), eta_own)
    energy = torch.linspace(-0.5, 0.5, config.voltages).view(1, -1, 1)
    return scattering_amplitude(phase[:, None] + slope[:, None] * energy, elasticity[:, None])


def _scramble_cores(
    maps: torch.Tensor, points: torch.Tensor, present: torch.Tensor, pixels: torch.Tensor, config: SceneConfig,
    rng: torch.Generator,
) -> torch.Tensor:  # fmt: skip
    """Replace what lies within each scatterer's core by a made-up local signal, or by its surroundings.

    Cores may be many pixels wide (a map sampled finely has large ones), flat, round or annular, with or without
    texture: nothing about them tells where an impurity is, except that something is there.
    """
    b, v, h, w = maps.shape
    n = points.shape[1]
    r = torch.cdist(pixels, points) + 1e6 * ~present[:, None]  # (B, P, N)
    largest = uniform((0.4, 1.0), (b, 1, 1), rng) * config.core[1]
    radius = config.core[0] + (largest - config.core[0]) * torch.rand(b, 1, n, generator=rng)
    depth, nearest = (radius - r).max(dim=2)
    inside = torch.sigmoid(depth / uniform(config.core_edge, (b, 1), rng))
    distance = torch.gather(r / radius, 2, nearest[..., None])[..., 0].clamp(max=3.0)
    # Four of five scenes: a local signal of random height and voltage dependence; else the level of the field.
    local = chance(0.8, b, rng).view(b, 1, 1) * present[:, None]
    spectrum = torch.randn(b, n, v // 4 + 2, generator=rng)
    spectrum = torch.nn.functional.interpolate(spectrum, size=v, mode="linear").transpose(1, 2)
    height = spectrum * log_uniform(config.core_height, (b, 1, n), rng) * local
    own = torch.gather(height, 2, nearest[:, None].expand(-1, v, -1))
    profiles = torch.stack([torch.ones_like(distance), torch.exp(-(distance**2)), torch.cos(3 * distance)])
    profile = profiles[torch.randint(0, 3, (b,), generator=rng), torch.arange(b)]
    signal = (own * profile[:, None]).view(b, v, h, w)
    level, scale = maps.mean(dim=(-2, -1), keepdim=True), instrument.spread(maps)
    made_up = level + scale * signal * texture(b, h, w, rng)
    weight = inside.view(b, 1, h, w)
    fate = torch.rand(b, 1, 1, 1, generator=rng)
    surroundings = fill(
        maps, (r.min(dim=2).values.view(b, 1, h, w) <= 1.6) & (present.any(dim=1).view(b, 1, 1, 1))
    )
    scrambled = maps * (1 - weight) + made_up * weight
    kept, filled = config.core_kept, config.core_kept + config.core_filled
    return torch.where(fate < kept, maps, torch.where(fate < filled, surroundings, scrambled))


def clean_scene(batch: int, config: SceneConfig, rng: torch.Generator) -> Scene:
    """Draw scenes without noise: LDOS with drift and scrambled cores.

    Parameters
    ----------
    batch : int
    config : SceneConfig
    rng : torch.Generator

    Returns
    -------
    Scene
    """
    size = config.size
    true, present = scatter_points(batch, config, rng)
    k = _wavevectors(batch, config, rng)
    broadening = log_uniform(config.broadening, (batch, 1), rng)
    s = _amplitudes(batch, true.shape[1], config, rng) * present[:, None]
    grid = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij"), -1).float()
    recorded = grid.view(1, -1, 2).expand(batch, -1, -1)
    drift = uniform(config.drift, (batch, 2), rng) * torch.randn(batch, 2, generator=rng).sign()
    drift = drift * chance(0.5, batch, rng)[:, None]
    ripple = _ripple(batch, config, rng)
    complex_k = torch.complex(k, k * broadening)
    sources, p = true, None
    if now(config.p_wave, rng):
        p = _amplitudes(batch, true.shape[1], config, rng) * present[:, None]
        s = s * (torch.rand(1, generator=rng) < 0.5)
    elif now(config.extended, rng):
        sources, s = with_arms(true, s, config.arms, rng)
    between = distances(sources, sources, ripple)

    def density(pixels: torch.Tensor, at: slice) -> torch.Tensor:
        shown = ldos(between, distances(sources, pixels, ripple), complex_k[:, at], s[:, at])
        if p is not None:
            shown = shown + p_waves(distances(true, pixels, ripple), complex_k[:, at], p[:, at])
        return shown

    if torch.rand(1, generator=rng).item() < config.map_drift:
        # Map after map: the sample moves on from voltage to voltage; true positions are those half-way.
        steps = torch.linspace(-0.5, 0.5, config.voltages)
        columns = [slice(i, i + 1) for i in range(config.voltages)]
        shown = [density(recorded + t * drift[:, None], i) for t, i in zip(steps, columns, strict=True)]
        maps, points = torch.cat(shown, dim=1), true
    else:
        # Grid spectroscopy: the sample moves on from line to line.
        pixels = recorded + instrument.drift_displacement(recorded[..., 0], drift, size)
        maps = density(pixels, slice(None))
        points = instrument.recorded_position(true, drift, size)
    maps = maps.view(batch, -1, size, size)
    # A point scatterer's wave diverges at its centre; a tip of atomic size does not see that.
    level, scale = maps.mean(dim=(-2, -1), keepdim=True), instrument.spread(maps)
    maps = level + 6 * scale * torch.tanh((maps - level) / (6 * scale + 1e-9))
    maps = _scramble_cores(maps, points, present, recorded, config, rng)
    known_k = k * (1 + config.k_error * torch.randn(batch, 1, generator=rng))
    return Scene(maps, known_k, points, present)


def measure(
    scene: Scene, config: SceneConfig, rng: torch.Generator, waves: torch.Tensor | None = None
) -> Scene:
    """Pass clean scenes through the microscope: set-point, herringbone, jitter, rows, tip changes, white noise.

    Noise is relative to `waves` (B, V, 1, 1), by default the rms of each map.
    """
    b, v, h, w = scene.maps.shape
    if waves is None:
        waves = instrument.spread(scene.maps).clamp_min(
            0.01
        )  # an empty field has no waves to compare noise with
    maps = scene.maps
    maps = maps - (maps.amin(dim=(1, 2, 3), keepdim=True) - 0.05).clamp_max(0)
    maps = instrument.set_point(maps, chance(config.set_point, b, rng) * torch.rand(b, generator=rng))
    period = uniform((8.0, 22.0), (b,), rng)
    stripes = chance(config.herringbone, b, rng) * uniform((0.1, 1.0), (b,), rng)
    maps = instrument.herringbone(maps, stripes, period, rng)
    relative = uniform(config.jitter, (b,), rng) * waves.mean(dim=(1, 2, 3)) * chance(0.6, b, rng)
    maps = instrument.z_jitter(maps, relative, rng)
    strength = uniform(config.rows, (b,), rng) * chance(0.6, b, rng)
    shared = instrument.row_offsets(maps, strength, rng)
    single = instrument.row_offsets(maps, strength, rng, shared=False)
    pick = chance(0.5, b, rng).view(b, 1, 1, 1)
    maps = pick * shared + (1 - pick) * single
    maps = instrument.tip_change(maps, chance(config.tip_change, b, rng) * torch.rand(b, generator=rng), rng)
    eta = log_uniform(config.noise, (b, 1, 1, 1), rng)
    noise = instrument.correlated(torch.randn(b, v, h, w, generator=rng), *config.correlation)
    maps = maps + eta * waves * noise
    return Scene(maps, scene.k, scene.points, scene.present)


def random_symmetry(scene: Scene, rng: torch.Generator) -> Scene:
    """Apply one of the eight symmetries of the square, the same to the whole batch."""
    quarter, mirror = (
        torch.randint(0, 4, (1,), generator=rng).item(),
        torch.rand(1, generator=rng).item() < 0.5,
    )
    size = scene.maps.shape[-1]
    maps, points = scene.maps, scene.points
    if mirror:
        maps, points = maps.flip(-1), torch.stack([points[..., 0], size - 1 - points[..., 1]], -1)
    for _ in range(int(quarter)):  # rot90 takes (row, column) to (size − 1 − column, row)
        maps = torch.rot90(maps, 1, (-2, -1))
        points = torch.stack([size - 1 - points[..., 1], points[..., 0]], -1)
    return Scene(maps.contiguous(), scene.k, points, scene.present)


#: Names of version 0.1.
__getattr__ = renamed(__name__, {"turn": "random_symmetry"})
