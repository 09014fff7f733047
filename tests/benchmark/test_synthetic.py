"""The standard scenes are fixed, hold what they say, and agree with nothing they should not share."""

import numpy as np
import pytest

from friedel.benchmark.inpaint import Patch
from friedel.benchmark.scenes import NO_CORES, SCENES, scene
from friedel.benchmark.settings import Setting
from friedel.benchmark.synthetic import make_synthetic
from friedel.errors import FriedelError
from friedel.stack import true_positions, validate

SMALL = Setting(shape=(32, 36), bias_mv=(-230.0, -100.0, 20.0), impurities=8, margin_nm=3.0)


def test_a_synthetic_field_is_a_sound_stack_with_its_truth():
    simulated = make_synthetic(SMALL, 3)
    stack = validate(simulated.stack)
    assert stack["LockinX"].shape == (3, 32, 36)
    assert np.isfinite(stack["LockinX"]).all()
    assert len(true_positions(stack)) == 8
    assert stack["bound_state"].shape == (32, 36)
    assert len(simulated.scatterers.position) > 8  # some lie outside


def test_the_same_seed_gives_the_same_field_and_another_seed_another():
    first, again, other = make_synthetic(SMALL, 1), make_synthetic(SMALL, 1), make_synthetic(SMALL, 2)
    np.testing.assert_array_equal(first.stack["LockinX"], again.stack["LockinX"])
    assert not np.allclose(first.stack["LockinX"], other.stack["LockinX"])


def test_the_variant_without_cores_differs_near_impurities_only():
    simulated, bare = make_synthetic(SMALL, 5), make_synthetic(SMALL.without_cores(), 5)
    np.testing.assert_array_equal(simulated.scatterers.position, bare.scatterers.position)
    change = np.abs(simulated.stack["LockinX"].to_numpy() - bare.stack["LockinX"].to_numpy()).max(0)
    pixels = np.stack(np.mgrid[:32, :36], -1).reshape(-1, 1, 2)
    nearest = np.linalg.norm(pixels - simulated.scatterers.position, axis=-1).min(1).reshape(32, 36)
    # The window of a core falls from one to one per cent within a pixel of its radius.
    assert change[nearest > simulated.core_px.max() + 1.0].max() < 1e-6
    assert change[nearest < 0.5].min() > 1e-3


def test_the_noise_is_what_the_setting_says():
    quiet = make_synthetic(Setting(**{**_as_dict(SMALL), "noise": 0.0}), 2)
    noisy = make_synthetic(SMALL, 2)
    difference = (noisy.stack["LockinX"] - quiet.stack["LockinX"]).to_numpy()
    np.testing.assert_allclose(difference.std((1, 2)), noisy.noise, rtol=0.1)


def test_border_points_are_optional_and_outsiders_are_not_asked_for():
    simulated = make_synthetic(Setting(shape=(40, 40), bias_mv=(-100.0,), impurities=60), 0)
    positions, optional = simulated.truth(1.0)
    gap = np.minimum(positions + 0.5, 39.5 - positions).min(1)
    assert (gap > -1.0).all()
    np.testing.assert_array_equal(optional, gap <= 1.0)
    assert optional.any()
    assert (~optional).sum() <= 60


def test_drift_is_nil_half_way():
    still = Setting(
        shape=(24, 24), bias_mv=tuple(range(-200, 1, 20)), impurities=5, noise=0, jitter_pm=0, rows=0
    )
    moving = Setting(**{**_as_dict(still), "drift_px": 1.3})
    a, b = make_synthetic(still.without_cores(), 4), make_synthetic(moving.without_cores(), 4)
    change = (a.stack["LockinX"] - b.stack["LockinX"]).to_numpy().std((1, 2))
    assert change[5] < 0.25 * min(change[0], change[-1])


def test_inpainting_is_harmonic():
    row, column = np.mgrid[:20, :24].astype(float)
    plane = np.stack([2 * row - column, row * column])  # both harmonic on the lattice
    marked = np.zeros((20, 24), bool)
    marked[5:9, 5:10] = marked[14, 20] = True
    spoilt = plane.copy()
    spoilt[:, marked] = 99
    np.testing.assert_allclose(Patch(marked).fill(spoilt), plane, atol=1e-9)
    np.testing.assert_array_equal(Patch(np.zeros((20, 24), bool)).fill(plane), plane)


def test_scenes_are_those_that_are_promised():
    assert {"like-60", "unlike-60", "unlike-120", "noise", "isolated"} <= set(SCENES)
    assert {"drift", "empty", "cu111", "ag111"} <= set(SCENES)
    assert SCENES["cu111"].setting.shape == (256, 256)
    assert len(SCENES["ag111"].setting.bias_mv) == 5
    assert "empty" + NO_CORES not in SCENES
    assert all(one.tolerance_px >= 1 for one in SCENES.values())
    with pytest.raises(FriedelError, match="like-60"):
        scene("nowhere")


#: Place of the first scatterer and mean of the maps of Ag(111), seed 0.
FIRST, MEAN = (54.419885, 44.553391), 1.00721


def test_a_scene_never_changes():
    # A figure in the docs is worth something only as long as its scene is the same, to the last impurity.
    simulated = scene("ag111").field(0)
    assert len(simulated.truth()[0]) == 27
    assert simulated.scatterers.position[0] == pytest.approx(FIRST, abs=1e-6)
    assert float(simulated.stack["LockinX"].mean()) == pytest.approx(MEAN, abs=1e-4)


def test_the_empty_scene_is_empty():
    assert len(scene("empty").field(0).truth()[0]) == 0


def _as_dict(setting):
    return {name: getattr(setting, name) for name in setting.__dataclass_fields__}


def test_planted_scatterers_come_after_the_others_and_leave_them_as_they_are():
    planted = ((10.0, 12.5, 1.2, 0.4, 0.9), (20.0, 30.0, 0.3, 0.0, 1.0))
    plain, more = (make_synthetic(Setting(**{**_as_dict(SMALL), "planted": p}), 4) for p in ((), planted))
    count = len(plain.scatterers.position)
    assert np.array_equal(more.scatterers.position[:count], plain.scatterers.position)
    assert more.scatterers.position[count:] == pytest.approx(np.array(planted)[:, :2])
    assert more.amplitude[1, count] == pytest.approx(
        (0.9 * np.exp(2j * (1.2 + 0.4e-3 * (-100.0 + 105.0))) - 1) / 2
    )
    assert len(more.truth()[0]) == len(plain.truth()[0]) + 2
    assert not np.array_equal(more.stack["LockinX"], plain.stack["LockinX"])
