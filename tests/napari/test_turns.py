"""Turns of the event loop: the interpreter's lock, steps one by one, results whose maps come later."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from made_up import build_detections

from napari_friedel.layers import results, showing
from napari_friedel.turns import SWITCH_S, in_turns, lock_at_once


def test_the_lock_is_given_up_sooner_while_any_worker_runs() -> None:
    before = sys.getswitchinterval()
    with lock_at_once():
        with lock_at_once():
            assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
        assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
    assert sys.getswitchinterval() == pytest.approx(before)


def test_the_lock_is_as_before_after_an_error() -> None:
    before = sys.getswitchinterval()
    with pytest.raises(ValueError, match="broken"), lock_at_once():
        raise ValueError("broken")
    assert sys.getswitchinterval() == pytest.approx(before)


def test_steps_are_taken_at_once_where_no_loop_runs() -> None:
    taken, ends = [], []

    def steps():
        taken.append(1)
        yield
        taken.append(2)
        return "end"

    in_turns(steps(), ends.append)
    assert (taken, ends) == ([1, 2], ["end"])


def test_an_error_in_a_step_is_told_once() -> None:
    def steps():
        yield
        raise ValueError("broken")

    told = []
    in_turns(steps(), failed=told.append)
    assert [str(error) for error in told] == ["broken"]
    with pytest.raises(ValueError, match="broken"):
        in_turns(steps())


def test_points_are_shown_before_their_maps(shown, stack) -> None:
    points = showing.show_points(shown, shown.layers[-1], build_detections(stack))
    kinds = [getattr(layer.metadata.get("friedel"), "kind", "") for layer in shown.layers]
    assert "impurities" in kinds and "s" not in kinds
    shown.layers.selection.active = points
    stack_layer = next(x for x in shown.layers if x.metadata["friedel"].kind == "stack")
    for _ in showing.show_maps(shown, stack_layer, points):
        pass
    assert results.find(shown, stack_layer, "s") is not None
    assert results.find(shown, stack_layer, "probability") is not None
    assert shown.layers.selection.active is points, "the maps do not take the user's place"


def test_maps_of_a_result_that_another_has_replaced_are_not_shown(shown, stack) -> None:
    stack_layer = shown.layers[-1]
    points = showing.show_points(shown, stack_layer, build_detections(stack))
    late = showing.show_maps(shown, stack_layer, points)
    next(late)
    showing.show_points(shown, stack_layer, build_detections(stack, [(1.0, 2.0)], [0.7]))
    assert list(late) == []
    assert results.find(shown, stack_layer, "s") is None


def test_maps_of_a_stack_that_was_deleted_are_not_shown(shown, stack) -> None:
    stack_layer = shown.layers[-1]
    points = showing.show_points(shown, stack_layer, build_detections(stack))
    late = showing.show_maps(shown, stack_layer, points)
    next(late)
    shown.layers.remove(stack_layer)
    assert list(late) == []
    assert np.all([layer.metadata["friedel"].kind not in ("s", "probability") for layer in shown.layers])


def test_a_result_that_is_being_made_is_none_yet(shown, stack, open_dock) -> None:
    from napari_friedel.docks.fine_tune import FineTuneDock
    from napari_friedel.layers import add_layer, stack_layers

    dock = open_dock(FineTuneDock, shown)
    first = dock.stack.layer()
    for made in stack_layers(stack, name="second"):
        add_layer(shown, made)
    second = shown.layers[-1]
    shown.layers.selection.active = first
    # The new layer is active before it is filled: the docks turn to its stack.
    points = showing.show_points(shown, second, build_detections(stack))
    assert dock.stack.layer() is second or shown.layers.selection.active is points
    assert results.find(shown, second, "impurities") is points
