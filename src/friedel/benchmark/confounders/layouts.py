"""Where impurities are and how strongly they scatter: the common field, and layouts that are unusual."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from friedel.benchmark.confounders.draft import Confounder, Layout
from friedel.benchmark.instrument import pixels
from friedel.benchmark.settings import Setting
from friedel.benchmark.synthetic import SEPARATION_NM
from friedel.benchmark.t_matrix_exact import Places, Scatterers, distances, scattered
from friedel.errors import PhysicsError
from friedel.physics.dispersion import Dispersion, resolve

#: The standard scenes' field at every third bias voltage: 80×80 px, 42 maps, noise 0.8; no herringbone.
SETTING = Setting(bias_mv=tuple(float(v) for v in range(-230, 17, 6)), impurities=45, herringbone=False)


def true_band() -> Dispersion:
    """Return the band of `SETTING`'s material."""
    band = resolve(SETTING.material)
    if band is None:
        raise PhysicsError(f"The material {SETTING.material!r} has no band.")
    return band


def make_layout(impurities: int, random: np.random.Generator, bias_mv: np.ndarray | None = None) -> Layout:
    """Draw `impurities` scatterers in the field and as many per area within 20 px around it."""
    rows, columns = SETTING.shape
    margin = SETTING.margin_nm / SETTING.pixel_nm
    low, high = np.full(2, -0.5 - margin), np.array([rows, columns]) - 0.5 + margin
    ring = np.prod(high - low) / (rows * columns) - 1
    wanted = {True: impurities, False: int(random.poisson(impurities * ring))}
    places: list[np.ndarray] = []
    while any(wanted.values()):
        place = random.uniform(low, high)
        inside = bool(((place >= -0.5) & (place <= np.array([rows, columns]) - 0.5)).all())
        if not wanted[inside]:
            continue
        if places and np.hypot(*(np.array(places) - place).T).min() < SEPARATION_NM / SETTING.pixel_nm:
            continue
        places.append(place)
        wanted[inside] -= 1
    position = np.array(places).reshape(-1, 2)
    bias = np.asarray(SETTING.bias_mv if bias_mv is None else bias_mv)
    return Layout(SETTING.shape, SETTING.pixel_nm, bias, true_band(), draw_scatterers(position, random))


def draw_scatterers(position: np.ndarray, random: np.random.Generator) -> Scatterers:
    """Heterogeneous scatterers, none weaker than a third of the strongest possible."""
    n = len(position)
    delta, elasticity = random.uniform(0, np.pi, n), random.uniform(0.3, 1.0, n)
    while (weak := np.abs(elasticity * np.exp(2j * delta) - 1) / 2 < 1 / 3).any():
        delta[weak] = random.uniform(0, np.pi, int(weak.sum()))
        elasticity[weak] = random.uniform(0.3, 1.0, int(weak.sum()))
    return Scatterers(position, delta, random.uniform(-1, 1, n), elasticity)


def plain_waves(layout: Layout) -> np.ndarray:
    """ρ/ρ₀ − 1 of point scatterers on a free surface, shape (V, H, W)."""
    return waves_at(layout, layout.k, layout.amplitude(layout.bias_mv))


def waves_at(
    layout: Layout, k: np.ndarray, amplitude: np.ndarray, scale: tuple[float, float] = (1.0, 1.0)
) -> np.ndarray:
    """The same for other wavevectors (V,) and amplitudes (V, N), in coordinates scaled by `scale`.

    An elliptical band is an isotropic one in scaled coordinates.
    """
    grid, points = pixels(layout.shape) * scale, layout.scatterers.position * scale
    away, between = Places(distances(grid, points)), distances(points, points)
    maps = [scattered(away, between, k[v], amplitude[v]) for v in range(len(k))]
    return np.reshape(maps, (len(k), *layout.shape))


def _few(layout: Layout, count: float, random: np.random.Generator) -> Layout:
    """Only so many impurities, at least 12 px inside, and none outside."""
    rows, columns = layout.shape
    places: list[np.ndarray] = []
    while len(places) < count:
        place = random.uniform(12, np.array([rows, columns]) - 13)
        if not places or np.hypot(*(np.array(places) - place).T).min() > 8:
            places.append(place)
    return replace(layout, scatterers=draw_scatterers(np.array(places), random))


def _clusters(layout: Layout, size: float, random: np.random.Generator) -> Layout:
    """Impurities in tight groups of `size`, neighbours 2 to 3.5 px apart."""
    seeds = make_layout(round(45 / size), random).scatterers.position
    places: list[np.ndarray] = []
    for seed in seeds:
        group = [seed]
        for _ in range(200):
            if len(group) == int(size):
                break
            angle, step = random.uniform(0, 2 * np.pi), random.uniform(2.0, 3.5)
            place = group[random.integers(len(group))] + step * np.array([np.sin(angle), np.cos(angle)])
            if np.hypot(*(np.array(group + places) - place).T).min() >= 2.0:
                group.append(place)
        places += group
    return replace(layout, scatterers=draw_scatterers(np.array(places), random))


def _crowded(_layout: Layout, count: float, random: np.random.Generator) -> Layout:
    """Many more impurities."""
    return make_layout(int(count), random)


def _voltages(layout: Layout, count: float, random: np.random.Generator) -> Layout:
    """Only so many bias voltages, evenly over the range or, if one, anywhere in it."""
    n = len(layout.bias_mv)
    chosen = (
        np.linspace(0, n - 1, int(count)).round().astype(int) if count > 1 else random.integers(n, size=1)
    )
    return replace(layout, bias_mv=layout.bias_mv[chosen])


def _outside(layout: Layout, density: float, random: np.random.Generator) -> Layout:
    """Scatterers outside the field only, at least 2 px away from it; `density` as that many in the field."""
    position = make_layout(int(density), random).scatterers.position
    near = (position > -2.5) & (position < np.array(layout.shape) + 1.5)
    return replace(layout, scatterers=draw_scatterers(position[~near.all(axis=1)], random))


CONFOUNDERS = (
    Confounder("few", "three / one impurity", "layout", 3, 1, layout=_few, without=False),
    Confounder("two", "two impurities", "layout", 2, 2, layout=_few, without=False),
    Confounder("clusters", "clusters of 3 / 6", "layout", 3, 6, layout=_clusters, without=False),
    Confounder("crowded", "90 / 150 impurities", "layout", 90, 150, layout=_crowded, without=False),
    Confounder("outside", "scatterers outside only", "layout", 45, 90, layout=_outside, alone=True),
    Confounder("voltages-few", "5 / 1 voltages", "layout", 5, 1, layout=_voltages),
    Confounder("voltages-some", "3 / 2 voltages", "layout", 3, 2, layout=_voltages),
)
