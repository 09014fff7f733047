"""The sums of the joint fit against the same written out, column by column."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from friedel._util.threads import cores
from friedel.physics.optical_paths import Ripple
from friedel.refit import field_model, normal_equations as module
from friedel.refit.field_model import FieldModel
from friedel.refit.normal_equations import Weights, normal_equations
from friedel.refit.parameters import Layout

ENERGY = np.array([-1.0, -0.2, 0.5, 1.0])
ACTIVE = ["k", "cosine", "drift_row", "drift_column"]


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(4)
    place = np.argwhere(np.ones((18, 20)))
    position = rng.uniform(0, 18, (6, 2)) + 0.3
    amplitude = (0.7 * np.exp(2j * rng.uniform(0, np.pi, (4, 6))) - 1) / 2
    k = np.linspace(0.65, 0.9, 4) + 0.01j
    way = ENERGY[:, None] * np.array([0.2, -0.1])
    model = FieldModel(place, position, amplitude, k, Ripple(0.02, 0.01, (0.3, 0.2)), way, np.full(4, 0.01))
    nuisance = np.linalg.qr(rng.normal(size=(len(place), 5)))[0].astype(np.float32)
    pixel = rng.uniform(0.5, 1, len(place)).astype(np.float32)
    seen = model.density() * pixel
    seen -= (seen @ nuisance) @ nuisance.T
    left = rng.normal(size=seen.shape).astype(np.float32)
    left -= (left @ nuisance) @ nuisance.T
    unit = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    left -= (left * unit).sum(axis=1, keepdims=True) * unit
    common = rng.uniform(0.3, 0.7, 4)
    weights = Weights(
        pixel,
        rng.uniform(1, 2, 4),
        sparse.csr_array(nuisance),
        seen,
        left,
        common / np.linalg.norm(common),
        0.6,
    )
    return model, weights


def _written_out(model, weights, layout):
    """J of all maps, (V, P, size), and T."""
    jacobian = []
    for v, waves in enumerate(model.waves(slice(None))):
        columns = waves.derivative(layout.names).astype(float) * (weights.pixel * weights.map[v])[:, None]
        basis = np.column_stack([weights.nuisance.toarray(), weights.unit[v]]).astype(float)
        columns -= basis @ (basis.T @ columns)
        jacobian.append(layout.expand(np.concatenate([columns.T, ENERGY[v] * columns.T])).T)
    jacobian = np.array(jacobian)
    return jacobian, np.einsum("v,vpi->pi", weights.common, jacobian)


@pytest.mark.parametrize("n_coefficients", [1, 2])
@pytest.mark.parametrize(("block", "part"), [(4_000_000, 32_000), (4_000_000, 300), (10_000, 300), (1, 300)])
def test_sums_are_those_of_the_columns(case, n_coefficients, block, part, monkeypatch):
    # In one block, and in several, of several parts or a single one.
    monkeypatch.setattr(module, "BLOCK", block)
    monkeypatch.setattr(field_model, "PART", part)
    model, weights = case
    layout = Layout(6, n_coefficients, ACTIVE)
    jacobian, together = _written_out(model, weights, layout)
    normal = np.einsum("vpi,vpj->ij", jacobian, jacobian) - weights.share * together.T @ together
    gradient = np.einsum("vpi,vp->i", jacobian, weights.left)
    gradient -= weights.share * together.T @ (weights.common @ weights.left)
    sums = normal_equations(model, layout, weights, ENERGY)
    found, slope = sums.matrix, sums.gradient
    assert found == pytest.approx(normal, abs=2e-4 * np.abs(normal).max())
    assert slope == pytest.approx(gradient, abs=2e-4 * np.abs(gradient).max())
    assert (np.linalg.eigvalsh(found) > -1e-4 * np.abs(found).max()).all()


def test_parts_hold_every_pixel_once_and_are_equally_large(case, monkeypatch):
    model, _ = case
    for part in (32_000, 1000, 1):
        monkeypatch.setattr(field_model, "PART", part)
        sizes = [one.stop - one.start for one in model.parts()]
        place = np.concatenate([np.arange(len(model.place))[one] for one in model.parts()])
        assert np.array_equal(place, np.arange(len(model.place)))
        assert max(sizes) - min(sizes) <= 1 and max(sizes) <= max(16, part // 6)
        assert len(sizes) % cores() == 0


@pytest.mark.parametrize("n_coefficients", [1, 2])
def test_held_positions_leave_the_other_sums_as_they_are(case, n_coefficients):
    model, weights = case
    weights = replace(weights, share=0.0)
    sums = normal_equations(model, Layout(6, n_coefficients, ["k"]), weights, ENERGY)
    whole, slope = sums.matrix, sums.gradient
    layout = Layout(6, n_coefficients, ["k"], positions=False)
    assert layout.size == len(slope) - 12
    held = normal_equations(model, layout, weights, ENERGY)
    found, other = held.matrix, held.gradient
    assert found == pytest.approx(whole[12:, 12:], abs=1e-5 * np.abs(whole).max())
    assert other == pytest.approx(slope[12:], abs=1e-5 * np.abs(slope).max())


def test_an_amplitude_has_energy_coefficients_and_a_drift_moves_everything():
    layout = Layout(2, 2, ACTIVE)
    assert layout.size == 2 * 2 * 3 + 4 and layout.columns == 8 + 2
    halves = np.arange(2.0 * layout.columns)
    out = layout.expand(halves)
    assert (out[:8] == halves[:8]).all()  # positions and amplitudes
    assert (out[8:12] == halves[14:18]).all()  # the amplitudes' energy slopes, from the second half
    assert (out[12:14] == halves[8:10]).all()  # k and cosine
    assert out[14] == halves[10:12].sum() and out[15] == halves[12:14].sum()


def test_kept_waves_are_the_same_waves(case, monkeypatch):
    model, weights = case
    layout = Layout(6, 2, ACTIVE)
    sums = []
    for kept in (field_model.KEPT, 0):
        monkeypatch.setattr(field_model, "KEPT", kept)
        amplitude = np.array([one.amplitude for one in model.scattering])
        k = np.array([one.k for one in model.scattering])
        again = FieldModel(
            model.place, model.position, amplitude, k, model.ripple, model.drift, np.full(4, 0.01)
        )
        assert again.density() is again.density() and again.density() is not model.density()
        first = next(iter(again.parts()))
        assert (again.waves(first) is again.waves(first)) == (kept > 0)
        found = normal_equations(again, layout, weights, ENERGY)
        sums.append((found.matrix, found.gradient))
    for kept, made in zip(*sums, strict=True):
        assert np.array_equal(kept, made)


@pytest.mark.parametrize("stripes", [False, True])
def test_offsets_and_stripes_are_orthonormal_and_hold_what_a_map_may_have(stripes):
    rng = np.random.default_rng(7)
    place = np.argwhere(rng.uniform(size=(12, 15)) < 0.6)
    row, weight, phase = place[:, 0], rng.uniform(0.02, 1, len(place)), place @ np.array([0.7, 0.4])
    columns = module.offsets_and_stripes(row, weight, phase if stripes else None).toarray().astype(float)
    assert columns.T @ columns == pytest.approx(np.eye(columns.shape[1]), abs=1e-5)
    offsets = rng.normal(size=12)[row]
    waves = np.cos(phase + 0.3)
    for content, known in ((offsets, True), (waves, stripes), (offsets + waves, stripes)):
        seen = np.sqrt(weight) * content
        left = seen - columns @ (columns.T @ seen)
        assert (np.linalg.norm(left) < 1e-4 * np.linalg.norm(seen)) == known


def test_at_fixed_scales_the_sums_are_those_of_columns_that_keep_the_scale(case):
    model, weights = case
    weights = replace(weights, share=0.0)
    layout = Layout(6, 2, ["k"])
    found = normal_equations(model, layout, weights, ENERGY)
    expected = np.zeros_like(found.matrix)
    for v, waves in enumerate(model.waves(slice(None))):
        columns = waves.derivative(layout.names).astype(float) * (weights.pixel * weights.map[v])[:, None]
        offsets = weights.nuisance.toarray().astype(float)
        columns -= offsets @ (offsets.T @ columns)
        jacobian = layout.expand(np.concatenate([columns.T, ENERGY[v] * columns.T])).T
        expected += jacobian.T @ jacobian
    fixed = found.matrix + found.by_scale @ found.by_scale.T
    assert fixed == pytest.approx(expected, abs=2e-4 * np.abs(expected).max())
