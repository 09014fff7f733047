from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from friedel.benchmark.confounders import confounded
from friedel.benchmark.scenes import SCENES
from friedel.checks import Facts, check_all
from friedel.errors import FriedelWarning
from friedel.physics.simulate import Simulation, simulate
from friedel.pipeline import detect
from friedel.prepare.ghosts import ghosts, repeated
from friedel.prepare.lines import edges, lines, longest_line
from friedel.prepare.ring_evidence import RingEvidence
from friedel.refit.flags import PointFlag
from friedel.scoring.metrics import evaluate
from friedel.settings import PrepareSettings
from friedel.settings.checks import CHECK_LIMITS
from friedel.stages import shows_no_waves

RANDOM = np.random.default_rng(0)
POINTS = RANDOM.uniform(0, 80, (40, 2))
GOOD = Facts(
    doubtful=np.zeros((0, 2)),
    left_probability=np.full(40, 0.999),
    positions=POINTS,
    left=POINTS,
    probability=np.full(40, 0.999),
    shape=(80, 80),
    area_px=6400.0,
    half_px=4.0,
    recorded_half_px=4.0,
    voltages=42,
    voltages_out=0.0,
    lost=0.0,
    band_given=True,
    ring=RingEvidence(1.5, 9.0, elsewhere=0.2, elsewhere_factor=1.4),
    dropped=0.0,
    explained=0.9,
    calibrated=True,
)


def failed(facts):
    return [check.name for check in check_all(facts) if not check.passed]


def noted(facts):
    return [check.name for check in check_all(facts) if check.passed and check.noted]


def test_a_good_result_passes_every_check():
    assert failed(GOOD) == noted(GOOD) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"ring": RingEvidence(0.0, 0.0, 1.0, 0.1, 1.4)}, "ring"),
        ({"ring": RingEvidence(0.5, 3.0, 1.0, 2.0, 1.4)}, "band"),
        ({"band_given": False}, "ring"),
        ({"dropped": 0.8}, "dropped"),
        ({"explained": 0.05}, "explained"),
        ({"probability": np.full(40, 0.7), "explained": np.nan}, "sure"),
        ({"left_probability": np.full(40, 0.8)}, "probabilities"),
        ({"half_px": 9.0}, "density"),
        ({"half_px": 30.0}, "field size"),
        ({"recorded_half_px": 1.5}, "sampling"),
        ({"voltages_out": 0.8}, "voltages"),
        ({"lost": 0.7}, "bad data"),
    ],
)
def test_each_doubt_fails_its_check(change, name):
    assert name in failed(replace(GOOD, **change))


def test_few_sure_impurities_are_noted_where_the_fit_holds():
    facts = replace(GOOD, probability=np.full(40, 0.95))
    assert failed(facts) == [] and noted(facts) == ["sure"]


def test_every_check_has_a_sentence_and_numbers():
    for check in check_all(replace(GOOD, ring=RingEvidence(0.0, 0.0, 1.0, 0.1, 1.4))):
        assert check.sentence.endswith((".", ")."))
        assert np.isfinite(check.limit)


def test_a_chain_along_an_edge_is_a_line():
    along = np.linspace(5, 75, 18)
    chain = np.stack([along, 20 + 0.4 * along], axis=1) + RANDOM.normal(0, 0.3, (18, 2))
    line = longest_line(np.concatenate([POINTS, chain]), (80, 80), 4.0)
    assert len(set(range(40, 58)) & set(line.members.tolist())) >= 15
    both = np.concatenate([POINTS, chain])
    seen = replace(GOOD, positions=both, left=both, probability=np.full(58, 1))
    assert "line" in failed(seen)
    demoted = replace(seen, left=POINTS)
    assert failed(demoted) == []
    assert noted(demoted) == ["line"]


def test_a_field_too_small_for_a_ring_fails_where_nothing_else_tells_of_waves():
    small = replace(GOOD, ring=RingEvidence(np.nan, np.nan, np.nan, np.nan, np.nan))
    assert failed(small) == []
    assert failed(replace(small, withheld=True)) == ["ring"]


def test_no_line_is_said_to_pass_whatever_is_left():
    row = np.stack([np.full(18, 40.0), np.linspace(1, 78, 18)], axis=1)
    facts = replace(GOOD, left=np.concatenate([POINTS, row]))
    assert failed(facts) == noted(facts) == []


def test_a_dashed_chain_along_an_edge_is_one_line():
    # Impurities near an edge hide what it makes of the network for six half wavelengths.
    along = np.concatenate([np.linspace(5, 25, 6), np.linspace(49, 75, 7)])
    chain = np.stack([along, 10 + 0.7 * along], axis=1) + RANDOM.normal(0, 0.3, (13, 2))
    line = longest_line(np.concatenate([POINTS, chain]), (80, 80), 4.0)
    assert line.excess > CHECK_LIMITS.line
    assert len(set(range(40, 53)) & set(line.members.tolist())) >= 11


