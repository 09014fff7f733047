"""Data-parallel training: two processes learn what one would from both batches, and any number goes on from there."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch

from friedel.progress import drain
from friedel.training.loop import iter_train
from friedel.training.parallel import Group, group

from .test_loop import Line, weights

#: Several trainings one after the other, since a process takes seconds to start; each begins with another state of
#: torch's own generator, which must not matter.
PROGRAM = """
import json, os, sys
import torch
from friedel.training.loop import iter_train
from tests.training.test_loop import Line

for number, (target, stop, resume, port) in enumerate(json.loads(sys.argv[1])):
    os.environ["MASTER_PORT"] = port
    torch.manual_seed(100 * number + int(os.environ["RANK"]))
    work = iter_train(Line(), output=target, steps=4, seed=5, device="cpu", resume=resume)
    errors = []
    try:
        for step in work:
            errors.append(step.values.get("error"))
            if step.values.get("step") == stop:
                work.close()
    except StopIteration:
        pass
    print(json.dumps(errors), flush=True)
"""


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def together(repository, processes, trainings):
    """Do trainings (target, step to stop after, resume) in so many processes, as torchrun would.

    Gives the errors that each process told: process by process, training by training.
    """
    told = json.dumps([(str(target), stop, resume, free_port()) for target, stop, resume in trainings])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, told],
            cwd=repository,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ
            | {
                "MASTER_ADDR": "127.0.0.1",
                "RANK": str(rank),
                "WORLD_SIZE": str(processes),
            },
        )
        for rank in range(processes)
    ]
    said = [process.communicate(timeout=240)[0] for process in started]
    assert [process.returncode for process in started] == [0] * processes
    return [[json.loads(line) for line in text.splitlines()] for text in said]


def by_hand(steps, processes, seed=5):
    """The same training in this process: the mean of the gradients on the batches of all processes."""
    torch.manual_seed(seed)
    recipe = Line()
    network = recipe.make_network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=1e-4)
    from friedel.training.loop import schedule

    cpu = torch.device("cpu")
    for step in range(steps):
        for entry in optimizer.param_groups:
            entry["lr"] = recipe.learning_rate * schedule(step / 4)
        optimizer.zero_grad()
        for rank in range(processes):
            generator = torch.Generator().manual_seed(Group(rank, processes, cpu).seed(seed, step))
            (recipe.loss(network, recipe.batch(generator, cpu))[0] / processes).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return network.state_dict()


@pytest.fixture(scope="module")
def trained(tmp_path_factory, repository):
    """A folder with trainings of two processes, and what each process told.

    `m` was stopped after two steps; `parts` was, too, and resumed by two processes; `one` was begun by one process.
    """
    if not torch.distributed.is_available():
        pytest.skip("this torch has no torch.distributed")
    folder = tmp_path_factory.mktemp("parallel")
    work = iter_train(Line(), output=folder / "one", steps=4, seed=5, device="cpu")
    next(work)
    work.close()
    trainings = [("m.safetensors", 2, False), ("parts", 2, False), ("parts", 0, True), ("one", 0, True)]
    return folder, together(repository, 2, [(folder / name, *rest) for name, *rest in trainings])


def test_two_processes_learn_from_both_batches_and_one_goes_on(trained):
    folder, told = trained
    assert told[0] == told[1] and len(told[0][0]) == 2  # figures are means over both
    target = folder / "m.safetensors"
    expected = by_hand(2, 2)
    kept = torch.load(folder / "m.checkpoint", weights_only=True)["network"]
    torch.testing.assert_close(kept, expected, rtol=1e-5, atol=1e-6)
    path = drain(iter_train(Line(), output=target, steps=4, seed=5, device="cpu", resume=True))
    runs = load_file_header(path)["runs"]
    assert [(run["step"], run["processes"]) for run in runs] == [(0, 2), (2, 1)]
    assert not torch.equal(weights(path)["weight"], kept["weight"])


def test_two_processes_resume_exactly_and_after_one(trained):
    folder, _ = trained
    torch.testing.assert_close(weights(folder / "parts.safetensors"), by_hand(4, 2), rtol=1e-5, atol=1e-6)
    runs = load_file_header(folder / "one.safetensors")["runs"]
    assert [(run["step"], run["processes"]) for run in runs] == [(0, 1), (1, 2)]


def load_file_header(path):
    from friedel.models.registry import read_header

    return read_header(path)


def test_a_process_alone_is_a_group_of_one():
    with group(torch.device("cpu")) as alone:
        assert (alone.rank, alone.size, alone.writes) == (0, 1, True)
        weight = torch.nn.Parameter(torch.ones(2))
        weight.grad = torch.full((2,), 3.0)
        alone.average_gradients([weight])
        assert weight.grad.tolist() == [3, 3]
        assert alone.mean([1.0, 2.0]) == [1, 2] and alone.any(True) and not alone.any(False)
    assert not torch.distributed.is_available() or not torch.distributed.is_initialized()


def test_every_process_and_step_has_a_seed_of_its_own():
    cpu = torch.device("cpu")
    seeds = {
        Group(rank, 8, cpu).seed(seed, step) for rank in range(8) for seed in range(5) for step in range(50)
    }
    assert len(seeds) == 8 * 5 * 50 and all(0 <= seed < 2**63 for seed in seeds)
