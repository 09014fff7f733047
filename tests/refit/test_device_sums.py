"""A torch device gives the normal equations of the processor, to single precision; here it is torch's CPU."""

from dataclasses import replace

import numpy as np
import pytest

import friedel
from friedel._util.remarks import Remarks
from friedel.physics.optical_paths import Ripple
from friedel.progress import drain
from friedel.refit import device_sums
from friedel.refit.device_sums import DeviceModel, sums_on
from friedel.refit.field_model import FieldModel
from friedel.refit.normal_equations import Weights, normal_equations, offsets_and_stripes
from friedel.refit.parameters import Layout

ENERGY = np.array([-1.0, -0.2, 0.5, 1.0])
HERRINGBONE = Ripple(0.02, 0.01, (0.3, 0.2))


def _case(ripple, drifts):
    """Two models of one field, for the processor and for torch's CPU, and how they are weighted."""
    rng = np.random.default_rng(4)
    place = np.argwhere(rng.uniform(size=(22, 20)) < 0.9).astype(float)
    position = np.vstack([rng.uniform(0, 18, (5, 2)) + 0.3, [[-3.2, 25.1]]])
    amplitude = (0.7 * np.exp(2j * rng.uniform(0, np.pi, (4, 6))) - 1) / 2
    drift = ENERGY[:, None] * np.array([0.2, -0.1]) * drifts
    given = place, position, amplitude, np.linspace(0.65, 0.9, 4) + 0.01j, ripple, drift, np.full(4, 0.01)
    phase = place @ np.array(ripple.q) if ripple.amplitude else None
    weight = rng.uniform(0.2, 1, len(place))
    without = offsets_and_stripes(place[:, 0].astype(int), weight, phase)
    here, there = FieldModel(*given), DeviceModel("cpu", *given)
    seen = here.density() * np.sqrt(weight).astype(np.float32)
    left = rng.normal(size=seen.shape).astype(np.float32)
    common = np.array([0.3, 0.7, 0.5, 0.4])
    pixel, scale = np.sqrt(weight).astype(np.float32), rng.uniform(1, 2, 4)
    weights = Weights(pixel, scale, without, seen, left, common / np.linalg.norm(common), 0.6)
    return here, there, weights


@pytest.mark.parametrize("ripple", [Ripple(), HERRINGBONE])
@pytest.mark.parametrize("drifts", [False, True])
def test_the_density_is_the_same(ripple, drifts):
    here, there, _ = _case(ripple, drifts)
    assert there.density() is there.density() and there.density().dtype == np.float32
    np.testing.assert_allclose(there.density(), here.density(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("bytes_", [512 << 20, 100_000])
@pytest.mark.parametrize("share", [0.0, 0.6])
@pytest.mark.parametrize(
    ("ripple", "drifts", "active"),
    [
        (Ripple(), False, []),
        (Ripple(), True, ["k", "im_k", "drift_row", "drift_column"]),
        (HERRINGBONE, True, ["k", "im_k", "cosine", "sine", "q_row", "q_column", "drift_row"]),
    ],
)
@pytest.mark.parametrize("positions", [True, False])
def test_normal_equations_are_the_same(ripple, drifts, active, share, bytes_, positions, monkeypatch):
    monkeypatch.setattr(device_sums, "BYTES", bytes_)
    here, there, weights = _case(ripple, drifts)
    weights, active = replace(weights, share=share), active if positions else []
    layout = Layout(6, 2, active, positions=positions)
    one, other = (
        normal_equations(model, layout, weights, ENERGY, how)
        for model, how in ((here, None), (there, sums_on))
    )
    for name in ("matrix", "gradient", "by_scale"):
        a, b = getattr(one, name), getattr(other, name)
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-5 * np.abs(a).max(), err_msg=name)
    scale = np.sqrt(np.outer(np.diag(one.matrix), np.diag(one.matrix)))  # small columns agree as well
    np.testing.assert_allclose(other.matrix / scale, one.matrix / scale, rtol=0, atol=2e-4)


@pytest.mark.parametrize("columns", [0, 24])
def test_blocks_are_bounded_and_hold_every_pixel_once(columns, monkeypatch):
    _, there, _ = _case(Ripple(), False)
    monkeypatch.setattr(device_sums, "BYTES", 100_000)
    parts = device_sums._blocks(there, columns)
    assert [index for part in parts for index in range(len(there.place))[part]] == list(
        range(len(there.place))
    )
    assert len(parts) > 1
    assert max(part.stop - part.start for part in parts) * 8 * device_sums.COMPLEX * 6 <= 100_000


def test_a_gpu_in_a_host_program_keeps_its_own_precision():
    import torch

    _, there, _ = _case(Ripple(), False)
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        there.density()
        assert torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def test_a_refit_on_a_torch_device_gives_the_same_points():
    from friedel.physics.dispersion import resolve
    from friedel.prepare import PrepareSettings, Sampling, prepare
    from friedel.refit.driver import iter_refit
    from friedel.refit.refit_input import RefitInput
    from friedel.refit.schedules import QUICK

    stack = friedel.simulate(seed=3, shape=(40, 40), bias_mv=np.linspace(-150, 0, 9), impurities=6, noise=0.2)
    band = resolve("au111")
    ready = prepare(stack, None, band, Sampling((0.4, 1.1)), PrepareSettings(), Remarks())
    k = band.complex_k(ready.energy_mev) * ready.scaling.pixel_nm
    truth = friedel.stack.true_positions(stack)
    given = RefitInput(ready.maps, k, ready.fit_mask, truth + 0.2, np.full(len(truth), 0.3))
    here, there = (drain(iter_refit(replace(given, device=device), QUICK)) for device in (None, "cpu"))
    assert len(here.positions) == len(there.positions)
    np.testing.assert_allclose(there.positions, here.positions, rtol=0, atol=1e-3)
    np.testing.assert_allclose(there.sigma, here.sigma, rtol=1e-2)
    np.testing.assert_allclose(there.delta_chi2, here.delta_chi2, rtol=1e-2)
