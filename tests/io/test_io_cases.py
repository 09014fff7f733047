"""Small inputs that once failed, each for a kind of fault, with their right values (../shared/data/cases)."""

from __future__ import annotations

import warnings
from pathlib import Path

import io_makers as makers
import numpy as np
import pytest

from friedel.cli import main
from friedel.errors import FriedelWarning, StackError
from friedel.io import AxesMissing, open_stack, sniff
from friedel.stack import channel_names, image_names, pixel_pitch, tip_position, topograph_name


@pytest.fixture
def cases(shared_data: Path) -> Path:
    return shared_data / "cases"


def stored_value(x_nm: np.ndarray, y_nm: np.ndarray, channel: int, points: int) -> np.ndarray:
    """The rule of the made grids: shape (points, y, x)."""
    place = 1e-12 * (x_nm + 1000 * y_nm)
    return place + 1e-9 * np.arange(points)[:, None, None] + 1e-7 * channel


def tip_grid(stack) -> tuple[np.ndarray, np.ndarray]:
    return tip_position(stack, *np.meshgrid(stack["x"].to_numpy(), stack["y"].to_numpy()))


def test_a_meander_grid_lies_in_order_of_x(cases: Path) -> None:
    stack = open_stack(cases / "nanonis_meander_mls_24x24.3ds")
    np.testing.assert_allclose(stack["bias"], [2, 0, -0.8, -1.2, -1.7, -2.5, -4])
    np.testing.assert_allclose(pixel_pitch(stack), 100 / 7, rtol=1e-5)
    x, y = tip_grid(stack)
    np.testing.assert_allclose(x[0], -450 + 100 / 7 * np.arange(24), atol=1e-3)
    assert len(channel_names(stack)) == 12 and "Current [bwd]" in channel_names(stack)
    for number, name in enumerate(channel_names(stack)):
        np.testing.assert_allclose(stack[name], stored_value(x, y, number, 7), atol=1e-12)


def test_a_line_grid_is_one_line(cases: Path) -> None:
    stack = open_stack(cases / "nanonis_line_30x1.3ds")
    assert dict(stack.sizes) == {"bias": 200, "y": 1, "x": 30}
    x, y = tip_grid(stack)
    # The first, the second and the last record, as stored.
    np.testing.assert_allclose(x[0, [0, 1, -1]], [1035.0998, 1035.0334, 1033.1760], atol=1e-3)
    np.testing.assert_allclose(y[0, [0, 1, -1]], [-180.22948, -180.04053, -174.75072], atol=1e-3)
    for number, name in enumerate(channel_names(stack)):
        np.testing.assert_allclose(stack[name], stored_value(x, y, number, 200), atol=2e-12)


@pytest.mark.parametrize(
    "name", ["nanonis_linear_stale_mls_table", "nanonis_linear_stale_mls_table_same_points"]
)
def test_a_leftover_table_of_segments_is_not_the_sweep(cases: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FriedelWarning)  # the grid was cut down to a corner
        stack = open_stack(cases / f"{name}.3ds")
    np.testing.assert_allclose(stack["bias"], np.linspace(200, -100, 128))
    np.testing.assert_allclose(stack["Bias"][:, 2, 3] * 1e3, stack["bias"], atol=0.2)


def test_lost_bytes_are_told(cases: Path) -> None:
    with pytest.raises(StackError, match=r"nanonis_bytes_lost.*record 3 of 29 contradicts"):
        open_stack(cases / "nanonis_bytes_lost.3ds")


def test_every_pass_has_its_bias(cases: Path) -> None:
    stack = open_stack(cases / "nanonis_multipass.sxm")
    np.testing.assert_allclose(stack["bias"], [-3800, 1200])
    assert {"Z", "Current", "LI Demod 1 X"} <= set(channel_names(stack))
    assert np.isnan(stack["LI Demod 1 X"][0]).all()  # recorded in the second pass only
    assert np.isfinite(stack["LI Demod 1 X"][1]).all()
    assert not np.array_equal(stack["Z"][0], stack["Z"][1])


