"""Tables that others may extend: by a call and by entry points."""

from importlib.metadata import EntryPoint

import pytest

from friedel._util import registry
from friedel._util.registry import Registry
from friedel.errors import FriedelError, FriedelWarning


@pytest.fixture
def bands(monkeypatch) -> Registry[float]:
    points = [
        EntryPoint("fermi", "math:pi", "friedel.bands"),
        EntryPoint("lost", "no_such_module:pi", "friedel.bands"),
        EntryPoint("wrong", "math:sin", "friedel.bands"),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == "friedel.bands" else [])
    return Registry("band", {"own": 1.0}, float)


def test_entry_points_are_found_when_the_table_is_read_and_a_bad_one_costs_a_warning(bands):
    with pytest.warns(FriedelWarning) as seen:
        assert sorted(bands) == ["fermi", "own"]
    assert len(seen) == 2
    assert all("left out" in str(one.message) for one in seen)
    assert bands["fermi"] == pytest.approx(3.14159, abs=1e-5)


@pytest.mark.filterwarnings("ignore::friedel.errors.FriedelWarning")
def test_register_refuses_a_taken_name_and_a_wrong_type(bands):
    assert bands.register("new", 2.0) == 2.0
    with pytest.raises(FriedelError, match="already"):
        bands.register("own", 2.0)
    assert bands.register("own", 2.0, replace=True) == bands["own"] == 2.0
    with pytest.raises(FriedelError, match="must be a float"):
        bands.register("text", "2")
