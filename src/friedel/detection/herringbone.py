"""Look for a periodic change of the wavevector, as Au(111)'s herringbone makes, in what a joint fit leaves over.

For every direction of the ripple's wavevector: by how much would χ² fall if its two amplitudes were fitted together
with everything else? To first order that is a score test, which needs the normal equations of the fit once and two
columns a direction.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from friedel.detection.fit_layout import Layout
from friedel.detection.joint_fit import PRIOR, STRENGTH_SPREAD, JointFit
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
        Once a direction.

    Returns
    -------
    Ripple or None
        With its amplitudes as far as the first order tells.
    """
    angle = np.arange(DIRECTIONS) * np.pi / DIRECTIONS
    waves_q = q * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    voltages = np.unique(np.linspace(0, len(fit.k) - 1, VOLTAGES).round().astype(int))
    layout = Layout(len(fit.position), fit.courses, [], [])
    n = len(fit.position)
    normal = np.diag(np.r_[np.full(2 * n, 10.0), np.full(layout.size - 2 * n, STRENGTH_SPREAD**-2.0)])
    gradient = np.zeros(layout.size)
    maps = []
    for v, waves in fit.waves(slopes=True, voltages=voltages):
        wave = fit.clean(waves.density[:, None].astype(np.float32))[:, 0]
        unit = wave / np.sqrt(wave @ wave + 1e-9)
        data = fit.clean(fit.data[v, fit.used, None])[:, 0]
        scale = float(wave @ data / (wave @ wave + 1e-9))
        left = (data - scale * wave) / fit.noise[v]

        def turned(
            columns: np.ndarray, unit: np.ndarray = unit, size: float = scale / fit.noise[v]
        ) -> np.ndarray:
            columns = fit.clean(columns)
            columns -= unit[:, None] * (unit @ columns)
            return columns * np.float32(size)

        columns = turned(waves.derivative())
        basis, time = fit.basis[v], fit.energy[v]
        square = layout.expand((columns.T @ columns).astype(float), basis, time)
        normal += layout.expand(square.T, basis, time)
        gradient += layout.expand((columns.T @ left).astype(float), basis, time)
        maps.append((v, waves, columns, left, turned))
    inverse = np.linalg.inv(normal)
    away = Ways(fit.pixels[fit.used], fit.position, Ripple())
    between = Ways(fit.position, fit.position, Ripple())
    gain, amplitude = np.zeros(DIRECTIONS), np.zeros((DIRECTIONS, 2))
    for i, one in enumerate(waves_q):
        ways = list(zip(away.by_amplitudes(one), between.by_amplitudes(one), strict=True))
        cross, own, slope = np.zeros((layout.size, 2)), np.eye(2) / PRIOR["cosine"] ** 2, np.zeros(2)
        for v, waves, columns, left, turned in maps:
            pair = turned(np.stack([waves.along(*way).real for way in ways], axis=1).astype(np.float32))
            cross += layout.expand((columns.T @ pair).astype(float), fit.basis[v], fit.energy[v])
            own += pair.T @ pair
            slope += pair.T @ left
        slope -= cross.T @ (inverse @ gradient)
        amplitude[i] = np.linalg.solve(own - cross.T @ inverse @ cross, slope)
        gain[i] = slope @ amplitude[i]
        yield Progress((i + 1) / DIRECTIONS, "looking for a herringbone")
    best = int(gain.argmax())
    if gain[best] < max(LEAST_GAIN, LEAST_CONTRAST * float(np.median(gain))):
        return None
    (cosine, sine), (row, column) = amplitude[best].tolist(), waves_q[best].tolist()
    return Ripple(cosine, sine, (row, column))
