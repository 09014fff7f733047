"""The benchmark's picture tells methods near F1 = 1 apart and shows a perfect one."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from friedel.benchmark import figure


def _table(**f1: list[float]) -> pd.DataFrame:
    rows = []
    for method, values in f1.items():
        for scene, value in zip(("unlike-60", "unlike-60-no-cores"), values, strict=True):
            ends = {"f1_low": value - 0.01, "f1_high": min(value + 0.002, 1.0)}
            best = {"f1_best": value, "f1_best_low": value, "f1_best_high": value}
            rows.append({"scene": scene, "method": method, "f1": value, **ends, **best})
    return pd.DataFrame(rows)


def test_the_floor_lies_below_the_smallest_error():
    table = _table(a=[0.996, 1.0], b=[0.6, 0.5])
    assert figure.error_floor(table) == pytest.approx(0.002)


def test_the_floor_of_methods_without_an_error_is_positive():
    assert figure.error_floor(_table(a=[1.0, 1.0])) > 0


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved."""
    figures, keep = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (figures.append(self), keep(self, *a, **k)))
    return figures


def test_f1_of_0_990_and_0_999_stand_a_decade_apart(drawn, tmp_path):
    figure.draw(_table(good=[0.990, 0.99], better=[0.999, 1.0]), tmp_path / "b.png")
    left, right = drawn[0].axes
    assert left.get_xscale() == "log"
    at = {line.get_label(): line for line in left.containers}
    x = {name: box.lines[0].get_xdata()[0] for name, box in at.items() if name and not name.startswith("_")}
    assert np.log10(x["good"] / x["better"]) == pytest.approx(1.0)
    assert right.get_title() == "waves alone"
    assert (tmp_path / "b.png").stat().st_size > 1000


def test_the_names_of_many_methods_lie_inside_the_picture(drawn, tmp_path):
    names = [
        "friedel-network",
        "friedel+refit",
        "omp-prepared",
        "omp-each",
        "omp",
        "log",
        "matched-field",
        "paper",
        "matched-field-prepared",
        "friedel",
    ]
    figure.draw(_table(**{name: [0.9, 0.9] for name in names}), tmp_path / "b.png")
    page = drawn[0]
    box = page.legends[0].get_window_extent(page.canvas.get_renderer())
    assert box.x0 >= 0 and box.x1 <= page.bbox.width
    assert len(page.legends[0].get_texts()) == len(names)
