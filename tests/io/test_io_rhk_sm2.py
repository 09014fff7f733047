"""RHK `.sm2`: images, single spectra, and spectra with their positions, from made pages of the format's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from friedel.errors import StackError
from friedel.io import open_stack, sniff
from friedel.stack import pixel_pitch, setpoint_bias, tip_position, topograph_name


def page(
    kind: int, values: np.ndarray, x: str, z: str, *, notes: bytes = b"", label: str = "", y: str = "Y 1 0 m"
) -> bytes:
    data_type = {"float32": 0, "int16": 1}[values.dtype.name]
    rows, columns = values.shape
    body = values.astype(values.dtype.newbyteorder("<")).tobytes() + notes
    fields = [
        "STiMage 3.1 07/29/03 14:33:04", f"{kind} {data_type} 0 {columns} {rows} {len(body)} 1", x, y, z,
        "XY 1.0 q 15.0", "IV 1.0e-10 0.05", "scan 2 0.1", "id 1 512", "", label,
    ]  # fmt: skip
    return "".join(field.ljust(32) for field in fields).encode("latin-1").ljust(512) + body


IMAGE = np.arange(12, dtype=np.int16).reshape(3, 4)
CURVES = (np.arange(6)[:, None] * 10 + np.arange(5)).astype(np.float32)  # six spectra of five points


def notes(places_nm: np.ndarray) -> bytes:
    table = np.zeros((len(places_nm), 8), dtype="<f4")
    table[:, 2:4] = places_nm * 1e-9
    return table.tobytes()


def test_an_image_has_its_scale_bias_and_frame(tmp_path: Path) -> None:
    content = page(0, IMAGE, "X 2.5e-10 1e-8 m", "Z 1e-11 1e-9 m", y="Y 5e-10 2e-8 m")
    (tmp_path / "a.sm2").write_bytes(content)
    assert sniff(tmp_path / "a.sm2") == "rhk"
    stack = open_stack(tmp_path / "a.sm2")
    assert topograph_name(stack) == "Z" and setpoint_bias(stack) == pytest.approx(50)
    np.testing.assert_allclose(stack["Z"], IMAGE * 1e-11 + 1e-9, rtol=1e-6)
    assert pixel_pitch(stack) == pytest.approx((0.5, 0.25)) and stack.attrs["scan_angle_deg"] == -15
    x, y = tip_position(stack, float(stack["x"].mean()), float(stack["y"].mean()))
    np.testing.assert_allclose((x, y), (10, 20), atol=1e-6)


def test_spectra_with_positions_form_their_grid(tmp_path: Path) -> None:
    places = np.array([(x, y) for y in (0.0, 0.4) for x in (1.0, 1.3, 1.6)])
    curves = page(3, CURVES, "X -0.05 0.1 V", "Z 2.0 1.0 A", notes=notes(places), label="LIA X")
    image = page(0, IMAGE, "X 2.5e-10 0 m", "Z 1e-11 0 m")
    (tmp_path / "a.sm2").write_bytes(image + curves)
    with pytest.warns(UserWarning, match="6 spectra at single points"):
        assert "Z" in open_stack(tmp_path / "a.sm2")
    stack = open_stack(tmp_path / "a.sm2", dataset="spectra")
    assert dict(stack.sizes) == {"bias": 5, "y": 2, "x": 3}
    np.testing.assert_allclose(stack["bias"], [100, 50, 0, -50, -100])
    np.testing.assert_allclose(pixel_pitch(stack), (0.4, 0.3), rtol=1e-5)
    np.testing.assert_allclose(stack["LIA X"], (CURVES * 2 + 1).reshape(2, 3, 5).transpose(2, 0, 1))
    one = open_stack(tmp_path / "a.sm2", dataset="spectrum 5")
    np.testing.assert_allclose(one["LIA X"][:, 0, 0], CURVES[4] * 2 + 1)
    np.testing.assert_allclose(tip_position(one, 0, 0), (1.3, 0.4), atol=1e-5)


def test_sweeps_without_positions_are_one_spectrum(tmp_path: Path) -> None:
    (tmp_path / "a.sm2").write_bytes(page(1, CURVES, "X -0.05 0.1 V", "Z 2.0 0.0 A"))
    stack = open_stack(tmp_path / "a.sm2")
    assert (stack.sizes["y"], stack.sizes["x"]) == (1, 1)
    np.testing.assert_allclose(stack["Current"][:, 0, 0], 2 * CURVES.mean(axis=0))


@pytest.mark.parametrize("cut", [1, 40, 120, 500])
def test_a_file_that_is_cut_off_is_refused(cut: int, tmp_path: Path) -> None:
    content = page(0, IMAGE, "X 2.5e-10 0 m", "Z 1e-11 0 m") * 2
    (tmp_path / "a.sm2").write_bytes(content[:-cut])
    with pytest.raises(StackError, match=r"a\.sm2"):
        open_stack(tmp_path / "a.sm2")
