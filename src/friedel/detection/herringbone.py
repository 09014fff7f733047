"""Look for a periodic change of the wavevector, as Au(111)'s herringbone makes, in what a joint fit leaves over.

For every direction of the ripple's wavevector: by how much would χ² fall if its two amplitudes were fitted together
with all strengths? To first order that is a score test, which needs the normal equations of the fit once and two
columns a direction: how the ways from the pixels to the scatterers change the map. Positions, and the ways from
scatterer to scatterer, are held: that is far quicker, and the fit then puts the amplitude right.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from friedel._util.threads import each
from friedel.detection import positive
from friedel.detection.fit_layout import Layout
from friedel.detection.joint_fit import PRIOR, JointFit
from friedel.detection.normal_equations import moments_over_energy
from friedel.detection.strength_prior import STRENGTH_SPREAD
from friedel.physics.t_matrix_jacobian import Ripple, by_ripples
from friedel.progress import Progress

#: Period of the reconstruction of Au(111) [nm] (arXiv 1407.5408).
PERIOD_NM = 6.3
#: Least fall of χ², also one for so many pixels (what the model lacks weighs the more, the more is looked at), and
#: its least ratio to that of the usual direction, for a ripple to be believed.
LEAST_GAIN, PIXELS, LEAST_CONTRAST = 25.0, 60, 4.0
#: Directions that are tried, and the voltages that are looked at.
DIRECTIONS, VOLTAGES = 30, 3
#: Parts of the pixels that are worked on between two reports of the progress.
AT_ONCE = 16


def iter_ripple(fit: JointFit, q: float) -> Generator[Progress, None, Ripple | None]:
    """Find the ripple of wavevector `q` [rad/px] that explains most, None if none stands out.

    Yields
    ------
    Progress
        Once a part of the pixels.

    Returns
    -------
    Ripple or None
        With its amplitudes as far as the first order tells.
    """
    angle = np.arange(DIRECTIONS) * np.pi / DIRECTIONS
    waves_q = q * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    voltages = fit.chosen[np.unique(np.linspace(0, len(fit.chosen) - 1, VOLTAGES).round().astype(int))]
    n = len(fit.position)
    layout = Layout(n, fit.courses, [], positions=False)
    model = fit.model(voltages)
    # Columns of all strengths, and from `m` on of the two amplitudes of every direction, (V, P, m + 2 D).
    m, pixels = layout.columns, len(model.place)
    columns = np.empty((len(voltages), pixels, m + 2 * DIRECTIONS), np.float32)
    density = np.empty((len(voltages), pixels), np.float32)

    def fill(part: slice) -> None:
        maps = list(model.waves(part))
        for v, waves in enumerate(maps):
            density[v, part] = waves.density
            waves.derivative(out=columns[v, part, :m], positions=False)
        stretches = [waves.stretch for waves in maps]
        columns[:, part, m:] = by_ripples(stretches, model.place[part], model.position, waves_q)

    parts = model.parts()
    for first in range(0, len(parts), AT_ONCE):
        each(fill, parts[first : first + AT_ONCE])
        yield Progress(parts[first].start / pixels, "looking for a herringbone")
    weights = fit.compare(density, fit.nuisance(), voltages)
    width = columns.shape[2]
    square, left = np.empty((len(columns), width, width), np.float32), np.empty((len(columns), width))

    unit = weights.unit

    def multiply(v: int) -> None:
        one = columns[v]
        one *= (weights.map[v] * weights.pixel).astype(np.float32)[:, None]
        along = np.vstack([weights.nuisance.T @ one, unit[v] @ one])
        square[v], left[v] = one.T @ one - along.T @ along, weights.left[v] @ one

    each(multiply, range(len(columns)))
    energy = fit.energy[voltages]
    halves = np.stack([np.ones(len(energy)), energy])
    normal = layout.expand_square(moments_over_energy(square[:, :m, :m], energy))
    gradient = layout.expand((halves @ left[:, :m]).ravel())
    cross = layout.expand(np.tensordot(halves, square[:, :m, m:], axes=1).reshape(2 * m, -1))
    own, slope = square[:, m:, m:].sum(axis=0, dtype=float), left[:, m:].sum(axis=0)
    normal[np.diag_indices(layout.size)] += STRENGTH_SPREAD**-2.0
    through = positive.solve(normal, np.column_stack([cross, gradient]))
    slope -= cross.T @ through[:, -1]
    own -= cross.T @ through[:, :-1]
    gain, amplitude = np.zeros(DIRECTIONS), np.zeros((DIRECTIONS, 2))
    for i in range(DIRECTIONS):
        at = np.s_[2 * i : 2 * i + 2]
        amplitude[i] = np.linalg.solve(own[at, at] + np.eye(2) / PRIOR["cosine"] ** 2, slope[at])
        gain[i] = slope[at] @ amplitude[i]
    best = int(gain.argmax())
    if gain[best] < max(LEAST_GAIN, pixels / PIXELS, LEAST_CONTRAST * float(np.median(gain))):
        return None
    # Between two of the directions that were tried: the top of a parabola, with the same phase in the field's middle.
    before, after = gain[best - 1], gain[(best + 1) % DIRECTIONS]
    beside = (after - before) / max(4 * gain[best] - 2 * before - 2 * after, 1e-9)
    turned = angle[best] + np.clip(beside, -0.5, 0.5) * np.pi / DIRECTIONS
    row, column = (q * np.sin(turned)).item(), (q * np.cos(turned)).item()
    moved = np.exp(1j * (waves_q[best] - (row, column)) @ model.place.mean(axis=0))
    wave = complex(*amplitude[best] * (1, -1)) * moved
    return Ripple(wave.real, -wave.imag, (row, column))
