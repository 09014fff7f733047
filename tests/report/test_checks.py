"""The checks of a result: read from a provenance, counted in the summary, shown in the report."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import pandas as pd
import pytest

import friedel
from friedel import file_job, many
from friedel.detections import Check
from friedel.report import checks, summary
from friedel.settings import BandSettings, DetectSettings

RING = Check("ring", 0.1, 0.25, False, "No ring <at> 2k & nothing else.")
EDGE = Check("line", 9.0, 5.0, True, "Nine points lie on a line.", noted=True)
LOST = Check("lost", math.nan, 0.25, True, "Nothing is lost.")


def told(check: Check) -> dict:
    return {name: None if value != value else value for name, value in asdict(check).items()}


def test_checks_come_back_from_a_provenance() -> None:
    back = checks.read_checks([told(RING), told(LOST), told(EDGE)])
    assert back[0] == RING and back[2] == EDGE
    assert not checks.read_checks([{"name": "line", "passed": True}])[0].noted  # of an earlier version
    assert back[1].name == "lost" and back[1].passed and math.isnan(back[1].value)


@pytest.mark.parametrize("odd", [None, "ring", {"name": "ring"}, [1, None, {}, {"passed": False}], 3.5])
def test_what_is_no_check_is_left_out(odd) -> None:
    assert checks.read_checks(odd) == ()


def test_the_count_names_those_that_failed() -> None:
    assert checks.counted([LOST, RING]) == "1 of 2 passed; failed: ring"
    assert checks.counted([LOST, EDGE, RING]) == "2 of 3 passed; failed: ring; noted: line"
    assert checks.counted([LOST]) == "1 of 1 passed"
    assert checks.counted([]) == ""


def test_the_table_begins_with_the_failed_and_escapes_its_text() -> None:
    page = checks.as_table([LOST, EDGE, RING])
    assert page.index("ring") < page.index("line") < page.index("lost") and "class='noted'" in page
    assert "class='failed'" in page
    assert "No ring &lt;at&gt; 2k &amp; nothing else." in page and "nan" not in page
    assert checks.as_table([]) == ""


def test_report_and_summary_show_what_a_detection_failed(tmp_path, monkeypatch) -> None:
    stack = friedel.simulate(shape=(24, 24), bias_mv=[-200, -100], impurities=3, seed=1)
    friedel.write_stack(stack, tmp_path / "grid.nc")
    real = file_job._detected

    def failing(*arguments):
        found = yield from real(*arguments)
        made = (RING, LOST)
        provenance = found.provenance | {"checks": [told(one) for one in made]}
        return replace(found, checks=made, provenance=provenance)

    monkeypatch.setattr(file_job, "_detected", failing)
    settings = DetectSettings(method="matched-field", band=BandSettings(material="au111"))
    out = tmp_path / "out"
    result = many.detect_many([tmp_path / "grid.nc"], out, settings=settings)
    assert result[0].status == "done", result[0].message
    page = (out / "grid.html").read_text(encoding="utf-8")
    assert "<h2>Checks</h2>" in page and "No ring &lt;at&gt; 2k" in page
    assert pd.read_csv(out / "summary.csv")["checks"].tolist() == ["1 of 2 passed; failed: ring"]
    assert "1 of 2 passed; failed: ring" in (out / f"{summary.NAME}.html").read_text(encoding="utf-8")
