"""Adam against torch's own."""

import subprocess
import sys

import torch

from friedel.training.adam import Adam


def weights():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).requires_grad_(True) for shape in ((3, 4), (5,))]


def push(values):
    return sum(((value - 0.3) ** 4).sum() for value in values)


def test_the_same_steps_as_torchs():
    ours, theirs = weights(), weights()
    one, other = Adam(ours), torch.optim.Adam(theirs, lr=0.0)
    for step in range(20):
        rate = 0.01 * (step + 1)
        one.zero_grad()
        push(ours).backward()
        one.step(rate)
        other.param_groups[0]["lr"] = rate
        other.zero_grad()
        push(theirs).backward()
        other.step()
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_goes_on_from_its_state():
    first = weights()
    one = Adam(first)
    for _ in range(3):
        one.zero_grad()
        push(first).backward()
        one.step(0.1)
    second = [value.detach().clone().requires_grad_(True) for value in first]
    other = Adam(second)
    other.load_state_dict(one.state_dict())
    for values, adam in ((first, one), (second, other)):
        adam.zero_grad()
        push(values).backward()
        adam.step(0.1)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_step_does_not_load_the_compiler():
    """Which takes seconds, and a window stands still meanwhile."""
    code = (
        "import sys, torch; from friedel.training.adam import Adam; w = torch.ones(2, requires_grad=True);"
        "a = Adam([w]); w.sum().backward(); a.step(0.1); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
