"""A p wave beside an s wave is told by the waves near the scatterer."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import hankel1

from friedel.benchmark.settings import Setting
from friedel.benchmark.synthetic import make_synthetic
from friedel.errors import FriedelWarning
from friedel.given_points import refit_points
from friedel.pipeline import detect
from friedel.refit.columns import FLAGS
from friedel.refit.flags import PointFlag
from friedel.refit.joint_fit.step import guess_amplitudes, step, update_weights
from friedel.refit.p_waves import p_wave, p_waves

from .exact import EXACT, joint_fit


def test_far_away_a_p_wave_is_an_s_wave_of_the_opposite_sign():
    k, r = 0.8 + 0j, np.array([25.0, 50.0, 100.0])
    ratio = p_wave(r, k) / (-2 * hankel1(0, k * r) ** 2)
    # H₁² = −H₀² (1 + i/z + O(1/z²))
    assert np.abs(ratio - 1 - 1j / (k * r)) == pytest.approx(0, abs=1.5 / (k.real * r[0]) ** 2)
    assert np.abs(ratio[2] - 1) < 0.3 * np.abs(ratio[0] - 1)


def test_both_orders_and_their_damping():
    k, r = 0.7 + 0.02j, np.array([4.0, 9.0])
    # m = ±1 give the same density; the damping is that of the s waves, e^{−Im k r} a wave.
    assert p_wave(r, k) == pytest.approx(2 * hankel1(1, k.real * r) ** 2 * np.exp(-2 * k.imag * r))


def _settle(data, state):
    guess_amplitudes(data, state)
    for number in range(6):
        update_weights(data, state)
        step(data, state, positions=number > 1)
    return state


def _search(simulated, planted=()):
    """What is found; `planted` are (scatterer, amplitude) of p waves that are added to the maps."""
    data, state = joint_fit(simulated, simulated.scatterers.position)
    scale = _settle(data, state).scale
    values = data.values.astype(float)
    for index, amplitude in planted:
        distance = np.hypot(*(data.pixels - simulated.scatterers.position[index]).T)
        for v, k in enumerate(data.k):
            values[v] += scale[v] * (amplitude * p_wave(distance, k)).real
    data = replace(data, values=values.astype(np.float32))
    _, state = joint_fit(simulated, simulated.scatterers.position)
    return p_waves(data, _settle(data, state))


def test_planted_p_waves_are_told_from_s_waves():
    simulated = make_synthetic(EXACT, 3)
    place, size = simulated.scatterers.position, np.array(EXACT.shape)
    inside = np.flatnonzero(((place > 4) & (place < size - 5)).all(axis=1))
    apart = [np.sort(np.hypot(*(place - place[i]).T))[1] for i in inside]
    one = int(inside[np.argmax(apart)])
    before, after = _search(simulated), _search(simulated, [(one, -0.4 + 0.2j)])
    quiet = np.nanmax(before.delta_chi2[inside])
    assert quiet < FLAGS.p_wave_delta_chi2
    assert np.nanargmax(np.where(np.isin(np.arange(len(place)), inside), after.delta_chi2, np.nan)) == one
    assert after.delta_chi2[one] > 2 * FLAGS.p_wave_delta_chi2
    assert after.share[one] > FLAGS.p_wave_share


def test_p_waves_are_flagged_and_s_waves_are_not():
    bias = tuple(float(v) for v in range(-230, 21, 10))
    setting = Setting(shape=(64, 64), bias_mv=bias, impurities=16, noise=0.4, herringbone=False)
    flagged = {}
    for kind in ("usual", "p-wave"):
        simulated = make_synthetic(replace(setting, scatterers=kind), 1)
        found = detect(simulated.stack, dispersion=simulated.dispersion)
        flags = found.impurities["flags"].to_numpy(int)
        flagged[kind] = (flags & int(PointFlag.NOT_S_WAVE) > 0).mean()
    assert flagged["usual"] < 0.1
    assert flagged["p-wave"] > 0.5


def test_given_points_that_scatter_p_waves_are_flagged_and_stay_fitted():
    setting = Setting(
        shape=(56, 56), bias_mv=tuple(range(-230, 21, 25)), impurities=14, noise=0.2, herringbone=False
    )
    simulated = make_synthetic(replace(setting, scatterers="p-wave"), 4)
    truth, _ = simulated.truth()
    with pytest.warns(FriedelWarning, match="p waves"):
        found = refit_points(simulated.stack, truth, dispersion=simulated.dispersion)
    flags = found.table["flags"].to_numpy(int)
    assert (flags & int(PointFlag.NOT_S_WAVE) > 0).all()
    assert not (flags & int(PointFlag.KEPT) > 0).all()  # their positions are the fit's
    assert any("p waves" in text for text in found.provenance["warnings"])
