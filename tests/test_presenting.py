"""How a result shows itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import friedel
from friedel.detections import COLUMNS


@pytest.fixture(scope="module")
def stack():
    return friedel.simulate(shape=(48, 48), bias_mv=np.arange(-200, 1, 25), impurities=12, noise=0.2, seed=4)


@pytest.fixture(scope="module")
def found(stack):
    return friedel.detect(stack, dispersion="au111", method="matched-field")


def test_repr_has_at_most_ten_lines_and_says_what_counts(found) -> None:
    text = repr(found)
    lines = text.splitlines()
    assert 3 <= len(lines) <= 10 and max(map(len, lines)) <= 120
    assert lines[0].startswith(f"Detections: {len(found)} impurit") and "matched-field" in lines[0]
    assert "LockinX" in text and f"{found.threshold:.2g}" in text
    assert f"{found.impurities['x_nm'][0]:.4g}" in text


def test_repr_of_no_impurities_and_of_long_warnings(found) -> None:
    from dataclasses import replace

    made = found.provenance | {"warnings": ["word " * 300]}
    empty = replace(found, table=pd.DataFrame({name: [] for name in COLUMNS}), provenance=made)
    assert "0 impurities" in repr(empty) and len(repr(empty)) < 500
    assert "0 impurities" in empty._repr_html_()


def test_html_escapes_and_names_the_rest(found) -> None:
    from dataclasses import replace

    text = replace(found, provenance=found.provenance | {"channel": "<script>"})._repr_html_()
    assert "<script>" not in text and "&lt;script&gt;" in text and text.count("<table") == 2


def test_to_csv_plot_and_report(found, stack, tmp_path) -> None:
    found.to_csv(tmp_path / "p.csv")
    back = friedel.read_points(tmp_path / "p.csv")
    assert np.allclose(back[["row", "column"]], found.positions)
    assert len(found.plot(stack).axes) == 3  # the map, S and its scale
    found.report(stack, tmp_path / "p.html", name="a <b>")
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "a &lt;b&gt;" in page and page.count("<img alt=") == 2
    with pytest.raises(friedel.FriedelError, match="at least 48×48"):
        found.plot(stack.isel(y=slice(0, 20)))


def test_a_misspelt_keyword_is_refused(stack) -> None:
    with pytest.raises(TypeError, match="treshold"):
        friedel.detect(stack, treshold=0.5)  # type: ignore[call-arg]
    for wrong in ({"threshold": float("nan")}, {"method": "magic"}, {"device": "xla"}, {"threshold": -1}):
        with pytest.raises(friedel.SettingsError, match=next(iter(wrong))):
            friedel.detect(stack, **wrong)


def test_every_promised_name_is_there_and_documented() -> None:
    for name in friedel.__all__:
        assert getattr(friedel, name) is not None
        assert name == "__version__" or getattr(friedel, name).__doc__
    errors = {name for name in friedel.__all__ if name.endswith(("Error", "Warning"))}
    assert errors == {
        "FriedelError",
        "FriedelWarning",
        "ModelError",
        "PhysicsError",
        "SettingsError",
        "StackError",
    }


def test_results_are_compared_and_kept_by_identity(found) -> None:
    from copy import copy

    other = copy(found)
    assert found == found and found != other
    assert len({found, other}) == 2 and other in [found, other]
