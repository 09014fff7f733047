"""Structs of MATLAB files with a map, as the Davis and Hoffman groups keep them: version 7.3, which is HDF5."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from friedel.errors import StackError
from friedel.io import AxesMissing, open_stack
from friedel.stack import pixel_pitch

MAP = np.random.default_rng(0).uniform(1, 2, (4, 5, 3))  # y, x, energy
ENERGY, PLACES = np.array([-0.1, 0.0, 0.1]), np.linspace(0, 20, 5)


def new(path: Path, **structs: dict[str, np.ndarray | str]) -> None:
    """Write structs as MATLAB does: a group each, axes reversed, texts as 16-bit numbers."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, fields in structs.items():
            group = file.create_group(name)
            group.attrs["MATLAB_class"] = np.bytes_("struct")
            for field, value in fields.items():
                if isinstance(value, str):
                    group[field] = np.array([list(map(ord, value))], dtype="u2").T
                    group[field].attrs["MATLAB_class"] = np.bytes_("char")
                else:
                    group[field] = np.atleast_2d(value).T
                    group[field].attrs["MATLAB_class"] = np.bytes_("double")
    raw = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    path.write_bytes(raw + path.read_bytes()[len(raw) :])


def test_a_struct_of_version_7_3_is_a_stack(tmp_path: Path) -> None:
    new(tmp_path / "a.mat", G={"map": MAP, "e": ENERGY, "r": PLACES, "name": "scan 7"})
    stack = open_stack(tmp_path / "a.mat")
    np.testing.assert_allclose(stack["dI/dV"], MAP.transpose(2, 0, 1), rtol=1e-6)
    np.testing.assert_allclose(stack["bias"], [-100, 0, 100])
    np.testing.assert_allclose(pixel_pitch(stack), 0.5)
    assert '"name": "scan 7"' in stack.attrs["header"]


def test_one_of_several_structs_is_named(tmp_path: Path) -> None:
    fields = {"map": MAP, "e": ENERGY, "r": PLACES}
    new(tmp_path / "a.mat", G=fields, I=fields | {"map": 2 * MAP})
    with pytest.raises(AxesMissing, match=r"several structs hold a map.*G: e 1×3, map 4×5×3, r 1×5"):
        open_stack(tmp_path / "a.mat")
    stack = open_stack(tmp_path / "a.mat", dataset="I")
    np.testing.assert_allclose(stack["dI/dV"][0], 2 * MAP[:, :, 0], rtol=1e-6)


def test_fields_of_another_struct_are_listed(tmp_path: Path) -> None:
    new(tmp_path / "a.mat", result={"Z": MAP[:, :, 0], "comment": "hm"})
    with pytest.raises(AxesMissing, match=r"no struct holds a map.*result: Z 4×5, comment"):
        open_stack(tmp_path / "a.mat")


def test_falling_positions_are_refused_unless_the_pixel_size_is_given(tmp_path: Path) -> None:
    new(tmp_path / "a.mat", G={"map": MAP, "e": ENERGY, "r": PLACES[::-1]})
    with pytest.raises(StackError, match="positions r of 'G' fall"):
        open_stack(tmp_path / "a.mat")
    np.testing.assert_allclose(pixel_pitch(open_stack(tmp_path / "a.mat", pixel_nm=0.5)), 0.5)
