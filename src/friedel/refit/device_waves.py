"""The waves of `friedel.physics.t_matrix_jacobian` in torch, so that a GPU makes them: the same formulas and names.

Tables and what scatterers have in common come from there; what grows with the number of pixels is made on the device.
Numbers have single precision, as there.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from friedel.physics.optical_paths import LEAST_PHASE, NEAREST, STEP, Ripple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from friedel.physics.t_matrix_jacobian import Scattering


def on(device: torch.device, array: np.ndarray) -> torch.Tensor:
    """An array on the device, in single precision."""
    kind = torch.complex64 if np.iscomplexobj(array) else torch.float32
    return torch.from_numpy(np.ascontiguousarray(array)).to(device=device, dtype=kind)


class DevicePaths:
    """Optical paths from pixels (P, 2) to scatterers (N, 2) [px]; see `friedel.physics.optical_paths.OpticalPaths`."""

    def __init__(self, a: torch.Tensor, b: torch.Tensor, ripple: Ripple) -> None:
        self.a, self.b, self.ripple = a, b, ripple
        self._apart = b[None, :, 0] - a[:, None, 0], b[None, :, 1] - a[:, None, 1]
        self.distance = (self._apart[0] ** 2 + self._apart[1] ** 2).sqrt_().clamp_(min=NEAREST)
        self.length = self.distance
        if ripple.amplitude:
            self._begin_ripple()

    def _begin_ripple(self) -> None:
        """The means of the ripple's cosine and sine over each path."""
        q = torch.tensor(self.ripple.q, dtype=torch.float32, device=self.a.device)
        start, end = (self.a @ q)[:, None], (self.b @ q)[None]
        apart = end - start
        self._near = apart.abs() < LEAST_PHASE
        self._inverse = 1 / torch.where(self._near, torch.ones_like(apart), apart)
        self._start, self._end = start, end.expand_as(apart)
        cosine, sine = (end.sin() - start.sin()) * self._inverse, (start.cos() - end.cos()) * self._inverse
        self._cosine = torch.where(self._near, self._end.cos(), cosine)
        self._sine = torch.where(self._near, self._end.sin(), sine)
        self._mean = self.ripple.cosine * self._cosine + self.ripple.sine * self._sine
        self.length = self.distance * (1 + self._mean)

    @cached_property
    def toward(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Derivative of the length by the row and by the column of the scatterer, (P, N)."""
        unit = self._apart[0] / self.distance, self._apart[1] / self.distance
        if not self.ripple.amplitude:
            return unit
        change, stretch, q = self.distance * self._by_ends[1], 1 + self._mean, self.ripple.q
        return unit[0] * stretch + change * q[0], unit[1] * stretch + change * q[1]

    @cached_property
    def _by_ends(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Derivative of the mean change of k by the phases at both ends."""
        r = self.ripple
        at_start, at_end = (r.cosine * p.cos() + r.sine * p.sin() for p in (self._start, self._end))
        slope = (r.sine * self._end.cos() - r.cosine * self._end.sin()) / 2
        by_start, by_end = (self._mean - at_start) * self._inverse, (at_end - self._mean) * self._inverse
        return torch.where(self._near, slope, by_start), torch.where(self._near, slope, by_end)

    def by(self, name: str) -> torch.Tensor:
        """Derivative of the length by one of the ripple's parameters; the length for a relative change of k."""
        if name == "k":
            return self.length
        if name in ("cosine", "sine"):
            return self.distance * (self._cosine if name == "cosine" else self._sine)
        axis = ("q_row", "q_column").index(name)
        by_start, by_end = self._by_ends
        return self.distance * (by_start * self.a[:, axis, None] + by_end * self.b[None, :, axis])


class DeviceWaves:
    """The waves of N scatterers at one energy in P pixels; see `friedel.physics.t_matrix_jacobian.Waves`."""

    def __init__(self, paths: DevicePaths, scattering: Scattering) -> None:
        self._paths, self._scattering, self._device = paths, scattering, paths.a.device
        value, slope = (on(self._device, table) for table in scattering.table.nodes)
        place = paths.length * (1 / STEP)
        index = place.long()
        self._slope = slope[index]
        wave = value[index] + self._slope * ((place - index) * STEP)
        self._dressed = wave @ on(self._device, scattering.dressing)
        self._twice = self._dressed * (2 * on(self._device, scattering.amplitude))
        #: ρ/ρ₀ − 1, shape (P,).
        self.density = (self._twice * wave).sum(dim=1).real / 2

    def derivative(self, shared: Sequence[str], *, positions: bool) -> torch.Tensor:
        """Derivatives of `density`, shape (P, columns), in the order of `Waves.derivative`."""
        slope, columns = self._twice * self._slope, []
        if positions:
            for inner, toward in zip(self._scattering.inner, self._paths.toward, strict=True):
                part = (self._twice @ on(self._device, inner)) * self._twice
                columns.append(slope.real * toward + part.real)
        square = self._dressed**2
        columns += [square.real, -square.imag]
        changes: dict[str, torch.Tensor] = {}
        for name in shared:
            kind = "k" if name == "im_k" else name
            if kind not in changes:
                changes[kind] = self._along(kind, slope)
            change = changes[kind]
            columns.append((-change.imag if name == "im_k" else change.real)[:, None])
        return torch.cat(columns, dim=1)

    def _along(self, kind: str, slope: torch.Tensor) -> torch.Tensor:
        """Complex change of the density with a parameter of all paths, (P,)."""
        between = self._scattering.slope / 4 * self._scattering.between.by(kind)
        part = (self._twice @ on(self._device, between)) * self._twice
        return (part + slope * self._paths.by(kind)).sum(dim=1)
