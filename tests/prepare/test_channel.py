import numpy as np
import pytest

from friedel.errors import FriedelWarning, StackError
from friedel.physics.dispersion import MATERIALS
from friedel.pipeline import detect
from friedel.prepare.background import level
from friedel.prepare.channel import choose
from friedel.prepare.lockin_phase import best_phase, rotate
from friedel.prepare.settings import PrepareSettings
from friedel.prepare.topograph import wave_of
from friedel.scoring.metrics import evaluate
from friedel.stack import make_stack

NONE = PrepareSettings()
SHAPE = (40, 40)


def rings(k, pixel=0.2, size=160, seed=0):
    random = np.random.default_rng(seed)
    r, c = np.mgrid[:size, :size] * pixel
    out = 0.3 * random.normal(size=(size, size))
    for y, x in random.uniform(0, size * pixel, (12, 2)):
        distance = np.hypot(r - y, c - x) + 0.5
        out += np.cos(2 * k * distance) / np.sqrt(distance)
    return out


def test_a_topograph_beside_a_feedback_error_is_taken_and_said():
    stack = make_stack(
        {"ADC 1": np.ones((1, *SHAPE))}, bias_mv=[100.0], pixel_nm=0.2, images={"Z": np.full(SHAPE, 2.0)}
    )
    chosen = choose(stack, None, NONE)
    assert (chosen.name, chosen.topograph, chosen.values.shape) == ("Z", True, (1, *SHAPE))
    assert chosen.bias_mv.tolist() == [100.0] and "ADC 1" in chosen.sentence


def test_a_lock_in_channel_goes_before_the_topograph():
    stack = make_stack(
        {"LockinX": np.ones((1, *SHAPE))}, bias_mv=[100.0], pixel_nm=0.2, images={"Z": np.ones(SHAPE)}
    )
    assert choose(stack, None, NONE).name == "LockinX"
    assert choose(stack, "Z", NONE).topograph


def test_a_topograph_of_a_grid_needs_its_voltage():
    stack = make_stack(
        {"LockinX": np.ones((2, *SHAPE))}, bias_mv=[0.0, 50.0], pixel_nm=0.2, images={"Z": np.ones(SHAPE)}
    )
    with pytest.raises(StackError, match="voltage"):
        choose(stack, "Z", NONE)
    stack["Z"].attrs["bias_mv"] = 80.0
    assert choose(stack, "Z", NONE).bias_mv.tolist() == [80.0]


def test_the_ring_decides_between_the_bias_and_the_fermi_energy():
    band = MATERIALS["ag111"]
    at_bias = level(rings(float(band.k([100.0])[0]))[None])[0]
    at_fermi = level(rings(float(band.k([0.0])[0]), 0.3)[None])[0]
    assert wave_of(at_bias, 100.0, band, (0.2, 0.2)).energy_mev == 100.0
    wave = wave_of(at_fermi, 100.0, band, (0.3, 0.3))
    assert wave.energy_mev == 0.0 and "k_F" in wave.sentence


@pytest.mark.parametrize("degrees", [-140.0, -30.0, 25.0, 90.0, 170.0])
def test_the_phase_that_carries_the_signal_is_found(degrees):
    random = np.random.default_rng(1)
    signal = 5 + random.normal(size=(4, *SHAPE))
    angle = np.deg2rad(degrees)
    x, y = (signal * f + 0.1 * random.normal(size=signal.shape) for f in (np.cos(angle), np.sin(angle)))
    assert (best_phase(x, y) - degrees + 180) % 360 - 180 == pytest.approx(0, abs=2)
    assert np.corrcoef(rotate(x, y, degrees).ravel(), signal.ravel())[0, 1] > 0.99


def test_a_chosen_phase_needs_both_quadratures():
    stack = make_stack(
        {"LockinX": np.ones((2, *SHAPE)), "LockinY": 2 * np.ones((2, *SHAPE))},
        bias_mv=[0.0, 9.0],
        pixel_nm=0.2,
    )
    assert choose(stack, None, PrepareSettings(lockin_phase_deg=90.0)).values == pytest.approx(2)
    with pytest.raises(StackError, match="quadratures"):
        choose(stack[["LockinX"]].assign_attrs(stack.attrs), None, PrepareSettings(lockin_phase_deg="auto"))


def rough(seed: int, size: int = 140) -> np.ndarray:
    """Noise and a slow background without waves."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None])
    frequency[0, 0] = 1
    slow = np.fft.ifft2(np.fft.fft2(random.normal(size=(size, size))) / frequency**1.5).real
    return random.normal(size=(size, size)) + 2 * slow / slow.std()


def test_a_ring_by_chance_does_not_move_a_topograph_to_the_fermi_energy():
    band = MATERIALS["ag111"]
    assert {wave_of(rough(seed), 100.0, band, (0.2, 0.2)).energy_mev for seed in range(12)} == {100.0}


@pytest.mark.parametrize("seed", [1, 3, 6])
def test_a_topograph_without_waves_has_no_impurity_and_says_why(seed):
    stack = make_stack({"Z": rough(seed)[None]}, bias_mv=[100.0], pixel_nm=0.2, units={"Z": "nm"})
    with pytest.warns(FriedelWarning, match="no probability is listed"):
        found = detect(stack, dispersion="ag111")
    assert len(found) == 0


def test_atoms_of_a_tilted_topograph_are_found_from_their_waves():
    field = rings(float(MATERIALS["ag111"].k([100.0])[0]))
    random = np.random.default_rng(0)
    random.normal(size=field.shape)
    places = random.uniform(0, 32, (12, 2))  # as `rings` draws them
    tilted = field + 100 * np.linspace(0, 1, field.shape[1])
    stack = make_stack({"Z": tilted[None]}, bias_mv=[100.0], pixel_nm=0.2, units={"Z": "nm"})
    found = detect(stack, dispersion="ag111")
    assert evaluate(found.positions, places / 0.2, 0.5 / 0.2).f1 > 0.85