def test_spectra_along_a_line_are_one_line(cases: Path) -> None:
    stack = open_stack(cases / "nanonis_line_of_8_spectra")
    assert (stack.sizes["y"], stack.sizes["x"]) == (1, 8)
    assert (stack.attrs["acquired"], stack.attrs["expected"]) == (8, 8)
    x, y = tip_grid(stack)
    np.testing.assert_allclose((x[0, 0], y[0, 0]), (-340.773, 193.381), atol=2e-3)
    np.testing.assert_allclose((x[0, -1], y[0, -1]), (-341.676, 194.136), atol=2e-3)


def test_a_mark_of_byte_order_is_no_fault(cases: Path) -> None:
    stack = open_stack(cases / "nanonis_dat_bom_grid")
    assert (stack.sizes["y"], stack.sizes["x"]) == (3, 3)
    assert sniff(cases / "nanonis_dat_bom_grid" / "dIdV_grid100001.dat") == "nanonis-spectra"


def test_createc_lines_never_scanned_are_nan(cases: Path) -> None:
    stack = open_stack(cases / "createc_2ch_60of512_lines.dat")
    assert channel_names(stack) == ["Current"] and topograph_name(stack) == "Z"
    assert stack.attrs["acquired"] == 60 * 512 and stack.attrs["expected"] == 512 * 512
    for name in ("Z", "Current"):
        known = np.isfinite(stack[name].to_numpy().reshape(512, 512))
        assert known[:60].all() and not known[60:].any()
    # Dacto[A]z = 0.00038 Å is that of gain 1; the gain is 10. The first value of the file is -402588.88.
    np.testing.assert_allclose(float(stack["Z"][0, 0]), -402588.88 * 0.00038 * 0.1 * 10, rtol=1e-6)
    assert float(stack["bias"][0]) == -3041.2


def test_createc_payload_begins_after_its_mark(cases: Path) -> None:
    # Channels=4 with Channelselectval=3 are height and current, forward and backward: the payload holds four planes.
    stack = open_stack(cases / "createc_header_not_16384.dat")
    assert {*channel_names(stack), *image_names(stack)} == {"Z", "Z [bwd]", "Current", "Current [bwd]"}
    assert stack["Z"].shape == (128, 128) and "Z [bwd]" in stack
    forward, backward = stack["Z"].to_numpy().ravel(), stack["Z [bwd]"].to_numpy().ravel()
    assert np.corrcoef(forward, backward)[0, 1] > 0.7
    np.testing.assert_allclose(float(stack["Z"][0, 0]), 137492.58 * 0.00017 * 0.1 * 5, rtol=1e-6)


def test_createc_grid_that_dwells_at_its_first_voltage(cases: Path) -> None:
    stack = open_stack(cases / "createc_dwell_5x5.specgrid", pixel_nm=0.5)
    assert dict(stack.sizes) == {"bias": 502, "y": 5, "x": 5}
    assert (stack.attrs["acquired"], stack.attrs["expected"]) == (25, 25)
    assert stack["bias"][0] == 20 and stack["bias"][-1] == -20
    record = np.arange(25).reshape(5, 5)
    expected = 100 * record + 0.01 * (19 + np.arange(502))[:, None, None]
    np.testing.assert_allclose(stack["ADC 0"], expected, rtol=1e-6)


def test_a_plain_multi_page_tiff_asks_for_its_axes(cases: Path) -> None:
    with pytest.raises(AxesMissing) as error:
        open_stack(cases / "tifffile_multipage.tif")
    assert list(error.value.arrays.values()) == [(6, 24, 24)]
    assert open_stack(cases / "tifffile_multipage.tif", bias="0:50", pixel_nm=1.0).sizes["bias"] == 6


