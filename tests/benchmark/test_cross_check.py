"""The simulator that judges and the one that trains were written apart; they must tell the same physics."""

import numpy as np
import pytest

from friedel.benchmark.t_matrix_exact import Places, Ripple, Scatterers, distances, scattered

torch = pytest.importorskip("torch")
training = pytest.importorskip("friedel.physics.t_matrix_torch")


@pytest.mark.parametrize("ripple", [None, Ripple(0.045, (0.2, -0.4), 0.7)])
@pytest.mark.parametrize("broadening", [0.0, 0.015])
def test_the_two_simulators_agree(ripple, broadening):
    random = np.random.default_rng(7)
    n, size = 40, 60
    position = random.uniform(0, size, (n, 2))
    s = Scatterers(position, random.uniform(0, np.pi, n), random.uniform(-1, 1, n), random.uniform(0.3, 1, n))
    points = np.stack(np.mgrid[:size:2, :size:2], -1).reshape(-1, 2).astype(float)
    k = np.array([0.66, 0.9]) * (1 + 1j * broadening)
    offsets = [-100.0, 100.0]
    away, between = distances(points, position, ripple), distances(position, position, ripple)
    exact = np.array([scattered(Places(away), between, k[v], s.amplitude(offsets[v])) for v in range(2)])

    def tensor(array):
        return torch.as_tensor(np.asarray(array, dtype=np.float32))[None]

    other = None
    if ripple is not None:
        # There a positive potential slows the electron; the sign of the cosine is a matter of its phase.
        other = training.Ripple(
            torch.tensor([-ripple.amplitude]),
            torch.tensor([ripple.wave], dtype=torch.float32),
            torch.tensor([ripple.phase]),
        )
    mine = tensor(position)
    amplitude = torch.as_tensor(np.array([s.amplitude(v) for v in offsets]), dtype=torch.complex64)[None]
    trained = training.ldos(
        training.distances(mine, mine, other),
        training.distances(mine, tensor(points), other),
        torch.as_tensor(k, dtype=torch.complex64)[None],
        amplitude,
    )[0].numpy()
    far = np.linalg.norm(points[:, None] - position, axis=-1).min(1) > 1.0
    difference = (exact + 1 - trained)[:, far]
    assert exact[:, far].std() > 0.1
    assert np.abs(difference).max() < 0.02
    # The training simulator takes the wave's slow amplitude at the real part of k.
    assert difference.std() < (0.01 + broadening) * exact[:, far].std()
