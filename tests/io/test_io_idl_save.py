"""IDL save files (NISTview `.NVI`, `.NVL`): made ones open with their numbers, damaged ones end in a sentence."""

from __future__ import annotations

import struct
from pathlib import Path

import io_makers as makers
import numpy as np
import pytest

from friedel.errors import StackError
from friedel.io import AxesMissing, open_stack, sniff
from friedel.stack import channel_names, image_names, setpoint_bias


def text(word: str) -> bytes:
    raw = word.encode()
    return struct.pack(">i", len(raw)) + raw + bytes(-len(raw) % 4)


def shape_of(values: np.ndarray) -> bytes:
    dims = [*values.shape[::-1], *[1] * (8 - values.ndim)]
    return struct.pack(">ii3i8xi8i", 8, 0, values.nbytes, values.size, values.ndim, 8, *dims)


def record(kind: int, place: int, body: bytes) -> bytes:
    return struct.pack(">iIII", kind, place + 16 + len(body), 0, 0) + body


def save_file(path: Path, variable: str, fields: dict[str, np.ndarray]) -> None:
    """Write a structure of float32 arrays, as IDL's SAVE does."""
    fields = {name: np.asarray(values, dtype=">f4") for name, values in fields.items()}
    one = np.empty(1, dtype="V4")
    body = text(variable) + struct.pack(">ii", 8, 4 | 32) + shape_of(one)
    body += struct.pack(">i", 9) + text("") + struct.pack(">iii", 0, len(fields), 0)
    body += b"".join(struct.pack(">iii", 0, 4, 4) for _ in fields)
    body += b"".join(text(name) for name in fields) + b"".join(shape_of(v) for v in fields.values())
    body += struct.pack(">i", 7) + b"".join(values.tobytes() for values in fields.values())
    first = record(2, 4, body)
    path.write_bytes(b"SR\x00\x04" + first + record(6, 4 + len(first), b""))


def test_an_nvi_image_asks_for_its_pixel_and_is_a_topograph(tmp_path: Path) -> None:
    image = makers.cube()[0]
    save_file(tmp_path / "a.NVI", "IMAGETOSAVE", {"CURRENTDATA": image, "OTHER": image * 2})
    assert sniff(tmp_path / "a.NVI") == "idl"
    with pytest.raises(AxesMissing, match="pixel_nm"):
        open_stack(tmp_path / "a.NVI")
    stack = open_stack(tmp_path / "a.NVI", pixel_nm=0.5)
    assert image_names(stack) == ["Z"] and np.isnan(setpoint_or_nan(stack))
    np.testing.assert_array_equal(stack["Z"], image)
    assert channel_names(open_stack(tmp_path / "a.NVI", pixel_nm=0.5, bias=50)) == ["imagetosave.currentdata"]


def setpoint_or_nan(stack) -> float:
    try:
        return setpoint_bias(stack)
    except StackError:
        return float("nan")


def test_nvl_layers_tell_the_energies_that_have_no_unit(tmp_path: Path) -> None:
    path = tmp_path / "a.NVL"
    save_file(path, "SAVESTRUCTURE", {"ENERGIES": makers.BIAS / 1e3, "FWDDATA": makers.cube()})
    with pytest.raises(
        AxesMissing, match=r"give bias .*energies run from -0\.06 to 0\.06, in a unit"
    ) as error:
        open_stack(path, pixel_nm=0.25)
    assert error.value.missing == ("bias",)
    stack = open_stack(path, bias="-60:60", pixel_nm=0.25)
    np.testing.assert_array_equal(stack["savestructure.fwddata"], makers.cube())
    np.testing.assert_allclose(stack["bias"], makers.BIAS)


@pytest.mark.parametrize("target", [0, 4, 16, 1 << 20])
def test_a_chain_of_records_that_leads_nowhere_is_refused(target: int, tmp_path: Path) -> None:
    """The library would follow it back to the beginning for ever."""
    save_file(tmp_path / "a.NVI", "IMAGETOSAVE", {"CURRENTDATA": makers.cube()[0]})
    raw = bytearray((tmp_path / "a.NVI").read_bytes())
    struct.pack_into(">I", raw, 8, target)
    (tmp_path / "a.NVI").write_bytes(raw)
    with pytest.raises(StackError, match=r"a\.NVI: the file is cut off or damaged"):
        open_stack(tmp_path / "a.NVI", pixel_nm=0.5)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_bytes_end_in_a_sentence(seed: int, tmp_path: Path) -> None:
    save_file(tmp_path / "a.NVI", "IMAGETOSAVE", {"CURRENTDATA": makers.cube()[0]})
    raw = bytearray((tmp_path / "a.NVI").read_bytes())
    random = np.random.default_rng(seed)
    for place in random.integers(16, len(raw) - 40, 4):
        raw[place] = random.integers(256)
    (tmp_path / "a.NVI").write_bytes(raw[: random.integers(20, len(raw) + 1)] if seed % 2 else raw)
    try:
        open_stack(tmp_path / "a.NVI", pixel_nm=0.5)
    except StackError as error:
        assert "a.NVI" in str(error)


def test_a_compressed_file_says_how_to_save_it(tmp_path: Path) -> None:
    (tmp_path / "a.sav").write_bytes(b"SR\x00\x06" + bytes(40))
    with pytest.raises(StackError, match="without /COMPRESS"):
        open_stack(tmp_path / "a.sav")
