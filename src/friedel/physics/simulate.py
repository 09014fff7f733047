"""A whole simulated measurement: a stack as an instrument would have written it, with the truth in its attributes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np
import torch

from friedel._util.arguments import instance_of, number_of, numbers_of, truth_of
from friedel._util.torch_defaults import with_torch_defaults
from friedel.errors import PhysicsError, SettingsError
from friedel.geometry import know_truth
from friedel.physics import instrument
from friedel.physics.bound_state import bound_state_map, decay_constant
from friedel.physics.dispersion import Dispersion, required
from friedel.physics.t_matrix_torch import distances, ldos, scattering_amplitude
from friedel.stack import make_stack

if TYPE_CHECKING:
    import xarray as xr

_CHUNK = 16  # voltages at a time: bounds the memory of the propagators


class SimulationKeywords(TypedDict, total=False):
    """The fields of `Simulation` as keywords of `simulate`."""

    shape: tuple[int, int]
    pixel_nm: float
    bias_mv: Any
    impurities: int
    unlike: bool
    noise: float
    jitter: float
    rows: float
    drift_px: float
    herringbone: float | None
    closest_nm: float
    seed: int


@dataclass(frozen=True)
class Simulation:
    """What is simulated.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    pixel_nm : float
        Pixel pitch [nm].
    bias_mv : array, optional
        Bias voltages [mV]; −230 to 20 in steps of 2 if None, as in arXiv 2006.15898.
    impurities : int
        Number of scatterers in the field; more lie outside it at the same density.
    unlike : bool
        True: every scatterer has its own phase shift and absorption; False: all are alike.
    noise : float
        White noise [root mean square of each map].
    jitter : float
        Noise common to all voltages of a pixel, as z-jitter makes it [rms of the waves].
    rows : float
        Offsets of whole lines [rms].
    drift_px : float
        Total drift over the scan [px].
    herringbone : float, optional
        Amplitude of the reconstruction's stripes [rms]; 0.3 on Au(111) and 0 elsewhere if None.
    closest_nm : float
        Smallest distance between two scatterers [nm].
    seed : int
        The same seed gives the same stack.
    """

    shape: tuple[int, int] = (80, 80)
    pixel_nm: float = 0.469
    bias_mv: Any = None
    impurities: int = 40
    unlike: bool = True
    noise: float = 0.8
    jitter: float = 0.2
    rows: float = 0.2
    drift_px: float = 0.0
    herringbone: float | None = None
    closest_nm: float = 1.0
    seed: int = 0

    def bias(self) -> np.ndarray:
        """Bias voltages [mV], shape (bias,)."""
        if self.bias_mv is None:
            return np.arange(-230.0, 20.5, 2.0)
        return np.atleast_1d(numbers_of(self.bias_mv, "bias_mv", "voltages in mV"))

    def check(self) -> None:
        """Refuse what is no size, count or amplitude, before anything is computed.

        Raises
        ------
        SettingsError
        """
        size: Any = self.shape
        instance_of(size, (tuple, list, np.ndarray), "shape", "rows and columns")
        if len(size) != 2:
            raise SettingsError(f"shape must be rows and columns, not {self.shape!r:.60}.", settings="shape")
        whole = [("shape", one, 1) for one in size]
        for name, value, least in [*whole, ("impurities", self.impurities, 0), ("seed", self.seed, 0)]:
            sound = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if not (sound and least <= value < 2**63):
                text = f"{name} must be a whole number of at least {least}, not {value!r:.60}."
                raise SettingsError(text, settings=name)
        truth_of(self.unlike, "unlike")
        bias = self.bias()
        if bias.ndim != 1 or not len(bias):
            raise SettingsError("bias_mv must be a list of voltages in mV.", settings="bias_mv")
        for name in ("pixel_nm", "noise", "jitter", "rows", "drift_px", "closest_nm", "herringbone"):
            value = getattr(self, name)
            if value is None and name == "herringbone":
                continue
            wanted = f"a {'finite' if name == 'drift_px' else 'positive'} number"
            number = number_of(value, name, wanted)
            if (number < 0 and name != "drift_px") or (number == 0 and name == "pixel_nm"):
                raise SettingsError(f"{name} must be {wanted}, not {value!r}.", settings=name)


@with_torch_defaults
def simulate(
    material: str | Dispersion = "au111",
    simulation: Simulation | None = None,
    **keywords: Unpack[SimulationKeywords],
) -> xr.Dataset:
    """Simulate a grid of dI/dV spectra by multiple scattering.

    Parameters
    ----------
    material : str or Dispersion
        Surface band; its broadening damps the waves.
    simulation : Simulation, optional
        Size, voltages, impurities and noise; the defaults if None.
    **keywords
        Fields of `Simulation` that differ from it: ``simulate("au111", noise=0.3, seed=1)``.

    Returns
    -------
    xarray.Dataset
        Channel ``LockinX``, images ``Z`` (topograph) and ``bound_state`` (reference map).
        `friedel.stack.true_positions` gives the recorded positions of the impurities in the field [px].

    Raises
    ------
    PhysicsError
        If a bias lies outside the band, or the scatterers do not fit at that distance.
    SettingsError
        If a size, a count or an amplitude makes no sense.
    """
    if simulation is not None:
        instance_of(simulation, Simulation, "simulation", "a Simulation")
    given = replace(simulation or Simulation(), **keywords)
    given.check()
    band, bias, shape = required(material), given.bias(), given.shape
    if not np.isfinite(band.k(bias)).all():
        raise PhysicsError(
            f"Some bias voltages lie outside the band, which starts at {band.onset_mev:g} meV."
        )
    random = np.random.default_rng(given.seed)
    rng = torch.Generator().manual_seed(given.seed)
    true, n_inside = _place(given.impurities, shape, given.closest_nm / given.pixel_nm, random)
    s = _amplitudes(len(true), bias, given.unlike, random)
    drift = torch.as_tensor(_direction(random) * given.drift_px, dtype=torch.float32)[None]
    points = torch.as_tensor(true, dtype=torch.float32)[None]
    recorded = instrument.recorded_position(points, drift, shape[0])[0].numpy().astype(float)
    maps = _recorded(_waves(points, s, drift, band, given), band, given, rng)
    stack = make_stack(
        {"LockinX": 0.01 * maps[0].numpy()},
        bias_mv=bias,
        pixel_nm=given.pixel_nm,
        units={"LockinX": "V", "Z": "m", "bound_state": "V"},
        images={
            "Z": _topograph(recorded, shape, random),
            "bound_state": _reference(recorded, shape, given.pixel_nm, band, random),
        },
        header={"simulated": True, "seed": given.seed, "material": band.name, "onset_mev": band.onset_mev,
                "mass": band.mass, "impurities": given.impurities, "unlike": given.unlike, "noise": given.noise},
        instrument="simulation",
        source=f"simulated {band.name}, seed {given.seed}",
    )  # fmt: skip
    return know_truth(stack, recorded[:n_inside])


def _waves(
    points: torch.Tensor, s: torch.Tensor, drift: torch.Tensor, band: Dispersion, given: Simulation
) -> torch.Tensor:
    """LDOS (1, V, rows, columns) where the drifting tip was; `points` (1, N, 2) and `drift` (1, 2) in pixels."""
    rows, bias = given.shape[0], given.bias()
    axes = torch.meshgrid(*(torch.arange(n) for n in given.shape), indexing="ij")
    grid = torch.stack(axes, -1).float().view(1, -1, 2)
    pixels = grid + instrument.drift_displacement(grid[..., 0], drift, rows)
    k = torch.as_tensor(band.complex_k(bias) * given.pixel_nm, dtype=torch.complex64)[None]
    between, to_pixels = distances(points, points), distances(points, pixels)
    pieces = [
        ldos(between, to_pixels, k[:, i : i + _CHUNK], s[:, i : i + _CHUNK])
        for i in range(0, len(bias), _CHUNK)
    ]
    return torch.cat(pieces, dim=1).view(1, len(bias), *given.shape)


def _recorded(maps: torch.Tensor, band: Dispersion, given: Simulation, rng: torch.Generator) -> torch.Tensor:
    """The waves with stripes, z-jitter, offsets of lines, and white noise."""
    waves = instrument.spread(maps).clamp_min(0.01)
    stripes = (0.3 if band.name == "au111" else 0.0) if given.herringbone is None else given.herringbone
    if stripes:
        maps = instrument.herringbone(maps, stripes, 6.3 / given.pixel_nm, rng)
    maps = instrument.z_jitter(maps, given.jitter * float(waves.mean()), rng)
    maps = instrument.row_offsets(maps, given.rows, rng) if given.rows else maps
    return maps + given.noise * waves * torch.randn(maps.shape, generator=rng)


def _direction(random: np.random.Generator) -> np.ndarray:
    angle = random.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def _place(
    n: int, shape: tuple[int, int], closest: float, random: np.random.Generator
) -> tuple[np.ndarray, int]:
    """`n` positions inside the field, then those in a margin around it, none closer than `closest` [px]."""
    rows, columns = shape
    margin = 0.25 * max(shape)
    outside = round(n * ((rows + 2 * margin) * (columns + 2 * margin) / (rows * columns) - 1))
    points: list[np.ndarray] = []
    for wanted, within in ((n, True), (outside, False)):
        placed = 0
        for _ in range(200 * wanted + 1000):
            if placed == wanted:
                break
            p = random.uniform([-margin, -margin], [rows + margin, columns + margin]) - 0.5
            is_inside = bool((p >= 0).all() and p[0] <= rows - 1 and p[1] <= columns - 1)
            if is_inside is within and all(np.hypot(*(p - q)) >= closest for q in points):
                points.append(p)
                placed += 1
        if within and placed < wanted:
            raise PhysicsError(
                f"{n} impurities do not fit into {rows}×{columns} px at {closest:.1f} px distance; ask for fewer."
            )
    return np.array(points).reshape(-1, 2), n


def _amplitudes(n: int, bias: np.ndarray, unlike: bool, random: np.random.Generator) -> torch.Tensor:
    """Scattering amplitudes (1, V, n), their phases moving slowly with energy."""
    count = n if unlike else 1
    phase = random.uniform(0.5, np.pi / 2, count) * random.choice([-1, 1], count)
    slope, elasticity = random.normal(0, 0.4, count), 1 - random.uniform(0, 0.8, count)
    middle, width = (bias.max() + bias.min()) / 2, max(np.ptp(bias), 1.0)
    delta = phase + slope * ((bias - middle) / width)[:, None]
    delta, elasticity = np.broadcast_to(delta, (len(bias), n)), np.broadcast_to(elasticity, (len(bias), n))
    return scattering_amplitude(
        torch.as_tensor(delta.copy(), dtype=torch.float32),
        torch.as_tensor(elasticity.copy(), dtype=torch.float32),
    )[None]


def _reference(
    points: np.ndarray, shape: tuple[int, int], pixel_nm: float, band: Dispersion, random: np.random.Generator
) -> np.ndarray:
    """Bound-state map: nine scatterers in ten bind a state, with 20 meV give or take."""
    binding = random.uniform(10, 40, len(points))
    kappa = np.array([decay_constant(band.mass, float(energy)) for energy in binding]) * pixel_nm
    weights = random.uniform(0.5, 1.0, len(points)) * (random.random(len(points)) < 0.9)
    clean = bound_state_map(points, shape, kappa, weights)
    return 0.01 * (clean + random.normal(0, 0.05, shape))


def _topograph(points: np.ndarray, shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Height [m]: a dent of 10 pm at every impurity on a slightly rough plane."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    height = 2e-13 * random.normal(size=shape) + 1e-13 * rows
    for row, column in points:
        height -= 1e-11 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 2)
    result: np.ndarray = height
    return result
