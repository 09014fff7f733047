"""Pieces of work on all cores: all are done, errors come out, BLAS keeps still."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from friedel._util.threads import MOST, cores, each, one_thread_each


@pytest.mark.parametrize("asked", ["1", "3"])
def test_every_piece_is_done_once(monkeypatch, asked):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    out = np.zeros(40, int)

    def work(i: int) -> None:
        out[i] += 1

    each(work, range(40))
    assert (out == 1).all()
    each(work, [])


def test_several_work_at_a_time(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    if cores() < 2:
        pytest.skip("one core only")
    meeting = threading.Barrier(2, timeout=20)
    each(lambda _: meeting.wait(), range(2))  # alone, each would wait in vain


def test_the_first_error_is_raised(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    def work(i: int) -> None:
        if i == 3:
            raise ValueError("piece 3")

    with pytest.raises(ValueError, match="piece 3"):
        each(work, range(8))


def test_no_more_cores_than_asked_for(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert cores() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert 1 <= cores() <= MOST


def test_blas_keeps_to_one_thread_and_comes_back():
    def threads() -> set[int]:
        return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}

    before = threads()
    with one_thread_each():
        assert threads() <= {1}
    assert threads() == before
