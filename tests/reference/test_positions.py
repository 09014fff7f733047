"""Peaks drawn at known places must come back, and no others."""

import numpy as np
import pytest
from scipy.special import k0

import friedel
from friedel.errors import StackError
from friedel.reference.positions import bound_state_positions
from friedel.scoring.matching import match


def _points(n, shape, separation, seed):
    random = np.random.default_rng(seed)
    points = []
    while len(points) < n:
        point = random.uniform(1.5, np.asarray(shape) - 2.5)
        if all(np.hypot(*(point - other)) > separation for other in points):
            points.append(point)
    return np.array(points)


def _map(points, shape, noise, kind="gauss", seed=0, width=1.6, amplitude=None):
    random = np.random.default_rng(seed + 1000)
    row, column = np.mgrid[: shape[0], : shape[1]]
    amplitude = random.uniform(0.6, 1.4, len(points)) if amplitude is None else amplitude
    image = np.zeros(shape)
    for (r, c), a in zip(points, amplitude, strict=True):
        distance = np.hypot(row - r, column - c)
        if kind == "gauss":
            image += a * np.exp(-(distance**2) / (2 * width**2))
        else:  # |K₀(κr)|², cut at half a pixel as a tip would
            image += a * (k0(np.hypot(distance, 0.7) / (2 * width)) / k0(0.7 / (2 * width))) ** 2
    return 3.0 + image + noise * random.normal(size=shape)


@pytest.mark.parametrize("kind", ["gauss", "bessel"])
def test_forty_peaks_come_back_to_a_fraction_of_a_pixel(kind):
    truth = _points(40, (80, 80), 4.0, 1)
    found = bound_state_positions(_map(truth, (80, 80), 0.08, kind), pixel_nm=0.469)
    pairs = match(found[["row", "column"]], truth, 1.0)
    assert len(pairs) >= 39
    assert len(pairs.false) <= 1
    assert np.sqrt(np.mean(pairs.distance**2)) < 0.25
    np.testing.assert_allclose(found["x_nm"], found["column"] * 0.469)
    np.testing.assert_allclose(found["y_nm"], found["row"] * 0.469)


def test_a_lone_peak_is_placed_as_well_as_its_noise_allows():
    errors, sigmas = [], []
    for seed in range(12):
        truth = _points(1, (30, 30), 1.0, seed) * 0.4 + 9
        found = bound_state_positions(_map(truth, (30, 30), 0.05, seed=seed, amplitude=[1.0]))
        assert len(found) == 1
        errors.append(found.loc[0, ["row", "column"]].to_numpy(float) - truth[0])
        sigmas.append(found.loc[0, "sigma_px"])
    assert np.sqrt(np.mean(np.square(errors))) < 3 * np.mean(sigmas)
    assert np.abs(np.mean(errors)) < 0.05


def test_the_criterion_finds_nothing_in_noise():
    counts = [
        len(bound_state_positions(np.random.default_rng(seed).normal(size=(60, 60)))) for seed in range(6)
    ]
    assert sum(counts) <= 1


def test_correlated_noise_makes_few_peaks():
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(4).normal(size=(80, 80)), 1.5)
    assert len(bound_state_positions(noise)) < 8


def test_the_number_can_be_given():
    truth = _points(10, (50, 50), 6.0, 3)
    found = bound_state_positions(_map(truth, (50, 50), 0.02), n=4)
    assert len(found) == 4
    assert len(match(found[["row", "column"]], truth, 0.5)) == 4
    assert (np.diff(found["amplitude"]) <= 0).all()


def test_unknown_pixels_are_left_out():
    truth = _points(12, (60, 60), 7.0, 5)
    image = _map(truth, (60, 60), 0.03)
    image[40:] = np.nan
    found = bound_state_positions(image)
    seen = truth[truth[:, 0] < 37]
    assert len(match(found[["row", "column"]], seen, 0.5)) == len(seen)
    assert (found["row"] < 42).all()


def test_anisotropic_pixels():
    found = bound_state_positions(_map(np.array([[10.0, 20.0]]), (30, 40), 0.02), pixel_nm=(0.5, 0.25))
    assert found.loc[0, "y_nm"] == pytest.approx(5.0, abs=0.05)
    assert found.loc[0, "x_nm"] == pytest.approx(5.0, abs=0.05)


@pytest.mark.parametrize("bad", [np.zeros(5), np.zeros((20, 20)), np.full((20, 20), np.nan)])
def test_maps_that_cannot_be_used_are_refused_with_a_sentence(bad):
    with pytest.raises(StackError, match=r"\.$"):
        bound_state_positions(bad)


@pytest.mark.parametrize(("smooth", "least"), [(0.0, 0.0), (1.5, 2.0)])
def test_sigma_is_the_error_of_the_positions_in_white_and_in_correlated_noise(smooth, least):
    """In correlated noise the white-noise formula would be more than twice too small."""
    from scipy.ndimage import gaussian_filter

    truth = np.stack(np.meshgrid(*[np.arange(12.0, 110, 14)] * 2, indexing="ij"), -1).reshape(-1, 2)
    errors, sigmas, white = [], [], []
    for seed in range(2):
        noise = np.random.default_rng(seed).normal(size=(120, 120))
        noise = gaussian_filter(noise, smooth) if smooth else noise
        image = _map(truth, (120, 120), 0.0, amplitude=np.ones(len(truth))) + 0.05 * noise / noise.std()
        found = bound_state_positions(image, n=len(truth))
        pairs = match(found[["row", "column"]], truth, 1.5)
        assert len(pairs) == len(truth)
        place = found[["row", "column"]].to_numpy(float)
        errors.append(place[pairs.found] - truth[pairs.truth])
        sigmas.append(found["sigma_px"].to_numpy()[pairs.found])
        white.append(found.attrs["noise"] * np.sqrt(2 / np.pi) / found["amplitude"].to_numpy()[pairs.found])
    rms = np.sqrt(np.mean(np.concatenate(errors) ** 2))
    assert rms / np.mean(np.concatenate(sigmas)) == pytest.approx(1.0, abs=0.3)
    assert rms / np.mean(np.concatenate(white)) > least


@pytest.mark.parametrize("unit", [1e-12, 1e-9, 1e6])
def test_reference_positions_do_not_depend_on_the_unit_of_the_map(unit):
    stack = friedel.simulate("au111", impurities=30, seed=11)
    image = stack["bound_state"].to_numpy().astype(float)
    plain, scaled = bound_state_positions(image), bound_state_positions(image * unit)
    assert scaled[["row", "column"]].to_numpy() == pytest.approx(
        plain[["row", "column"]].to_numpy(), abs=1e-3
    )
