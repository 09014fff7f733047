"""Limits of the checks of a result (`friedel.checks`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckLimits:
    """What the value of each check is compared with.

    ``benchmarks/checks.py`` measures how often each fails on fields of low and of high precision. The limits of `ring`,
    `wavevector`, `dispersion`, `other_ring`, `sure`, `expected_false`, `density`, `line` and `ghosts` are set on its
    even seeds; the odd ones test them. Fields of an independent simulator had a part in the limits of `expected_false`
    (p waves of one direction, which have two lobes), `line` (close groups) and `dispersion` (Cu(111) called Au(111)).

    Parameters
    ----------
    ring : float
        Least height of the ring at 2k, as the logarithm of a power ratio.
    ring_sigma : float
        A lower ring, in standard deviations, may be one by chance: it tells of no waves, and not of k_F.
    other_ring : float
        A ring at another wavevector may be higher than that of the band by so much.
    own_ring : float
        Beside a higher ring the band's own one stands out by so much, as the logarithm of a power ratio: the higher one
        is that of a second band. Set on the confounder of two bands, seeds 2 to 7, and on simulated fields of Au(111),
        Ag(111) and Cu(111) called by another's name.
    wavevector : float
        Largest deviation of the ring's wavevector from that of the band, as |ln(k/k of the band)|.
    dispersion : float
        Largest change of the same from the lowest to the highest third of the maps' wavevectors.
    resolution : float
        The limit of `wavevector` times the half wavelengths along the shorter side: small fields tell less, and of
        `dispersion`, too.
    dropped : float
        Largest share of the network's impurities that the refit drops.
    sure : float
        Least share of sure impurities, where there are three voltages or more.
    certain : float
        An impurity of a higher probability is sure.
    expected_false : float
        Largest share of the impurities that are none by their own probabilities: of most good fields it is less than a
        tenth.
    explained : float
        Least share of the structure outside the cores that the fitted waves explain.
    density : float
        Most impurities per square of half a wavelength.
    line : float
        Most points on a line beyond those that chance puts there, in standard deviations.
    doubtful_line, doubtful_share : float
        The same where so large a share of the points on the line are doubtful candidates with no impurity near by.
    doubtful : float
        Candidates of a lower probability are not asked.
    ghosts : float
        Largest share of impurities, beyond chance, that have a neighbour at one and the same distance and direction.
    ghosts_in_order : float
        The same where one of each pair is always the weaker one: such a one is no longer listed as an impurity.
    field_size : float
        Least half wavelengths along the shorter side.
    sampling : float
        Least recorded pixels per half wavelength.
    voltages_out : float
        Largest share of the maps outside the band.
    lost : float
        Largest share of bad or missing values: with half of a field, what is left of it is searched as well.
    lost_noted : float
        A larger share is told.
    unregistered : float
        Largest share of separate scans whose shift to the one before could not be told.
    few : int
        Fewer points say nothing about shares and lines.
    """

    ring: float = 0.25
    ring_sigma: float = 4.0
    other_ring: float = 0.4
    own_ring: float = 0.18
    wavevector: float = 0.08
    dispersion: float = 0.125
    resolution: float = 0.8
    dropped: float = 0.25
    sure: float = 0.05
    certain: float = 0.99
    expected_false: float = 0.15
    explained: float = 0.25
    density: float = 0.4
    line: float = 5.8
    doubtful_line: float = 4.5
    doubtful_share: float = 0.15
    doubtful: float = 0.02
    ghosts: float = 0.12
    ghosts_in_order: float = 0.07
    field_size: float = 4.0
    sampling: float = 2.0
    voltages_out: float = 0.5
    lost: float = 0.6
    lost_noted: float = 0.25
    unregistered: float = 0.5
    few: int = 5


CHECK_LIMITS = CheckLimits()
