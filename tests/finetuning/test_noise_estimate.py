"""The measured noise: planted noise is recovered, white or correlated, and simulated batches carry the same."""

import numpy as np
import pytest
import torch

from friedel.finetuning.noise_estimate import Noise, measure_noise
from friedel.finetuning.sample import prepare_sample
from friedel.finetuning.sample_recipes import sample_recipe
from friedel.models.matched_field import pool_voltages
from friedel.physics.dispersion import MATERIALS
from friedel.physics.instrument import correlated
from friedel.physics.simulate import simulate
from friedel.resample import plan

CASES = {
    "au111": ("au111", 0.469, 64, 12),
    "au111, not pooled": ("au111", 0.469, 30, 30),
    "au111, five voltages": ("au111", 0.469, 5, 5),
    "au111, coarse": ("au111", 0.65, 30, 12),
    "cu111": ("cu111", 0.36, 30, 12),
    "cu111, fine": ("cu111", 0.15, 30, 12),
}


@pytest.fixture(scope="module", params=CASES, ids=list(CASES))
def clean(request):
    """Maps of unit width with cores, jitter and line offsets but no noise, and k [rad/px]."""
    material, pixel_nm, voltages, pooled = CASES[request.param]
    stack = simulate(
        material, shape=(48, 48), pixel_nm=pixel_nm, bias_mv=np.linspace(-230, 20, voltages), noise=0.0,
        impurities=8 if pixel_nm < 0.2 else 15, closest_nm=0.8, seed=3,
    )  # fmt: skip
    maps = stack["LockinX"].to_numpy().astype(float)
    maps -= maps.mean(axis=(1, 2), keepdims=True)
    k_nm = MATERIALS[material].k(stack["bias"].to_numpy())
    return maps / maps.std(axis=(1, 2), keepdims=True), k_nm, pixel_nm, pooled


def white(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("reach", [0.0, 0.6], ids=["white", "correlated"])
def test_planted_noise_is_recovered(clean, reach):
    """After resampling and pooling, as the network sees it: within 15 % and 0.15 of the correlation."""
    maps, k_nm, pixel_nm, pooled = clean
    noise = 0.8 * correlated(white(maps.shape), 0.0, reach).numpy()
    scaling = plan(k_nm, (pixel_nm, pixel_nm), maps.shape[1:], (0.5, 1.15))

    def shown(values):
        made = torch.from_numpy(scaling.resample(values[scaling.keep])[0])[None]
        return (x[0].numpy() for x in pool_voltages(made, torch.from_numpy(scaling.k)[None], pooled))

    (seen, k), (only, _) = shown(maps + noise), shown(noise)
    share = np.median(only.std(axis=(1, 2)) / seen.std(axis=(1, 2)))
    neighbours = (only[:, :, 1:] * only[:, :, :-1]).mean() / (only**2).mean()
    found = measure_noise(seen, k)
    assert found.share == pytest.approx(share, rel=0.15)
    assert found.correlation.columns == pytest.approx(neighbours if neighbours > 0.2 else 0, abs=0.15)
    if not reach:
        assert abs(found.correlation.columns - found.correlation.rows) < 0.25


def test_gaps_and_little_data():
    maps = white((8, 40, 40)).numpy()
    maps[:, 25:] = np.nan
    assert measure_noise(maps, np.linspace(0.6, 0.9, 8)).share == pytest.approx(1.0, abs=0.05)
    assert measure_noise(maps[:1], np.array([0.7])).share == pytest.approx(1.0, abs=0.1)
    maps[:, 1:] = np.nan
    assert measure_noise(maps, np.linspace(0.6, 0.9, 8)) == Noise(0.5)
    assert measure_noise(np.zeros((3, 20, 20)), np.array([0.6, 0.7, 0.8])) == Noise(0.5)


@pytest.mark.parametrize(("rows", "columns"), [(0.0, 0.0), (0.0, 0.7), (0.5, 0.3)])
def test_correlated_noise_keeps_its_width(rows, columns):
    noise = correlated(white((6, 8, 60, 50)), rows, columns)
    assert noise.std() == pytest.approx(1, abs=0.02)
    assert noise[..., 0].std() == pytest.approx(1, abs=0.04)  # from the first pixel on
    assert (noise[..., 1:] * noise[..., :-1]).mean() == pytest.approx(columns, abs=0.03)
    assert (noise[..., 1:, :] * noise[..., :-1, :]).mean() == pytest.approx(rows, abs=0.03)


@pytest.mark.parametrize("architecture", ["attention", "wave"])
@pytest.mark.parametrize("reach", [0.0, 0.7])
def test_simulated_batches_carry_the_samples_correlation(model, stack, architecture, reach):
    from friedel.models.registry import Model
    from friedel.training.recipes import get_recipe

    if architecture == "wave":
        recipe = get_recipe("friedel")
        model = Model(recipe.make_network().eval(), recipe.header(), "wave")
    noise = 4 * correlated(white(stack["LockinX"].shape), 0.0, reach).numpy()
    noisy = stack.assign(
        LockinX=(stack["LockinX"].dims, stack["LockinX"].to_numpy() + noise, stack["LockinX"].attrs)
    )
    made = sample_recipe(
        model, prepare_sample(noisy, model.k_range, "au111"), batch=16, voltages=4, noise=None
    )
    generator = torch.Generator().manual_seed(0)
    # Batches are turned: the fast axis may be either one.
    found = []
    for _ in range(12):
        maps = made.batch(generator, torch.device("cpu")).maps
        found += [
            ((maps[..., 1:] * maps[..., :-1]).mean() + (maps[..., 1:, :] * maps[..., :-1, :]).mean()).item()
        ]
    assert np.mean(found) == pytest.approx(reach, abs=0.2)