def test_random_points_are_no_line():
    excess = [
        longest_line(np.random.default_rng(i).uniform(0, 80, (50, 2)), (80, 80), 4.0).excess for i in range(8)
    ]
    assert max(excess) < CHECK_LIMITS.line


def test_a_line_through_a_cluster_is_none_but_a_chain_beside_another_is_one():
    half, random = 4.0, np.random.default_rng(3)
    for _ in range(20):
        # Fifteen points in an ellipse of three by ten half wavelengths, more than the waves resolve: lines through it
        # hold six and more.
        radius, angle = np.sqrt(random.uniform(0, 1, 15)), random.uniform(0, 2 * np.pi, 15)
        ellipse = np.stack([1.5 * np.cos(angle), 5 * np.sin(angle)], axis=1) * radius[:, None] * half + [
            40,
            40,
        ]
        assert longest_line(ellipse, (80, 80), half).excess < CHECK_LIMITS.line
    along = np.arange(4.0, 76.0, 3.0)
    chains = [
        np.stack([along + random.normal(0, 0.3, len(along)), np.full(len(along), column)], axis=1)
        for column in (36.0, 40.0)
    ]
    found = lines(np.concatenate([POINTS, *chains]), (80, 80), half, CHECK_LIMITS.line)
    assert {int(np.median(line.members > 63)) for line in found} == {0, 1}


def test_close_groups_on_a_line_are_no_edge_but_as_many_points_along_it_are():
    half, random = 4.0, np.random.default_rng(5)
    field = random.uniform(0, 80, (19, 2))
    # In half wavelengths along the line; the groups were listed as a step edge once.
    groups = np.array([-5.4, -4.7, -3.7, -3.4, -2.9, -2.5, -2.2, 1.3, 1.4, 2.0, 5.4, 7.3, 7.4])
    for place, edge in ((groups, False), (np.linspace(-9, 9, 22), True)):
        along = 40 + place * half
        chain = np.stack([along, np.full(len(along), 44.0)], axis=1)
        excess = longest_line(np.concatenate([field, chain]), (80, 80), half).excess
        assert (excess > CHECK_LIMITS.line) == edge


def test_doubtful_candidates_tell_an_edge_of_which_few_points_are_listed():
    """Seven points along a weak edge are listed; the others along it stay below the threshold."""
    random = np.random.default_rng(6)
    along = np.linspace(4, 76, 20)
    chain = np.stack([along, 20 + 0.5 * along], axis=1) + random.normal(0, 0.3, (20, 2))
    listed = np.concatenate([random.uniform(0, 80, (40, 2)), chain[::3]])
    doubtful = np.delete(chain, np.arange(0, 20, 3), axis=0)
    middling = np.full(47, 0.8)
    assert not edges(listed, middling, np.zeros((0, 2)), (80, 80), 4.0)
    assert not edges(listed, middling, random.uniform(0, 80, (13, 2)), (80, 80), 4.0)
    (line,) = edges(listed, middling, doubtful, (80, 80), 4.0)
    assert set(range(40, 60)) <= set(line.members.tolist())
    middling[40] = 0.999  # a sure one may be an impurity
    assert 40 not in edges(listed, middling, doubtful, (80, 80), 4.0)[0].members
    left = np.delete(listed, line.members[line.members < 47], axis=0)
    facts = replace(GOOD, positions=listed, doubtful=doubtful, probability=np.full(47, 0.9), left=left)
    assert failed(facts) == [] and "line" in noted(facts)
    assert failed(replace(facts, left=listed)) == ["line"]
    (check,) = [one for one in check_all(facts) if one.name == "line"]
    assert check.value > check.limit
    assert not edges(left, np.full(len(left), 0.9), chain, (80, 80), 4.0)  # nothing that is listed lies on it


def test_companions_of_impurities_on_a_line_make_no_edge_of_it():
    """Each of six impurities on a line has two doubtful candidates near by, as extended scatterers have."""
    random = np.random.default_rng(7)
    row = np.stack([np.full(6, 40.0), np.linspace(8, 72, 6)], axis=1)
    listed = np.concatenate([random.uniform(0, 80, (35, 2)), row])
    probability = np.full(len(listed), 0.9)
    for apart, edge in ((1.6, False), (4.0, True)):
        doubtful = np.concatenate([row + np.array([0.0, sign * apart]) for sign in (1, -1)])
        assert bool(edges(listed, probability, doubtful, (80, 80), 4.0)) == edge