def test_a_falling_x_axis_is_not_mirrored(cases: Path) -> None:
    stack = open_stack(cases / "x_descending.nc")
    x, _ = tip_position(stack, stack["x"][0], stack["y"][0])
    assert float(x) == pytest.approx(-792.5, abs=0.1)
    x, _ = tip_position(stack, stack["x"][-1], stack["y"][0])
    assert float(x) == pytest.approx(-868.3, abs=0.1)


def test_info_describes_what_asks_for_axes(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(cases / "tifffile_multipage.tif")]) == 0
    assert "6 × 24 × 24" in capsys.readouterr().out
    assert main(["info", str(cases / "nanonis_line_of_8_spectra" / "dIdV_linespec_00001.dat")]) == 0
    assert "one spectrum" in capsys.readouterr().out


class TestOrderOfRecords:
    """Made grids of 5 × 4 records in other orders than row by row."""

    LENGTH = 4 * (5 + 2 * 7)

    def records(self, path: Path) -> tuple[bytes, list[bytes]]:
        makers.grid(path)
        raw = path.read_bytes()
        start = len(raw) - 20 * self.LENGTH
        return raw[:start], [raw[start + i * self.LENGTH : start + (i + 1) * self.LENGTH] for i in range(20)]

    def test_any_order_gives_the_same_grid(self, tmp_path: Path) -> None:
        head, records = self.records(tmp_path / "a.3ds")
        whole = open_stack(tmp_path / "a.3ds").load()
        order = [0, *(np.random.default_rng(3).permutation(19) + 1)]
        (tmp_path / "a.3ds").write_bytes(head + b"".join(records[i] for i in order))
        stack = open_stack(tmp_path / "a.3ds")
        assert stack["LockinX"].shape == (7, 4, 5) or stack["LockinX"].shape == (7, 5, 4)
        x, y = tip_grid(stack)
        there_x, there_y = tip_grid(whole)
        for row, column in np.ndindex(x.shape):
            place = np.hypot(there_x - x[row, column], there_y - y[row, column])
            at = np.unravel_index(int(place.argmin()), place.shape)
            assert place[at] < 1e-3
            np.testing.assert_array_equal(stack["LockinX"][:, row, column], whole["LockinX"][:, at[0], at[1]])
            np.testing.assert_array_equal(
                stack["LockinX"].isel(y=row)[:, column], whole["LockinX"][:, at[0], at[1]]
            )

    def test_a_record_never_taken_in_the_middle_is_nan(self, tmp_path: Path) -> None:
        head, records = self.records(tmp_path / "a.3ds")
        records[7] = bytes(self.LENGTH)
        (tmp_path / "a.3ds").write_bytes(head + b"".join(records))
        stack = open_stack(tmp_path / "a.3ds")
        assert (stack.attrs["acquired"], stack.attrs["expected"]) == (19, 20)
        assert np.isnan(stack["LockinX"][:, 1, 2]).all() and np.isnan(stack["Z"][1, 2])
        assert np.isfinite(stack["LockinX"]).sum() == 19 * 7

    def test_positions_that_are_no_grid_are_told(self, tmp_path: Path) -> None:
        head, records = self.records(tmp_path / "a.3ds")
        moved = np.frombuffer(records[5], ">f4").copy()
        moved[2:4] += 5e-10
        records[5] = moved.astype(">f4").tobytes()
        (tmp_path / "a.3ds").write_bytes(head + b"".join(records))
        with pytest.raises(StackError, match=r"a\.3ds.*tip positions"):
            open_stack(tmp_path / "a.3ds")
        assert open_stack(tmp_path / "a.3ds", pixel_nm=0.2).attrs["acquired"] == 20

    def test_a_swept_range_of_its_own_is_told(self, tmp_path: Path) -> None:
        head, records = self.records(tmp_path / "a.3ds")
        own = np.frombuffer(records[9], ">f4").copy()
        own[1] = 0.09
        (tmp_path / "a.3ds").write_bytes(
            head + b"".join([*records[:9], own.astype(">f4").tobytes(), *records[10:]])
        )
        with pytest.raises(StackError, match="record 10 of 20 contradicts"):
            open_stack(tmp_path / "a.3ds")
