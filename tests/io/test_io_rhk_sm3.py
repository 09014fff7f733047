"""RHK `.sm3`: images and one spectrum from made pages of the described fields; of several one, by its number."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from friedel.cli import main
from friedel.errors import FriedelWarning, StackError
from friedel.io import open_stack, sniff
from friedel.stack import channel_names, pixel_pitch, setpoint_bias, tip_position, topograph_name

IMAGE = np.arange(12, dtype=np.int32).reshape(3, 4)


def page(
    values: np.ndarray,
    *,
    kind: int = 0,
    page_type: int = 1,
    scan: int = 0,
    label: str = "",
    scales: tuple[float, float, float] = (-0.25e-9, 0.5e-9, 1e-11),
    offsets: tuple[float, float, float] = (1e-8, 2e-8, 1e-9),
    units: tuple[str, str, str] = ("m", "m", "m"),
) -> bytes:
    rows, columns = values.shape
    version = "STiMage 004.001 1".encode("utf-16-le").ljust(36, b"\0")
    numbers = [kind, page_type, 0, 0, 0, 0, columns, rows, 0, 0, scan, 7, values.size * 4, 0, 0]
    floats = [*scales, 1.0, *offsets, 0.0, 0.05, 1e-10, 15.0]
    fixed = struct.pack("<36sH15i11f16s", version, 12, *numbers, *floats, bytes(16)) + b"own"
    texts = [label, "", "", "", "", "08/07/05", "12:00:00", *units, "X", "Y"]
    words = b"".join(struct.pack("<H", len(one)) + one.encode("utf-16-le") for one in texts)
    body = struct.pack("<H", len(fixed)) + fixed + words + values.astype("<i4").tobytes()
    return body + (struct.pack("<H", 20) + bytes(20) if kind == 0 else b"")


def test_images_have_their_scale_bias_and_frame(tmp_path: Path) -> None:
    current = page(IMAGE + 5, page_type=2, label="Current", units=("m", "m", "A"))
    (tmp_path / "a.sm3").write_bytes(page(IMAGE, label="mine") + current + page(IMAGE, scan=1))
    assert sniff(tmp_path / "a.sm3") == "rhk"
    stack = open_stack(tmp_path / "a.sm3")
    assert topograph_name(stack) == "Z" and setpoint_bias(stack) == pytest.approx(50)
    # The x scale is negative: columns run against x in the file, and are turned so that x rises.
    np.testing.assert_allclose(stack["Z"], IMAGE[:, ::-1] * 1e-11 + 1e-9, rtol=1e-5)
    assert channel_names(stack) == ["Current"] and "Z [bwd]" in stack
    np.testing.assert_allclose(stack["Current"][0], (IMAGE[:, ::-1] + 5) * 1e-11 + 1e-9, rtol=1e-5)
    assert pixel_pitch(stack) == pytest.approx((0.5, 0.25)) and stack.attrs["scan_angle_deg"] == -15
    assert stack.attrs["y_direction"] == 1
    x, y = tip_position(stack, float(stack["x"].mean()), float(stack["y"].mean()))
    np.testing.assert_allclose((x, y), (10, 20), atol=1e-5)


def test_one_spectrum_is_a_stack_of_one_pixel(tmp_path: Path) -> None:
    curve = page(
        np.arange(5)[None], kind=1, page_type=10, label="IV", scales=(0.1, 1.0, 2e-12),
        offsets=(-0.2, 0.0, 0.0), units=("V", "", "A"),
    )  # fmt: skip
    (tmp_path / "a.sm3").write_bytes(curve)
    stack = open_stack(tmp_path / "a.sm3")
    np.testing.assert_allclose(stack["bias"], [-200, -100, 0, 100, 200], atol=1e-4)
    np.testing.assert_allclose(stack["IV"][:, 0, 0], np.arange(5) * 2e-12)


CURVES = np.arange(30, dtype=np.int32).reshape(6, 5)


def curves(label: str = "IV", unit: str = "A") -> bytes:
    return page(
        CURVES, kind=3, page_type=16, label=label, scales=(0.1, 1.0, 2e-12), offsets=(-0.2, 0.0, 0.0),
        units=("V", "", unit),
    )  # fmt: skip


def test_of_several_spectra_one_is_opened_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "a.sm3").write_bytes(page(IMAGE) + curves() + curves("dI/dV", "V"))
    with pytest.warns(FriedelWarning, match="6 spectra, and no known field"):
        assert topograph_name(open_stack(tmp_path / "a.sm3")) == "Z"
    for number in (1, 6):
        stack = open_stack(tmp_path / "a.sm3", dataset=f"spectrum {number}")
        assert set(channel_names(stack)) == {"IV", "dI/dV"}
        np.testing.assert_allclose(stack["bias"], [-200, -100, 0, 100, 200], atol=1e-4)
        np.testing.assert_allclose(stack["IV"][:, 0, 0], CURVES[number - 1] * 2e-12)
    for number in (0, 7):
        with pytest.raises(StackError, match=rf"a\.sm3: there is no spectrum {number}; the file holds 6"):
            open_stack(tmp_path / "a.sm3", dataset=f"spectrum {number}")


def test_several_spectra_are_not_taken_for_sweeps_at_one_place(tmp_path: Path) -> None:
    (tmp_path / "a.sm3").write_bytes(curves())
    with pytest.raises(StackError, match=r"a\.sm3: the file holds 6 spectra.*'spectrum 1' to 'spectrum 6'"):
        open_stack(tmp_path / "a.sm3")
    assert main(["info", str(tmp_path / "a.sm3"), "--dataset", "spectrum 2"]) == 0


@pytest.mark.parametrize("keep", [30, 100, 170, 230, 260])
@pytest.mark.parametrize("before", [0, 1])
def test_a_file_that_is_cut_off_is_refused(keep: int, before: int, tmp_path: Path) -> None:
    content = page(IMAGE)
    assert keep < len(content) - 22  # within the header or the numbers, not within the colours
    (tmp_path / "a.sm3").write_bytes(content * before + content[:keep])
    with pytest.raises(StackError, match=r"a\.sm3"):
        open_stack(tmp_path / "a.sm3")
