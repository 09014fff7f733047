"""Look for a periodic change of the wavevector, as Au(111)'s herringbone makes, in what a joint fit leaves over.

For every direction of the ripple's wavevector: by how much would χ² fall if its two amplitudes were fitted together
with everything else? To first order that is a score test, which needs the normal equations of the fit once and two
columns a direction: how the ways from the pixels to the scatterers change the map. The ways from scatterer to scatterer
are held: that makes the amplitude a little too small, which the fit then puts right, and is far quicker.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from friedel.detection.fit_layout import Layout
from friedel.detection.joint_fit import PRIOR, JointFit
from friedel.detection.strength_prior import STRENGTH_SPREAD
from friedel.physics.foldy_lax import Ripple, by_ripples
from friedel.progress import Progress
from friedel.threads import each

#: Period of the reconstruction of Au(111) [nm] (arXiv 1407.5408).
PERIOD_NM = 6.3
#: Least fall of χ², and its least ratio to that of the usual direction, for a ripple to be believed.
LEAST_GAIN, LEAST_CONTRAST = 50.0, 4.0
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
    layout = Layout(n, fit.courses, [])
    model = fit.model(voltages)
    # Columns of everything else, and from `m` on of the two amplitudes of every direction, (V, P, m + 2 D).
    m, pixels = layout.columns, len(model.place)
    columns = np.empty((len(voltages), pixels, m + 2 * DIRECTIONS), np.float32)
    density = np.empty((len(voltages), pixels), np.float32)

    def fill(part: slice) -> None:
        maps = list(model.waves(part))
        for v, waves in enumerate(maps):
            density[v, part] = waves.density
            waves.derivative(out=columns[v, part, :m])
        stretches = [waves.stretch for waves in maps]
        columns[:, part, m:] = by_ripples(stretches, model.place[part], model.position, waves_q)

    parts = list(model.parts())
    for first in range(0, len(parts), AT_ONCE):
        each(fill, parts[first : first + AT_ONCE])
        yield Progress(parts[first].start / pixels, "looking for a herringbone")
    weights = fit.compare(density, fit.nuisance(), voltages)
    moments, gradient = np.zeros((2 * m, 2 * m)), np.zeros(2 * m)
    cross, own, slope = (
        np.zeros((2 * m, 2 * DIRECTIONS)),
        np.zeros((2 * DIRECTIONS,) * 2),
        np.zeros(2 * DIRECTIONS),
    )
    for v, one in enumerate(columns):
        one *= (weights.map[v] * weights.pixel).astype(np.float32)[:, None]
        nuisance = np.column_stack([weights.nuisance, weights.unit[v]])
        along, halves = nuisance.T @ one, np.array([1.0, fit.energy[voltages[v]]])
        square, left = one.T @ one - along.T @ along, weights.left[v] @ one
        moments += np.kron(np.outer(halves, halves), square[:m, :m])
        gradient += np.kron(halves, left[:m])
        cross += np.kron(halves[:, None], square[:m, m:])
        own += square[m:, m:]
        slope += left[m:]
    normal, gradient, cross = layout.expand_square(moments), layout.expand(gradient), layout.expand(cross)
    normal += np.diag(np.r_[np.full(2 * n, 10.0), np.full(layout.size - 2 * n, STRENGTH_SPREAD**-2.0)])
    through = np.linalg.solve(normal, np.column_stack([cross, gradient]))
    slope -= cross.T @ through[:, -1]
    own -= cross.T @ through[:, :-1]
    gain, amplitude = np.zeros(DIRECTIONS), np.zeros((DIRECTIONS, 2))
    for i in range(DIRECTIONS):
        at = np.s_[2 * i : 2 * i + 2]
        amplitude[i] = np.linalg.solve(own[at, at] + np.eye(2) / PRIOR["cosine"] ** 2, slope[at])
        gain[i] = slope[at] @ amplitude[i]
    best = int(gain.argmax())
    if gain[best] < max(LEAST_GAIN, LEAST_CONTRAST * float(np.median(gain))):
        return None
    (cosine, sine), (row, column) = amplitude[best].tolist(), waves_q[best].tolist()
    return Ripple(cosine, sine, (row, column))
