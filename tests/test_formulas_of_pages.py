"""Formulas of the documentation: what cannot be set fails the build instead of losing the page."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("docutils")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs" / "_ext"))
mathml = pytest.importorskip("mathml", reason="the pages are not in this distribution")


def test_a_formula_that_cannot_be_set_is_a_warning_and_its_page_is_written(monkeypatch):
    told = []
    monkeypatch.setattr(mathml, "warn", lambda text, error: told.append((text, error)))
    assert mathml._render(r"a < \Nonsense", block=False) == r"a &lt; \Nonsense"
    assert [text for text, _ in told] == [r"a < \Nonsense"]


def test_a_formula_becomes_mathml(monkeypatch):
    monkeypatch.setattr(mathml, "warn", pytest.fail)
    assert mathml._render(r"\frac{a}{b}", block=True).startswith("<math")
