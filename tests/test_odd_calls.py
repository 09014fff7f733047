"""Python calls with wrong types end in an answer or in one sentence of the library, never in another error."""

from __future__ import annotations

import inspect
import warnings

import pytest

import friedel
from friedel._util import arguments
from friedel.errors import FriedelError, SettingsError
from odd_calls import FUNCTIONS, calls, files, odd_values

#: These do long work where every argument is right; of them only wrong types of a kind are tried.
LONG = ("refit_points", "write_report", "fine_tune", "detect_many")


def outcome(call, name, value) -> str:
    """The sentence with which a call ends, or nothing."""
    try:
        call.function(**{**call.arguments, name: value})
    except FriedelError as error:
        return str(error)
    return ""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files(tmp_path)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_argument_of_a_wrong_type_is_answered_or_refused_in_a_sentence(function, here) -> None:
    call, refused = calls()[function], 0
    some = slice(None, None, 4) if function in LONG else slice(None)
    for name in call.names:
        for value in odd_values()[some]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                text = outcome(call, name, value)
            assert "\n" not in text and len(text) < 2000, (name, value)
            refused += bool(text)
    assert refused >= len(call.names)


@pytest.mark.parametrize(
    "function", [name for name in FUNCTIONS if name != "fine_tune"]
)  # that takes minutes
def test_each_call_works_before_anything_is_odd_in_it(function, here) -> None:
    call = calls()[function]
    call.function(**call.arguments)


def test_every_public_function_is_called() -> None:
    assert set(FUNCTIONS) == set(calls())
    public = {name for name in friedel.__all__ if inspect.isfunction(getattr(friedel, name))}
    assert public - set(FUNCTIONS) == {"drain", "iter_detect", "iter_fine_tune", "list_models"}


def test_a_message_is_one_line_whatever_the_value_looks_like() -> None:
    assert str(SettingsError("There is no channel 'a\nb'.\n")) == "There is no channel 'a b'."
    assert str(friedel.FriedelWarning("one\r\n  two")) == "one two"


@pytest.mark.parametrize("value", [10**400, float("nan"), float("inf"), "1", None, 1j, True.__class__])
def test_what_no_float_holds_is_no_finite_number(value) -> None:
    assert not arguments.is_finite(value)
    with pytest.raises(SettingsError, match="width must be a finite number"):
        arguments.number_of(value, "width")


def test_a_line_of_spectra_is_too_small_a_field(here) -> None:
    stack = friedel.open_stack("grid.npz")
    for line in (stack.isel(x=[3]), stack.isel(y=[3]), stack.isel(x=[3], bias=[1])):
        for method in ("network", "matched-field", "omp"):
            with pytest.raises(friedel.PhysicsError, match="too small"):
                friedel.detect(line, dispersion="au111", method=method)
