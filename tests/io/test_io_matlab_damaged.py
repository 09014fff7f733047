"""A damaged compressed variable of a MATLAB file ends in a sentence; SciPy's reader would take the process with it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

import friedel
from friedel.io.matlab_check import check_parts

OPTIONS = {"bias": "-60:60", "pixel_nm": 0.25, "axes": "yxb"}


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "whole.mat"
    cube = np.random.default_rng(1).normal(size=(6, 5, 4)).astype(np.float32)
    savemat(path, {"cube": cube, "note": "a text"}, do_compression=True)
    return path


def test_a_whole_file_passes(whole) -> None:
    check_parts(whole)
    assert friedel.open_stack(whole, **OPTIONS).sizes["bias"] == 4


def test_a_compressed_variable_cut_off_anywhere_is_refused(whole, tmp_path) -> None:
    content, path = whole.read_bytes(), tmp_path / "cut.mat"
    for length in range(136, len(content), 7):
        path.write_bytes(content[:length])
        try:
            stack = friedel.open_stack(path, **OPTIONS)
        except friedel.StackError as error:
            assert "cut.mat" in str(error)
        else:  # cut behind the cube
            assert stack.sizes["bias"] == 4


def test_bytes_lost_in_the_middle_with_a_tag_that_fits_the_rest_are_refused(whole, tmp_path) -> None:
    """The tag's length is mended, so that only the compressed bytes themselves are wrong."""
    content, path = whole.read_bytes(), tmp_path / "lost.mat"
    length = int.from_bytes(content[132:136], "little")
    inside = content[136 : 136 + length]
    rng = random.Random(3)
    for _ in range(100):
        first = rng.randrange(2, length - 1)
        part = inside[:first] + inside[rng.randrange(first + 1, length + 1) :]
        path.write_bytes(content[:132] + len(part).to_bytes(4, "little") + part)
        with pytest.raises(friedel.StackError, match=r"lost\.mat.*damaged"):
            friedel.open_stack(path, **OPTIONS)


def test_a_variable_that_unfolds_to_another_length_is_refused(whole, tmp_path) -> None:
    import zlib

    content, path = whole.read_bytes(), tmp_path / "short.mat"
    length = int.from_bytes(content[132:136], "little")
    plain = zlib.decompress(content[136 : 136 + length])
    for changed in (plain[:-9], plain + b"12345678", plain[:8], plain[:3], b""):
        part = zlib.compress(changed)
        path.write_bytes(content[:132] + len(part).to_bytes(4, "little") + part)
        with pytest.raises(friedel.StackError, match=r"short\.mat.*length it states"):
            friedel.open_stack(path, **OPTIONS)