def test_two_edges_are_two_lines_and_chance_keeps_its_share():
    random = np.random.default_rng(2)
    field = random.uniform(0, 80, (25, 2))
    first = np.column_stack([np.arange(4, 76, 3.0), np.full(24, 20.0)])
    second = np.column_stack([np.full(24, 60.0), np.arange(4, 76, 3.0)])
    found = lines(np.concatenate([field, first, second]), (80, 80), 4.0, CHECK_LIMITS.line)
    assert len(found) == 2
    for line in found:
        assert len(line.members) >= 22
        assert line.expected < 0.25 * len(line.members)


def test_points_on_an_edge_are_listed_with_the_probability_that_chance_leaves_them():
    """A reflecting step edge: the chain along it is no list of impurities."""
    field = confounded("edge", "strong", 1)
    steps = PrepareSettings(terraces=False)
    kept = detect(field.stack, dispersion=field.band, demote_lines=False, prepare=steps)
    demoted = detect(field.stack, dispersion=field.band, prepare=steps)
    f1 = [
        evaluate(one.positions, field.positions, 1.0, optional=field.optional).f1 for one in (kept, demoted)
    ]
    assert f1[1] > f1[0] + 0.1
    assert "line" in [check.name for check in kept.failed]
    assert "line" in [check.name for check in demoted.noted]
    assert len(kept.table) == len(demoted.table)
    on_line = demoted.table["flags"].to_numpy() & int(PointFlag.LINE) > 0
    assert on_line.sum() > 10


@pytest.mark.parametrize(("ring", "sigma", "explained", "highest", "none"), [
    (0.05, 0.3, 0.17, 0.9, True), (0.05, 0.3, float("nan"), 0.9, True), (0.5, 2.2, float("nan"), 0.9, True),
    (1.5, 9.0, 0.17, 0.9, False), (0.05, 0.3, 0.9, 0.9, False), (0.05, 0.3, float("nan"), 0.995, False),
])  # fmt: skip
def test_a_field_shows_no_waves_if_neither_ring_nor_fit_nor_a_sure_impurity_does(
    ring, sigma, explained, highest, none
):
    prepared = SimpleNamespace(flattened=SimpleNamespace(ring=RingEvidence(ring, sigma)))
    candidates = SimpleNamespace(table=pd.DataFrame({"probability": [0.6, highest]}), knows_empty=True)
    fitted = SimpleNamespace(candidates=candidates, explained_share=explained)
    assert shows_no_waves(prepared, fitted) is none
    beside = replace(
        prepared.flattened.ring, beside=0.6
    )  # the band's own ring is seen beside a second band's
    assert not shows_no_waves(SimpleNamespace(flattened=SimpleNamespace(ring=beside)), fitted)


@pytest.mark.parametrize(("height", "sigma", "maps", "none"), [
    (0.05, 9.0, 5, True), (1.5, 9.0, 1, False), (float("nan"), 0.0, 1, False), (0.4, 2.3, 5, False),
    (0.4, 2.3, 1, True),
])  # fmt: skip
def test_a_method_that_knows_no_empty_field_needs_a_ring_where_one_can_be_measured(height, sigma, maps, none):
    """In noise the ring of several voltages is high, but not beyond chance in any; one map has such rings by chance."""
    ring = SimpleNamespace(ring=RingEvidence(height, sigma))
    prepared = SimpleNamespace(flattened=ring, bias_mv=np.arange(maps))
    candidates = SimpleNamespace(table=pd.DataFrame({"probability": [1.0]}), knows_empty=False)
    fitted = SimpleNamespace(candidates=candidates, explained_share=float("nan"))
    assert shows_no_waves(prepared, fitted) is none


@pytest.mark.parametrize("how", [{"method": "matched-field"}, {"model": "paper"}])
def test_noise_of_three_rms_leaves_the_points_of_a_method_that_knows_no_empty_field(how):
    field = SCENES["noise"].field(0)
    assert len(detect(field.stack, dispersion=field.dispersion, **how)) >= 10


@pytest.mark.parametrize("name", ["edge-terrace", "bad-spectra", "moire"])
def test_the_matched_field_lists_no_impurity_of_a_field_without_waves(name):
    field = confounded(name, "strong", 0, impurities=False)
    with pytest.warns(FriedelWarning, match="no probability is listed"):
        found = detect(field.stack, dispersion=field.band, method="matched-field")
    assert len(found) == 0
    assert found.table["significance"].max() > 0.95


def test_the_published_network_lists_no_impurity_of_a_field_without_waves():
    field = confounded("bad-spectra", "strong", 0, impurities=False)
    with pytest.warns(FriedelWarning, match="no probability is listed"):
        assert len(detect(field.stack, dispersion=field.band, model="paper")) == 0


