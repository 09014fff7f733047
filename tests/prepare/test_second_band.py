"""A second band: its ring is filtered out, the known band's waves stay, and a wrong band is told from it."""

from functools import cache

import numpy as np
import pytest

from friedel.benchmark.confounders import confounded
from friedel.checks import _two_rings
from friedel.errors import FriedelWarning
from friedel.pipeline import detect
from friedel.prepare.ring_evidence import INWARD, RingEvidence, ring_evidence
from friedel.prepare.run import clean, flatten
from friedel.prepare.second_band import (
    STOP,
    SecondBand,
    find_second_band,
    on_ring,
    subtract_second_band,
)
from friedel.scoring.metrics import evaluate
from friedel.settings import PrepareSettings
from friedel.settings.checks import CHECK_LIMITS

K = np.linspace(1.45, 1.95, 12)  # nm⁻¹
PITCH = (0.45, 0.5)
SHAPE = (80, 76)


@cache
def _waves(seed, factor, impurities):
    random = np.random.default_rng(seed)
    rows, columns = (np.arange(n) * step for n, step in zip(SHAPE, PITCH, strict=True))
    y, x = random.uniform(0, rows[-1], impurities), random.uniform(0, columns[-1], impurities)
    r = np.hypot(rows[:, None, None] - y, columns[None, :, None] - x) + 0.3
    phase = 2 * np.pi * random.random(impurities)
    maps = np.array([(np.cos(2 * factor * k * r + phase) / r).sum(axis=2) for k in K])
    maps = np.clip(maps, *np.quantile(maps, [0.01, 0.99]))
    return (maps - maps.mean(axis=(1, 2), keepdims=True)) / maps.std()


def waves(seed, factor=1.0, impurities=40):
    """Maps of single scattering far from the scatterers, cos(2kr + φ)/r, rms 1."""
    return _waves(seed, factor, impurities).copy()


def explained(maps, wanted):
    return float(np.corrcoef(maps.ravel(), wanted.ravel())[0, 1] ** 2)


@pytest.mark.parametrize("factor", [0.6, 0.72, 1.7])
def test_the_filter_leaves_the_waves_of_the_known_band(factor):
    own, other = waves(1), waves(1, factor)
    maps = own + 1.5 * other + 0.2 * np.random.default_rng(2).normal(size=own.shape)
    before = explained(maps, own)
    subtract_second_band(maps, np.zeros_like(maps), K, PITCH, SecondBand(factor))
    assert before < 0.4
    assert explained(maps, own) > before + 0.3
    assert explained(maps, other) < 0.12


def test_a_second_band_is_told_from_a_wrong_one():
    """A wrong band has no ring of its own: what the maps show is the true one, and must not be filtered out."""
    noise = 0.3 * np.random.default_rng(3).normal(size=(len(K), *SHAPE))
    own, other = waves(4), waves(4, 0.6)
    two = ring_evidence(own + 1.5 * other + noise, K, PITCH)
    wrong = ring_evidence(other + noise, K, PITCH)
    assert find_second_band(two).factor == pytest.approx(0.6, abs=0.05)
    assert wrong.elsewhere_factor / INWARD == pytest.approx(0.6, abs=0.05)
    assert wrong.prominence < CHECK_LIMITS.own_ring
    assert find_second_band(wrong) is None
    assert find_second_band(ring_evidence(own + noise, K, PITCH)) is None


@pytest.mark.parametrize(
    ("factor", "apart"), [(0.6, True), (0.75, True), (0.85, False), (1.2, False), (1.6, True)]
)
def test_rings_too_near_to_be_filtered_apart_stay(factor, apart):
    ring = RingEvidence(0.1, 1.0, 1.2, factor * INWARD, 1.0, 0.4)
    assert (find_second_band(ring) is not None) == apart


def test_the_filter_is_one_on_the_ring_and_nothing_away_from_it():
    """A plane wave at each wavevector of a large map: amplitude of what the filter takes."""
    rows, columns = np.mgrid[:160, :160] * 0.25
    radius = 4.0
    for u, share in ((0.4, 0), (0.85, 1), (1.0, 1), (1.45, 0)):
        for angle in (0.0, 0.6):
            plane = np.cos(u * radius * (np.cos(angle) * rows + np.sin(angle) * columns))
            taken = on_ring(plane, radius, (0.25, 0.25))
            inner = np.s_[30:-30, 30:-30]
            assert (taken * plane)[inner].mean() / (plane**2)[inner].mean() == pytest.approx(share, abs=0.03)
    assert STOP[0] < 1 < STOP[1]


def test_what_is_not_known_stays_unknown_and_changes_nothing_else():
    maps = waves(5) + 1.5 * waves(5, 0.6)
    holes = maps.copy()
    holes[:, 10:14, 20:24] = np.nan
    k = K.copy()
    k[0] = np.nan  # below the onset: no wave of the known band
    for one in (maps, holes):
        subtract_second_band(one, np.zeros_like(one), k, PITCH, SecondBand(0.6))
    assert np.isnan(holes[:, 10:14, 20:24]).all()
    known = np.isfinite(holes)
    assert explained(holes[known], maps[known]) > 0.97
    np.testing.assert_array_equal(maps[0], (waves(5) + 1.5 * waves(5, 0.6))[0])


def test_the_preparation_filters_it_says_so_and_can_leave_it():
    random = np.random.default_rng(6)
    maps = waves(7) + 1.5 * waves(7, 0.62) + 0.3 * random.normal(size=(len(K), *SHAPE))
    rings = {}
    for on in (True, False):
        settings = PrepareSettings(second_band=on, extended=False)
        done = flatten(clean(maps, settings), K, PITCH, settings)
        rings[on] = done.ring.beside
        said = [step.sentence for step in done.steps if step.name == "second band"]
        assert len(said) == on
        assert all("second band" in text and "check the material" in text for text in said)
    assert rings[True] == pytest.approx(0.62, abs=0.05)
    assert np.isnan(rings[False])


def test_the_answer_is_doubtful_beside_a_higher_ring_unless_a_fit_of_its_waves_holds():
    """The band's own ring is there, but the higher one may be the true one all the same."""
    ring = RingEvidence(0.1, 1.0, 1.2, 0.6, 1.0, 0.4, 0.61)
    for explained in (np.nan, 0.1):
        own, other = _two_rings(ring, explained)
        assert own.name == "ring" and own.passed
        assert other.name == "band" and not other.passed and not other.noted
    _, fitted = _two_rings(ring, 0.7)
    assert fitted.passed and fitted.noted and "check the material" in fitted.sentence


def test_more_impurities_of_a_surface_with_two_bands_are_found():
    field = confounded("two-bands", "strong", 2)
    f1 = []
    for on in (False, True):
        prepare = PrepareSettings(second_band=on)
        with pytest.warns(FriedelWarning):
            found = detect(field.stack, dispersion=field.band, prepare=prepare, refit="none")
        f1.append(evaluate(found.positions, field.positions, 1.0, optional=field.optional).f1)
    assert f1[1] > f1[0] + 0.05
    assert "band" in [check.name for check in found.failed]
