"""What is known of the scatterers' strengths before a fit, and what the impurities of one field tell of each other."""

from __future__ import annotations

import numpy as np

from friedel.detection.robust import deviation

#: A strength: where it lies, by how much it may differ, and its change from the middle to the end of the energies.
STRENGTH, STRENGTH_SPREAD, COURSE_SPREAD = -0.4, 0.5, 0.3
#: From so many sure impurities on, those whose strength differs from the typical one by less than `KIN` are taken for
#: the same kind, and for as much alike as the sure ones are, but no more than this.
LEAST_KIN, KIN, LEAST_KIN_SPREAD = 10, 0.35, 0.08


class StrengthPrior:
    """Normal distributions, one for each part of each scatterer's strength.

    Parameters
    ----------
    sure : array of bool, shape (N,)
        Points that are impurities: their strength is expected at `STRENGTH`, that of others at 0.
    courses : int
        Numbers of a strength: its value, and with 2 its change over energy.

    Attributes
    ----------
    usual, spread : array, shape (N, courses, 2)
        Means and standard deviations of real and imaginary part.
    typical, typical_spread : array, shape (courses, 2)
        Those of an impurity of this field that nobody has seen yet.
    """

    def __init__(self, sure: np.ndarray, courses: int) -> None:
        self.sure = np.asarray(sure, bool)
        self.usual = np.zeros((len(self.sure), courses, 2))
        self.usual[self.sure, 0, 0] = STRENGTH
        spread = np.array([STRENGTH_SPREAD, COURSE_SPREAD])[:courses, None]
        self.spread = np.broadcast_to(spread, self.usual.shape).copy()
        self.typical = np.zeros((courses, 2))
        self.typical_spread = np.broadcast_to(spread, self.typical.shape)

    def terms(self, course: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """1/variance and distance from the prior, shape (2 N courses,): real parts, then imaginary ones, by course.

        Parameters
        ----------
        course : array of complex, shape (N, courses)
        """
        away = _parts(course) - self.usual
        return _by_course(self.spread) ** -2.0, _by_course(away)

    def learn(self, course: np.ndarray, hidden: np.ndarray) -> None:
        """Expect of one kind what its sure impurities have in common: known strengths make places known better.

        Impurities of many kinds are as different as the prior allows, and nothing changes.

        Parameters
        ----------
        course : array of complex, shape (N, courses)
            Strengths as fitted so far.
        hidden : array of bool, shape (N,)
            Scatterers that nobody reported: those that look like the sure ones count as their kind.
        """
        if self.sure.sum() < LEAST_KIN:
            return
        value = _parts(course)
        typical = np.median(value[self.sure], axis=0)
        spread = deviation(np.moveaxis(value[self.sure] - typical, 0, -1))
        fresh = StrengthPrior(self.sure, course.shape[1])
        kin = (self.sure | hidden) & (np.hypot(*(value - typical)[:, 0].T) < KIN)
        spread = np.clip(spread, LEAST_KIN_SPREAD, fresh.typical_spread)
        fresh.usual[kin], fresh.spread[kin] = typical, spread
        self.usual, self.spread = fresh.usual, fresh.spread
        self.typical, self.typical_spread = typical, spread

    def add(self, count: int) -> None:
        """So many more, of which nothing is known."""
        more = StrengthPrior(np.zeros(count, bool), self.usual.shape[1])
        self.sure = np.append(self.sure, more.sure)
        self.usual, self.spread = np.vstack([self.usual, more.usual]), np.vstack([self.spread, more.spread])

    def remove(self, which: np.ndarray) -> None:
        """Without these."""
        self.sure = np.delete(self.sure, which)
        self.usual, self.spread = np.delete(self.usual, which, axis=0), np.delete(self.spread, which, axis=0)


def _by_course(parts: np.ndarray) -> np.ndarray:
    """All real parts, then all imaginary ones, course by course; of no scatterer none."""
    return np.moveaxis(parts, 0, -1).ravel()


def _parts(course: np.ndarray) -> np.ndarray:
    return np.stack([course.real, course.imag], axis=2)
