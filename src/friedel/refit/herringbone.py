"""Search for a periodic modulation of the wavevector, as Au(111)'s herringbone makes, in the residual of a joint fit.

For every direction of its wavevector: by how much would χ² fall if its two amplitudes were fitted together with all
scattering amplitudes? To first order that is a score test, which needs the normal equations of the fit once and two
columns per direction: how the optical paths from the pixels to the scatterers change the map. Positions, and the paths
from scatterer to scatterer, are held: that is far quicker, and the fit then corrects the amplitude.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from friedel._util.threads import each
from friedel.physics.optical_paths import Ripple, by_ripples
from friedel.progress import Progress
from friedel.refit import cholesky
from friedel.refit.amplitude_prior import AMPLITUDES
from friedel.refit.joint_fit.data import FitData
from friedel.refit.joint_fit.evaluation import compare, nuisance, wave_model
from friedel.refit.joint_fit.unknowns import SHARED_PRIOR
from friedel.refit.normal_equations import moments_over_energy
from friedel.refit.parameters import Layout

if TYPE_CHECKING:
    from collections.abc import Generator

    from friedel.refit.field_model import FieldModel
    from friedel.refit.joint_fit.data import FitData
    from friedel.refit.joint_fit.state import FitState


@dataclass(frozen=True)
class HerringboneConstants:
    """Numbers of the search.

    Parameters
    ----------
    period_nm : float
        Period of the reconstruction of Au(111) (arXiv 1407.5408).
    min_gain : float
        Least fall of χ².
    pixels_per_gain : int
        χ² must also fall by one per so many pixels: what the model lacks weighs the more, the more pixels are used.
    min_contrast : float
        Least ratio of the fall of χ² to that of the median direction.
    directions, maps : int
        Directions that are tried, and maps that are used.
    parts_at_once : int
        Parts of the pixels between two reports of the progress.
    """

    period_nm: float = 6.3
    min_gain: float = 25.0
    pixels_per_gain: int = 60
    min_contrast: float = 4.0
    directions: int = 30
    maps: int = 3
    parts_at_once: int = 16


HERRINGBONE = HerringboneConstants()


@dataclass(frozen=True, eq=False)
class _Columns:
    """Changes of the maps by all amplitudes (m columns) and by the two amplitudes of every direction, (v, p, m + 2 D).

    `density` is the model itself, (v, p).
    """

    values: np.ndarray
    density: np.ndarray


def iter_ripple(data: FitData, state: FitState, q: float) -> Generator[Progress, None, Ripple | None]:
    """Find the herringbone of wavevector `q` [rad/px] that explains most, None if none stands out.

    Yields
    ------
    Progress
        Once per part of the pixels.

    Returns
    -------
    Ripple or None
        With its amplitudes to first order.
    """
    c = HERRINGBONE
    angle = np.arange(c.directions) * np.pi / c.directions
    waves_q = q * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    used = state.subset.maps
    maps = used[np.unique(np.linspace(0, len(used) - 1, c.maps).round().astype(int))]
    layout = Layout(len(state.scatterers), data.n_coefficients, (), positions=False)
    model = wave_model(data, state, maps)
    columns = yield from _iter_columns(model, layout.columns, waves_q)
    gain, amplitude = _gains(data, state, layout, columns, maps)
    best = int(gain.argmax())
    least = max(c.min_gain, len(model.place) / c.pixels_per_gain, c.min_contrast * float(np.median(gain)))
    if gain[best] < least:
        return None
    # Between two of the directions that were tried: the top of a parabola, with the same phase in the field's middle.
    before, after = gain[best - 1], gain[(best + 1) % c.directions]
    beside = (after - before) / max(4 * gain[best] - 2 * before - 2 * after, 1e-9)
    turned = angle[best] + np.clip(beside, -0.5, 0.5) * np.pi / c.directions
    row, column = (q * np.sin(turned)).item(), (q * np.cos(turned)).item()
    moved = np.exp(1j * (waves_q[best] - (row, column)) @ model.place.mean(axis=0))
    wave = complex(*amplitude[best] * (1, -1)) * moved
    return Ripple(wave.real, -wave.imag, (row, column))


def _iter_columns(model: FieldModel, m: int, waves_q: np.ndarray) -> Generator[Progress, None, _Columns]:
    """Derivatives of all maps by the amplitudes and by the ripples of wavevectors `waves_q`, (D, 2)."""
    pixels, count = len(model.place), len(model.scattering)
    values = np.empty((count, pixels, m + 2 * len(waves_q)), np.float32)
    density = np.empty((count, pixels), np.float32)

    def fill(part: slice) -> None:
        maps = list(model.waves(part))
        for v, waves in enumerate(maps):
            density[v, part] = waves.density
            waves.derivative(out=values[v, part, :m], positions=False)
        stretches = [waves.stretch for waves in maps]
        values[:, part, m:] = by_ripples(stretches, model.place[part], model.position, waves_q)

    parts = model.parts()
    for first in range(0, len(parts), HERRINGBONE.parts_at_once):
        each(fill, parts[first : first + HERRINGBONE.parts_at_once])
        yield Progress(parts[first].start / pixels, "searching for a herringbone")
    return _Columns(values, density)


def _gains(
    data: FitData, state: FitState, layout: Layout, columns: _Columns, maps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fall of χ² with each direction, (D,), and its two amplitudes, (D, 2), all scattering amplitudes refitted."""
    weights = compare(data, state, columns.density, nuisance(data, state), maps)
    count, m, width = len(maps), layout.columns, columns.values.shape[2]
    square, left = np.empty((count, width, width), np.float32), np.empty((count, width))
    unit = weights.unit

    def multiply(v: int) -> None:
        one = columns.values[v]
        one *= (weights.map[v] * weights.pixel).astype(np.float32)[:, None]
        along = np.vstack([weights.nuisance.T @ one, unit[v] @ one])
        square[v], left[v] = one.T @ one - along.T @ along, weights.left[v] @ one

    each(multiply, range(count))
    energy = data.energy[maps]
    halves = np.stack([np.ones(len(energy)), energy])
    normal = layout.expand_square(moments_over_energy(square[:, :m, :m], energy))
    gradient = layout.expand((halves @ left[:, :m]).ravel())
    cross = layout.expand(np.tensordot(halves, square[:, :m, m:], axes=1).reshape(2 * m, -1))
    own, slope = square[:, m:, m:].sum(axis=0, dtype=float), left[:, m:].sum(axis=0)
    normal[np.diag_indices(layout.size)] += AMPLITUDES.spread**-2.0
    through = cholesky.solve(normal, np.column_stack([cross, gradient]))
    slope -= cross.T @ through[:, -1]
    own -= cross.T @ through[:, :-1]
    directions = (width - m) // 2
    gain, amplitude = np.zeros(directions), np.zeros((directions, 2))
    for i in range(directions):
        at = np.s_[2 * i : 2 * i + 2]
        amplitude[i] = np.linalg.solve(own[at, at] + np.eye(2) / SHARED_PRIOR.cosine**2, slope[at])
        gain[i] = slope[at] @ amplitude[i]
    return gain, amplitude
