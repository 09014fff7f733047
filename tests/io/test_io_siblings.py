"""Formats beside the common one of a program: WSxM `.top`, LabVIEW `.TFR`, Igor `.pxp`, RHK spectra at points."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from io_makers import cube, igor
from vendor_makers import COLUMNS, ROWS

from friedel.errors import StackError
from friedel.io import open_stack, rhk, sniff
from friedel.io.rhk_pages import LINE, Page
from friedel.stack import pixel_pitch, setpoint_bias, tip_position, topograph_name


def test_a_wsxm_top_of_whole_numbers_spans_its_amplitude(tmp_path: Path) -> None:
    counts = np.arange(ROWS * COLUMNS, dtype="<i2").reshape(ROWS, COLUMNS) - 7
    head = (
        "WSxM file copyright UAM\r\nSxM Image file\r\nImage header size: 0\r\n[Control]\r\n"
        f"    Topography Bias: -20 mV\r\n    X Amplitude: {COLUMNS * 2.5} Å\r\n    Y Amplitude: {ROWS * 0.5} nm\r\n"
        f"[General Info]\r\n    Number of columns: {COLUMNS}\r\n    Number of rows: {ROWS}\r\n"
        "    Z Amplitude: 3 Å\r\n[Header end]\r\n"
    )
    (tmp_path / "a.top").write_bytes(head.encode("cp1252") + counts[::-1, ::-1].tobytes())
    stack = open_stack(tmp_path / "a.top")
    image = stack[topograph_name(stack)]
    assert setpoint_bias(stack) == -20 and pixel_pitch(stack) == pytest.approx((0.5, 0.25))
    assert float(np.ptp(image.to_numpy())) == pytest.approx(3.0) and image.attrs["units"] == "Å"
    np.testing.assert_allclose(np.diff(image.to_numpy().ravel()), 3.0 / (counts.size - 1), rtol=1e-4)


def tfr(path: Path, *, cut: int = 0) -> np.ndarray:
    values = np.arange(ROWS * COLUMNS, dtype="<u2").reshape(ROWS, COLUMNS)
    head = bytearray(2112)
    struct.pack_into("<ii", head, 406, COLUMNS, ROWS)
    struct.pack_into("<h", head, 480, 1)
    struct.pack_into("<ff", head, 1046, 50.0, 0.1)
    struct.pack_into("<f", head, 1058, COLUMNS * 2.5)
    content = bytes(head) + values.tobytes()
    path.write_bytes(content[: len(content) - cut])
    return values


def test_a_labview_tfr_is_one_topograph(tmp_path: Path) -> None:
    values = tfr(tmp_path / "a.TFR")
    stack = open_stack(tmp_path / "a.TFR")
    assert topograph_name(stack) == "Z" and setpoint_bias(stack) == 50
    assert pixel_pitch(stack) == pytest.approx((0.25, 0.25))
    np.testing.assert_array_equal(stack["Z"], values)


def test_a_labview_tfr_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    tfr(tmp_path / "a.tfr", cut=3)
    with pytest.raises(StackError, match=r"a\.tfr"):
        open_stack(tmp_path / "a.tfr")


def packed(*records: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack("<hhi", kind, 0, len(body)) + body for kind, body in records)


def test_the_wave_of_an_igor_package_is_that_of_the_file_alone(tmp_path: Path) -> None:
    pytest.importorskip("igor2")
    igor(tmp_path / "a.ibw")
    wave = (tmp_path / "a.ibw").read_bytes()
    folder = b"maps".ljust(32, b"\0")
    (tmp_path / "a.pxp").write_bytes(packed((2, b"history\r"), (9, folder), (3, wave), (10, b"")))
    assert sniff(tmp_path / "a.pxp") == "igor-package"
    alone, inside = open_stack(tmp_path / "a.ibw"), open_stack(tmp_path / "a.pxp")
    np.testing.assert_array_equal(inside["bias"], alone["bias"])
    np.testing.assert_array_equal(inside["dI/dV"] if "dI/dV" in inside else inside["Aux2(V)"], cube())
    assert pixel_pitch(inside) == pytest.approx(pixel_pitch(alone))
    with pytest.raises(StackError, match=r"a\.pxp"):
        open_stack(tmp_path / "a.pxp", dataset="nothing")


def page(name: str, spectra: np.ndarray, places_nm: list[tuple[float, float]]) -> Page:
    x, y = (np.array(axis) * 1e-9 for axis in zip(*places_nm, strict=True))
    header = {
        "RHK_PageDataType": LINE, "RHK_GridXsize": 0, "RHK_GridYsize": 0, "RHK_Xoffset": -0.1, "RHK_Xscale": 0.05,
        "RHK_Xunits": "V", "RHK_Zscale": 2.0, "RHK_Zoffset": 1.0, "RHK_Zunits": "A",
        "RHK_SpecDrift_Xcoord": x, "RHK_SpecDrift_Ycoord": y,
    }  # fmt: skip
    return Page(name, spectra, header)


def test_rhk_spectra_along_a_line_average_their_sweeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sweeps at each of three places, from right to left."""
    places = [(2.0, 5.0), (2.0, 5.0), (1.0, 5.0), (1.0, 5.0), (0.0, 5.0), (0.0, 5.0)]
    raw = np.arange(5)[:, None] * 10.0 + np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    (tmp_path / "line.sm4").touch()
    monkeypatch.setattr(rhk, "read_pages", lambda path: [page("LIA Current", raw, places)])
    stack = rhk.read(tmp_path / "line.sm4")
    np.testing.assert_allclose(stack["bias"], [-100, -50, 0, 50, 100])
    assert stack["LIA Current"].attrs["units"] == "A" and stack["LIA Current"].size == 15
    means = 2.0 * (np.arange(5)[:, None] * 10.0 + np.array([0.5, 2.5, 4.5])) + 1.0
    flat = stack.stack(place=("y", "x"))
    places_x, _ = tip_position(stack, flat["x"].to_numpy(), flat["y"].to_numpy())
    np.testing.assert_allclose(
        flat["LIA Current"], means[:, np.round(2.0 - np.asarray(places_x)).astype(int)]
    )
    assert pixel_pitch(stack)[1] == pytest.approx(1.0)


def test_rhk_spectra_without_places_are_no_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = page("LIA Current", np.ones((5, 2)), [(0.0, 0.0)])
    (tmp_path / "line.sm4").touch()
    monkeypatch.setattr(rhk, "read_pages", lambda path: [made])
    with pytest.raises(StackError, match="neither a grid of spectra nor an image"):
        rhk.read(tmp_path / "line.sm4")
