"""Random scenes: geometry, reproducibility, and what each instrument effect does."""

import numpy as np
import pytest
import torch

import friedel
from friedel.errors import PhysicsError
from friedel.physics import instrument
from friedel.physics.bound_state import bound_state_map, decay_constant
from friedel.physics.scene import SceneConfig, clean_scene, measure, random_symmetry, scatter_points
from friedel.stack import true_positions

SMALL = SceneConfig(size=24, voltages=4, margin=6.0)


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_same_seed_gives_the_same_scene():
    first, second = (measure(clean_scene(2, SMALL, _rng(5)), SMALL, _rng(6)) for _ in range(2))
    torch.testing.assert_close(first.maps, second.maps)
    torch.testing.assert_close(first.points, second.points)


def test_scenes_are_larger_than_the_field():
    points, present = scatter_points(16, SMALL, _rng())
    kept = points[present]
    assert kept.min() < -0.5 and kept.max() > SMALL.size - 0.5
    assert kept.min() >= -SMALL.margin - 0.5


def test_no_two_scatterers_are_closer_than_the_smallest_distance():
    points, present = scatter_points(8, SMALL, _rng(2))
    for field, here in zip(points, present, strict=True):
        p = field[here]
        r = torch.cdist(p, p) + 1e3 * torch.eye(len(p))
        assert not len(p) or r.min() >= SMALL.closest[0]


def test_turning_keeps_positions_on_their_pixels():
    """A spot painted at a scatterer stays at the scatterer under every symmetry."""
    scene = clean_scene(1, SMALL, _rng(1))
    row, column = 5, 17
    maps = torch.zeros_like(scene.maps)
    maps[..., row, column] = 1
    scene = type(scene)(
        maps, scene.k, torch.tensor([[[float(row), float(column)]]]), torch.ones(1, 1, dtype=bool)
    )
    for seed in range(16):
        turned = random_symmetry(scene, _rng(seed))
        r, c = turned.points[0, 0].long().tolist()
        assert turned.maps[0, 0, r, c] == 1


def test_drift_moves_what_is_recorded():
    drift = torch.tensor([[1.2, -0.7]])
    true = torch.tensor([[[10.0, 3.0], [70.0, 20.0]]])
    recorded = instrument.recorded_position(true, drift, 80)
    back = recorded + instrument.drift_displacement(recorded[..., 0], drift, 80)
    torch.testing.assert_close(back, true, atol=1e-3, rtol=0)
    assert (recorded[0, 1] - true[0, 1]).abs().max() > 0.5


def test_white_noise_has_the_strength_asked_for():
    maps = torch.randn(1, 3, 64, 64, generator=_rng())
    added = instrument.white_noise(maps, 0.8, _rng(1)) - maps
    assert added.std().item() == pytest.approx(0.8, rel=0.03)


def test_jitter_scales_whole_spectra():
    maps = 1 + torch.rand(1, 5, 16, 16, generator=_rng())
    ratio = instrument.z_jitter(maps, 0.05, _rng(1)) / maps
    assert ratio.std(dim=1).max() < 1e-6
    assert ratio[:, 0].log().std().item() == pytest.approx(0.05, rel=0.2)


def test_row_offsets_are_constant_along_a_row():
    maps = torch.randn(1, 3, 32, 32, generator=_rng())
    added = instrument.row_offsets(maps, 0.5, _rng(1)) - maps
    assert added.std(dim=-1).max() < 1e-5 and added.std(dim=-2).min() > 0.1


def test_a_tip_change_leaves_the_rows_before_it_alone():
    maps = torch.randn(1, 3, 32, 32, generator=_rng())
    changed = (instrument.tip_change(maps, 1.0, _rng(3)) - maps).abs().amax(dim=(0, 1, 3)) > 1e-6
    first = int(changed.float().argmax())
    assert not changed[:first].any() and changed[first:].all()


def test_herringbone_has_its_period():
    maps = torch.randn(1, 1, 128, 128, generator=_rng())
    stripes = (instrument.herringbone(maps, 1.0, 16.0, _rng(1)) - maps)[0, 0].numpy()
    power = np.abs(np.fft.fft2(stripes)) ** 2
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128), indexing="ij"))
    assert 1 / f.flat[power.argmax()] == pytest.approx(16, rel=0.15)


def test_full_set_point_feedback_flattens_the_integral():
    maps = 1 + 0.2 * torch.rand(1, 6, 8, 8, generator=_rng())
    assert instrument.set_point(maps, 1.0).mean(dim=1).std() < 1e-5
    torch.testing.assert_close(instrument.set_point(maps, 0.0), maps)


def test_bound_states_are_bright_at_their_impurities_and_decay():
    image = bound_state_map(np.array([[10.0, 20.0]]), (32, 40), 0.2, np.array([1.0]))
    assert np.unravel_index(image.argmax(), image.shape) == (10, 20)
    assert image.max() == pytest.approx(1)
    assert image[10, 30] < image[10, 25] < image[10, 21]


def test_decay_of_a_bound_state():
    """κ = 0.51232·√(m*|E_b|) Å⁻¹; the LDOS e-folds over 1/2κ: 2.9 px at 20 meV and 4.69 Å/px."""
    assert 1 / (2 * decay_constant(0.26, 20) * 0.469) == pytest.approx(2.9, abs=0.05)


def test_simulate_gives_a_sound_stack_with_its_truth():
    stack = friedel.simulate(shape=(24, 30), bias_mv=[-200, -100, 0], impurities=5, seed=3)
    again = friedel.simulate(shape=(24, 30), bias_mv=[-200, -100, 0], impurities=5, seed=3)
    assert stack.identical(again)
    assert stack["LockinX"].shape == (3, 24, 30) and stack["LockinX"].dtype == np.float32
    rows, columns = true_positions(stack).T
    assert len(rows) == len(columns) == 5
    assert (rows >= 0).all() and (rows <= 23).all() and (columns <= 29).all()


def test_reference_map_marks_nine_impurities_in_ten():
    noise = 5e-4  # a twentieth of the highest state
    bright = []
    for seed in range(10):
        stack = friedel.simulate(shape=(32, 32), bias_mv=[0.0], impurities=4, closest_nm=3.0, seed=seed)
        image = stack["bound_state"].to_numpy()
        at = tuple(true_positions(stack).round().astype(int).T)
        bright += list(image[at] > np.median(image) + 4 * noise)
    assert 0.75 < np.mean(bright) < 1


def test_impossible_scenes_are_refused_with_a_sentence():
    with pytest.raises(PhysicsError, match="do not fit"):
        friedel.simulate(shape=(10, 10), bias_mv=[0.0], impurities=50, closest_nm=3.0)
    with pytest.raises(PhysicsError, match="outside the band"):
        friedel.simulate("ag111", bias_mv=[-200.0, 0.0])