def test_a_second_apex_is_told_by_pairs_at_one_displacement():
    """40 impurities, 15 of them seen twice at (2, −3) px with an error of 0.2 px."""
    rng = np.random.default_rng(3)
    alone = rng.uniform(0, 80, (40, 2))
    twice = np.concatenate([alone, alone[:15] + (2.0, -3.0) + 0.2 * rng.normal(size=(15, 2))])
    found = ghosts(twice, (80, 80), 4.0)
    assert found.share > 0.1 and found.pairs >= 14
    assert np.allclose(np.abs(found.apart), (2, 3), atol=0.2)


def test_impurities_at_random_have_no_common_displacement():
    rng = np.random.default_rng(4)
    shares = [ghosts(rng.uniform(0, 80, (count, 2)), (80, 80), 4.0).share for count in (3, 20, 45, 90) * 10]
    assert max(shares) < CHECK_LIMITS.ghosts


@pytest.mark.parametrize(("told", "material"), [
    ("cu111", "au111"), ("au111", "cu111"),
])  # fmt: skip
def test_a_wrong_material_does_not_pass(told, material):
    """One voltage of a field, told another noble metal whose wavevector is 10 % off."""
    stack = simulate(
        material,
        Simulation(shape=(96, 96), bias_mv=np.array([-100.0, 0.0]), impurities=45, seed=5, noise=0.4),
    )
    stack = stack.isel(bias=[1])
    found = detect(stack, dispersion=told, refit="none")
    (check,) = [check for check in found.failed if check.name == "wavevector"]
    assert f"band of {material} has such a ring" in check.sentence
    right = detect(stack, dispersion=material, refit="none")
    assert "wavevector" not in [check.name for check in right.failed]


@pytest.mark.parametrize("seed", [5, 6])
def test_a_wrong_material_of_the_same_mean_wavevector_does_not_pass(seed):
    """Cu(111) and Au(111) have one wavevector near −200 mV; from −350 to −50 mV their ratio runs from .88 to 1.1."""
    bias = np.linspace(-350, -50, 13)
    stack = simulate(
        "cu111", Simulation(shape=(96, 96), bias_mv=bias, impurities=45, seed=seed, noise=0.6, pixel_nm=0.35)
    )
    for told, passes in (("au111", False), ("cu111", True)):
        (check,) = [
            one for one in detect(stack, dispersion=told, refit="none").checks if one.name == "dispersion"
        ]
        assert check.passed == passes
        assert check.value < 0.08 or not passes


@pytest.mark.parametrize("sign", [1, -1])
def test_of_what_a_second_apex_repeats_the_weaker_one_is_told(sign):
    """20 of 40 impurities are seen twice at ±(2, −3) px, with six tenths of their strength."""
    rng = np.random.default_rng(5)
    alone, strength = rng.uniform(4, 76, (40, 2)), rng.uniform(3, 4, 40)
    again = alone[:20] + sign * np.array([2.0, -3.0]) + 0.1 * rng.normal(size=(20, 2))
    points, height = np.concatenate([alone, again]), np.concatenate([strength, 0.6 * strength[:20]])
    told = repeated(points, height, ghosts(points, (80, 80), 4.0), 4.0)
    assert len(set(range(40, 60)) & set(told)) >= 19
    assert len(set(told) - set(range(40, 60))) <= 1


def test_a_lattice_of_equals_repeats_nothing():
    rows, columns = np.mgrid[0:80:8, 0:80:8]
    points = np.column_stack([rows.ravel(), columns.ravel()]).astype(float)
    strength = np.random.default_rng(6).uniform(3, 4, len(points))
    assert not len(repeated(points, strength, ghosts(points, (80, 80), 4.0), 4.0))


def test_what_a_double_tip_repeats_is_no_impurity():
    field = confounded("double-tip", "strong", 3)
    kept = detect(field.stack, dispersion=field.band, demote_doubles=False)
    found = detect(field.stack, dispersion=field.band)
    before, after = (
        evaluate(one.positions, field.positions, 1.0, optional=field.optional) for one in (kept, found)
    )
    assert after.precision > before.precision + 0.2
    assert after.recall > before.recall - 0.05
    assert len(kept.table) == len(found.table)
    assert (found.table["flags"].to_numpy() & int(PointFlag.DOUBLE) > 0).sum() > 10
    assert "double tip" in [check.name for check in kept.failed]
    assert [check.name for check in found.noted] == ["double tip"] and not found.failed
    assert found.noted[0].sentence in found.provenance["warnings"]


def test_close_groups_of_unlike_impurities_stay():
    field = confounded("clusters", "strong", 1)
    kept, found = (
        detect(field.stack, dispersion=field.band, demote_doubles=choice) for choice in (False, True)
    )
    assert len(found) == len(kept) > 35
