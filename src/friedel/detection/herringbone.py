"""Look for a periodic change of the wavevector, as Au(111)'s herringbone makes, in what a joint fit leaves over.

For every direction of the ripple's wavevector: by how much would χ² fall if its two amplitudes were fitted together
with everything else? To first order that is a score test, which needs the normal equations of the fit once and two
columns a direction: how the ways from the pixels to the scatterers change the map. The ways from scatterer to scatterer
are held: that makes the amplitude a little too small, which the fit then puts right, and is far quicker.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from friedel.detection.fit_layout import Layout
from friedel.detection.joint_fit import PRIOR, STRENGTH_SPREAD, JointFit
from friedel.detection.normal_equations import normal_equations
from friedel.physics.foldy_lax import Ripple, Ways
from friedel.progress import Progress

#: Period of the reconstruction of Au(111) [nm] (arXiv 1407.5408).
PERIOD_NM = 6.3
#: Least fall of χ², and its least ratio to that of the usual direction, for a ripple to be believed.
LEAST_GAIN, LEAST_CONTRAST = 50.0, 4.0
#: Directions that are tried, and the voltages that are looked at.
DIRECTIONS, VOLTAGES = 30, 3


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
    layout = Layout(len(fit.position), fit.courses, [])
    n = len(fit.position)
    model = fit.model(voltages)
    weights = fit.compare(model.density(), fit.nuisance(), voltages)
    energy = fit.energy[voltages]
    normal, gradient = normal_equations(model, layout, replace(weights, share=0.0), energy)
    normal += np.diag(np.r_[np.full(2 * n, 10.0), np.full(layout.size - 2 * n, STRENGTH_SPREAD**-2.0)])
    # Columns of the two amplitudes of every direction, (V, P, 2 D), beside those of everything else.
    count, pixels = len(voltages), len(model.place)
    columns = np.empty((count, pixels, layout.columns), np.float32)
    pairs = np.empty((count, pixels, 2 * DIRECTIONS), np.float32)
    for part in model.parts():
        maps = list(model.waves(part))
        for v, waves in enumerate(maps):
            waves.derivative(out=columns[v, part])
        away = Ways(model.place[part], model.position.astype(np.float32), Ripple())
        for i, one in enumerate(waves_q):
            for j, change in enumerate(away.by_amplitudes(one), 2 * i):
                for v, waves in enumerate(maps):
                    pairs[v, part, j] = waves.directly(change)
        yield Progress(part.stop / pixels, "looking for a herringbone")
    cross = np.zeros((2 * layout.columns, 2 * DIRECTIONS))
    own = np.zeros((2 * DIRECTIONS, 2 * DIRECTIONS))
    slope = np.zeros(2 * DIRECTIONS)
    for v, unit in enumerate(weights.unit):
        scale = (weights.map[v] * weights.pixel).astype(np.float32)[:, None]
        nuisance = np.column_stack([weights.nuisance, unit])
        pair, other = pairs[v] * scale, columns[v] * scale
        pair -= nuisance @ (nuisance.T @ pair)
        own += pair.T @ pair
        slope += pair.T @ weights.left[v]
        product = (other.T @ pair).astype(float)
        cross += np.concatenate([product, energy[v] * product])
    cross = layout.expand(cross)
    slope -= cross.T @ np.linalg.solve(normal, gradient)
    own -= cross.T @ np.linalg.solve(normal, cross)
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
