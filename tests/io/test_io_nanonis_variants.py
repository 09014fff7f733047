"""Nanonis headers as versions, computers and editors write them: other capitals, decimal commas, missing lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import io_makers as makers
import numpy as np
import pytest
import xarray as xr

from friedel.errors import FriedelWarning, StackError
from friedel.io import AxesMissing, open_stack, sniff
from friedel.stack import channel_names, image_names, pixel_pitch, tip_position

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def without(key: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda header: {name: value for name, value in header.items() if name != key}


def changed(**values: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda header: {**header, **{key.replace("__", " "): value for key, value in values.items()}}


SETTINGS = makers.grid_header()["Grid settings"]
HEADERS = {
    "capitals": lambda header: {name.upper(): value for name, value in header.items()},
    "small letters": lambda header: {name.lower(): value for name, value in header.items()},
    "spaces": lambda header: {f"{name} ": f" {value}" for name, value in header.items()},
    "decimal commas": changed(Grid__settings=SETTINGS.replace(".", ",")),
    "a capital X": changed(Grid__dim='"5 X 4"'),
    "a multiplication sign": changed(Grid__dim='"5 × 4"'),
    "no count of parameters": without("# Parameters (4 byte)"),
    "no frame": without("Grid settings"),
    "small x and y": changed(Experiment__parameters='"x (m);y (m);z (m)"'),
}


def same(one: xr.Dataset, other: xr.Dataset) -> None:
    for name in ("LockinX", "Current", "Z"):
        np.testing.assert_array_equal(one[name], other[name])
    np.testing.assert_allclose(one["bias"], other["bias"])
    np.testing.assert_allclose(pixel_pitch(one), pixel_pitch(other), rtol=1e-5)
    corners = [tip_position(stack, stack["x"].to_numpy(), float(stack["y"][-1])) for stack in (one, other)]
    np.testing.assert_allclose(*corners, atol=1e-4)


@pytest.mark.parametrize("kind", HEADERS)
def test_a_grid_is_the_same_whatever_its_header_looks_like(kind: str, tmp_path: Path) -> None:
    makers.grid(tmp_path / "plain.3ds")
    makers.grid(tmp_path / "a.3ds", header=HEADERS[kind](makers.grid_header()))
    assert sniff(tmp_path / "a.3ds") == "nanonis-grid"
    same(open_stack(tmp_path / "a.3ds"), open_stack(tmp_path / "plain.3ds"))


def test_a_grid_with_a_mark_of_byte_order_opens(tmp_path: Path) -> None:
    makers.grid(tmp_path / "plain.3ds")
    (tmp_path / "a.3ds").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "plain.3ds").read_bytes())
    same(open_stack(tmp_path / "a.3ds"), open_stack(tmp_path / "plain.3ds"))


def test_a_grid_without_frame_and_positions_says_what_is_missing(tmp_path: Path) -> None:
    header = without("Grid settings")(without("Experiment parameters")(makers.grid_header()))
    makers.grid(tmp_path / "a.3ds", header=header)
    with pytest.raises(StackError, match=r"a\.3ds: the header lacks 'Grid settings'"):
        open_stack(tmp_path / "a.3ds")


def edited(path: Path, edit: Callable[[bytes], bytes]) -> xr.Dataset:
    path.write_bytes(edit(path.read_bytes()))
    return open_stack(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"5.000000E-02", b"5,000000E-02"), (b":BIAS:", b":Bias:"), (b"lines\n", b":BIAS:\n")],
    ids=["decimal comma", "small letters", "a key in the comment"],
)
def test_the_bias_of_a_scan_is_read(old: bytes, new: bytes, tmp_path: Path) -> None:
    makers.scan(tmp_path / "a.sxm")
    stack = edited(tmp_path / "a.sxm", lambda raw: raw.replace(old, new))
    assert stack["bias"].to_numpy() == pytest.approx([50]) and "LIX 1 omega" in channel_names(stack)


@pytest.mark.parametrize(("direction", "sign"), [("UP", 1), ("Up", 1), ("DOWN", -1), ("down", -1)])
def test_the_direction_of_a_scan_is_read_in_any_capitals(direction: str, sign: int, tmp_path: Path) -> None:
    makers.scan(tmp_path / "a.sxm", direction=direction)
    assert open_stack(tmp_path / "a.sxm").attrs["y_direction"] == sign


def no_bias(raw: bytes) -> bytes:
    return re.sub(rb":BIAS:\n.*\n", b"", raw)


def test_a_scan_without_bias_is_images_until_one_is_given(tmp_path: Path) -> None:
    makers.scan(tmp_path / "a.sxm")
    stack = edited(tmp_path / "a.sxm", no_bias)
    assert np.isnan(stack["bias"]).all() and {"Z", "LIX 1 omega"} <= set(image_names(stack))
    assert channel_names(open_stack(tmp_path / "a.sxm", bias=50)) == ["LIX 1 omega", "LIX 1 omega [bwd]"]


def test_a_series_without_bias_asks_for_it(tmp_path: Path) -> None:
    for number in range(3):
        makers.scan(tmp_path / f"{number}.sxm", seed=number)
        (tmp_path / f"{number}.sxm").write_bytes(no_bias((tmp_path / f"{number}.sxm").read_bytes()))
    with pytest.raises(AxesMissing, match="bias of every image"):
        open_stack(tmp_path)
    np.testing.assert_allclose(open_stack(tmp_path, bias="10,20,40")["bias"], [10, 20, 40])


def test_a_scan_that_does_not_say_where_it_lay_opens_with_a_warning(tmp_path: Path) -> None:
    makers.scan(tmp_path / "a.sxm")
    with pytest.warns(FriedelWarning, match="lacks 'SCAN_ANGLE'"):
        stack = edited(tmp_path / "a.sxm", lambda raw: raw.replace(b":SCAN_ANGLE:\n  3.0E+1\n", b""))
    assert stack.attrs["scan_angle_deg"] == 0


@pytest.mark.parametrize(
    "edit",
    [
        lambda raw: raw.replace(b".", b","),
        lambda raw: raw.replace(b"X (m)", b"x (m)").replace(b"Y (m)", b"y (m)"),
        lambda raw: raw.rstrip(),
        lambda raw: raw.replace(b"\r\n", b"\n"),
        lambda raw: re.sub(rb"[XY] \(m\)\t.*\r\n", b"", raw),
    ],
    ids=["decimal commas", "small letters", "no end of the last line", "LF", "no position"],
)
def test_a_spectrum_is_the_same_whatever_its_text_looks_like(
    edit: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    makers.spectrum(tmp_path / "plain.dat", 10, 20)
    makers.spectrum(tmp_path / "a.dat", 10, 20)
    stack, plain = edited(tmp_path / "a.dat", edit), open_stack(tmp_path / "plain.dat")
    for name in ("bias", "Current", "LI Demod 1 X"):
        np.testing.assert_allclose(stack[name], plain[name])


@pytest.mark.parametrize("cut", range(1, 14))
def test_a_number_that_lost_digits_is_not_taken(cut: int, tmp_path: Path) -> None:
    makers.spectrum(tmp_path / "a.dat", 10, 20)
    stack = edited(tmp_path / "a.dat", lambda raw: raw.rstrip()[:-cut])
    assert stack.sizes["bias"] == 6


@pytest.mark.parametrize(
    ("last", "points"), [("-1.2345678E-9", 3), ("-123.45678E-12", 3), ("-12.345678E-1", 2), ("-12.34567", 2)]
)
def test_the_last_number_of_an_engineer_s_notation_is_judged_by_its_digits(
    last: str, points: int, tmp_path: Path
) -> None:
    rows = ["-2.0000000E+0\t1.0000000E-9", "-1.0000000E+0\t-10.000000E-12", f"-500.00000E-3\t{last}"]
    head = "Experiment\tbias spectroscopy\nX (m)\t0\nY (m)\t0\n\n[DATA]\nBias calc (V)\tCurrent (A)\n"
    (tmp_path / "a.dat").write_text(head + "\n".join(rows))
    assert open_stack(tmp_path / "a.dat").sizes["bias"] == points
