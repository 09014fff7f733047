import numpy as np
import pytest
from scipy.special import hankel1
from scipy.stats import chi2, kstest

from friedel.candidates.peaks import candidates
from friedel.classical.detect import iter_matched_field
from friedel.classical.matched_field import Template, pool, significance, statistic
from friedel.errors import PhysicsError
from friedel.progress import drain
from friedel.stack import normalise


def slow_statistic(maps, k, known, template, at):
    """T by an explicit least-squares fit at one pixel."""
    rows, columns = np.nonzero(known)
    distance = np.hypot(rows - at[0], columns - at[1])
    total = 0.0
    for values, k_ in zip(maps, k, strict=True):
        wave = template(distance, k_)
        basis = np.stack([wave.real, wave.imag], axis=1)
        y = values[known].astype(float)
        solution = np.linalg.lstsq(basis, y, rcond=None)[0]
        total += (y**2).sum() - ((y - basis @ solution) ** 2).sum()
    return total


def test_the_tabulated_template_is_the_hankel_function():
    r = np.linspace(2, 60, 500)
    np.testing.assert_allclose(Template("ldos", core=0)(r, 0.8), hankel1(0, 0.8 * r) ** 2, rtol=2e-5)


@pytest.mark.parametrize("kind", ["ldos", "eq3"])
def test_fft_equals_least_squares_at_a_pixel_also_with_gaps(kind):
    rng = np.random.default_rng(2)
    maps = rng.standard_normal((3, 17, 22)).astype(np.float32)
    known = rng.random((17, 22)) > 0.2
    maps[:, ~known] = np.nan
    k = np.array([0.7, 0.8, 0.9])
    t = statistic(maps, k, template=Template(kind))
    for at in [(8, 10), (0, 0), (16, 5)]:
        assert t[at] == pytest.approx(slow_statistic(maps, k, known, Template(kind), at), rel=1e-3)


def test_t_is_chi2_in_white_noise():
    rng = np.random.default_rng(0)
    t = statistic(rng.standard_normal((6, 90, 90)).astype(np.float32), np.linspace(0.7, 0.9, 6))
    assert kstest(t[::9, ::9].ravel(), chi2(12).cdf).pvalue > 0.01


def test_empty_noise_gives_no_point_at_the_default_threshold():
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(20):
        t = statistic(rng.standard_normal((5, 64, 64)).astype(np.float32), np.linspace(0.7, 0.9, 5))
        false += int((significance(t, 10) >= 0.95).sum() > 0)
    assert false <= 3  # 1 expected


def test_pooling_keeps_the_wave_and_quiets_the_noise(simulated):
    maps, k = pool(normalise(simulated.maps), simulated.k_px)
    assert len(k) == len(maps) < len(simulated.k_px)
    assert np.all(np.diff(k) > 0)
    assert k.min() >= simulated.k_px.min() and k.max() <= simulated.k_px.max()
    rows, columns = np.rint(simulated.truth).astype(int).T
    plain = statistic(normalise(simulated.maps), simulated.k_px)
    pooled = statistic(maps, k)
    contrast = [t[rows, columns].mean() / np.median(t) for t in (plain, pooled)]
    assert contrast[1] > contrast[0]


def test_positions_are_found(simulated, hits):
    maps, k = pool(normalise(simulated.maps), simulated.k_px)
    t = statistic(maps, k)
    table = candidates(t, significance(t, 2 * len(k)))
    best = table.sort_values("s", ascending=False)[["row", "column"]].to_numpy()[: len(simulated.truth)]
    assert hits(best, simulated.truth) >= 0.9 * len(simulated.truth)


def test_interpolated_pixels_say_nothing_and_may_hold_an_impurity(simulated):
    maps, rng = normalise(simulated.maps), np.random.default_rng(5)
    acquired = np.ones(maps.shape[1:], dtype=bool)
    rows = np.clip(np.rint(simulated.truth[:, 0]).astype(int), 0, maps.shape[1] - 1)
    acquired[rows[::3]] = False
    found = []
    for _ in range(2):
        filled = np.where(acquired, maps, rng.normal(size=maps.shape))
        found.append(drain(iter_matched_field(filled, simulated.k_px, acquired | True, acquired=acquired)))
    np.testing.assert_allclose(found[0].s, found[1].s, rtol=1e-4)
    best = found[0].table[["row", "column"]].to_numpy()[: 2 * len(rows)]
    lost = simulated.truth[~acquired[rows, 0]]
    assert min(np.hypot(*(best - one).T).min() for one in lost) < 1.0


def test_an_unknown_template_is_refused():
    with pytest.raises(PhysicsError, match="ldos, eq3"):
        Template("gabor")
