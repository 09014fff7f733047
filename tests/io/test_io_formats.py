"""Files written by the tests themselves open with the right numbers, axes, units and orientation."""

from __future__ import annotations

import warnings
from pathlib import Path

import io_makers as makers
import nanonispy2
import numpy as np
import pytest
import tifffile
import xarray as xr
from io_makers import BIAS, MAKERS, SHAPE, cube

from friedel.errors import StackError
from friedel.io import FORMATS, open_stack, sniff
from friedel.io.axes import AxesMissing
from friedel.io.export import write_stack
from friedel.stack import (
    didv,
    didv_channel,
    image_names,
    pixel_pitch,
    tip_position,
    topograph_name,
    true_positions,
)

WHOLE = [name for name in MAKERS if name not in ("nanonis-scan", "gsf", "createc", "qpi")]


def make(name: str, folder: Path) -> tuple[Path, dict]:
    suffix, maker = MAKERS[name]
    path = folder / f"file{suffix}"
    return path, maker(path)


@pytest.mark.parametrize("name", WHOLE)
def test_numbers_axes_and_pixel_come_back(name: str, tmp_path: Path) -> None:
    path, options = make(name, tmp_path)
    stack = open_stack(path, **options)
    channel, derived = didv_channel(stack)
    if name == "createc-grid":
        channel = "ADC 1"  # the format does not tell which converter is the lock-in
    values = stack[channel].to_numpy()
    assert not derived
    assert values.dtype == np.float32 and values.dtype.isnative
    expected = cube()[:, ::-1] if name == "gwyddion" else cube()
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_allclose(stack["bias"], BIAS, atol=1e-4)
    np.testing.assert_allclose(pixel_pitch(stack), (0.25, 0.25), rtol=1e-6)
    assert stack.attrs["acquired"] == stack.attrs["expected"] == SHAPE[1] * SHAPE[2]


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_content_decides_not_the_suffix(name: str, tmp_path: Path) -> None:
    path, options = make(name, tmp_path)
    known = sniff(path)
    assert known in FORMATS
    if name in ("createc-grid", "netcdf"):
        return  # a .specgrid has no mark; netCDF-4 is HDF5 and opens as such under any name
    renamed = path.rename(tmp_path / "file.renamed")
    assert sniff(renamed) == known
    assert open_stack(renamed, **options).sizes["y"] >= 4


def test_foreign_files_are_not_claimed(tmp_path: Path) -> None:
    for name, content in {
        "table.csv": b"row,column\n1,2\n",
        "text.txt": b"some words\nand more\n",
        "numbers.txt": b"1.5 2.5\n3 4\n",
        "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(40),
        "empty.3ds": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
        assert sniff(tmp_path / name) is None
    assert sniff(tmp_path / "missing") is None


class TestNanonisGrid:
    def test_agrees_with_nanonispy2(self, tmp_path: Path) -> None:
        path = tmp_path / "a.3ds"
        missing = ("Delay before measuring (s)", "Experiment", "Start time", "End time", "User")
        header = makers.grid_header() | dict.fromkeys(missing, '"x"')
        makers.grid(path, header=header | {"Delay before measuring (s)": "0.0", "Comment": '"c"'})
        stack, other = open_stack(path), nanonispy2.read.Grid(str(path))
        for ours, theirs in (("Current", "Current (A)"), ("LockinX", "LockinX (V)")):
            np.testing.assert_array_equal(stack[ours], other.signals[theirs].transpose(2, 0, 1))
        np.testing.assert_array_equal(stack["Z"], other.signals["topo"])
        np.testing.assert_allclose(stack["bias"], other.signals["sweep_signal"] * 1e3, rtol=1e-6)

    def test_frame_units_and_topograph(self, tmp_path: Path) -> None:
        makers.grid(tmp_path / "a.3ds")
        stack = open_stack(tmp_path / "a.3ds")
        assert (stack["LockinX"].attrs["units"], stack["Current"].attrs["units"]) == ("V", "A")
        assert topograph_name(stack) == "Z"
        assert stack.attrs["scan_angle_deg"] == 30 and stack.attrs["y_direction"] == 1
        x, y = tip_position(stack, 0.5, 0.375)  # the centre of 5 × 4 pixels of 0.25 nm
        np.testing.assert_allclose((x, y), (10.0, 20.0))

    def test_a_broken_off_grid_is_nan_not_zero(self, tmp_path: Path) -> None:
        path = tmp_path / "a.3ds"
        makers.grid(path)
        record = 4 * (5 + 2 * 7)
        path.write_bytes(path.read_bytes()[: -8 * record - 13])
        stack = open_stack(path)
        assert (stack.attrs["acquired"], stack.attrs["expected"]) == (11, 20)
        flat = stack["LockinX"].to_numpy().reshape(7, -1)
        np.testing.assert_array_equal(flat[:, :11], cube().reshape(7, -1)[:, :11])
        assert np.isnan(flat[:, 11:]).all()
        assert np.isnan(stack["Z"].to_numpy().reshape(-1)[11:]).all()

    def test_space_allotted_but_never_measured_is_nan(self, tmp_path: Path) -> None:
        path = tmp_path / "a.3ds"
        makers.grid(path)
        record = 4 * (5 + 2 * 7)
        raw = path.read_bytes()
        path.write_bytes(raw[: -3 * record] + bytes(3 * record))
        stack = open_stack(path)
        assert stack.attrs["acquired"] == 17
        assert np.isnan(stack["LockinX"].to_numpy().reshape(7, -1)[:, 17:]).all()

    def test_descending_sweep(self, tmp_path: Path) -> None:
        makers.grid(tmp_path / "a.3ds", limits=(0.22, -0.18))
        stack = open_stack(tmp_path / "a.3ds")
        assert stack["bias"][0] == 220 and stack["bias"][-1] == -180

    def test_a_z_sweep_is_no_bias_sweep(self, tmp_path: Path) -> None:
        header = makers.grid_header(Sweep__Signal='"Z (m)"')
        makers.grid(tmp_path / "a.3ds", header=header, limits=(-1e-9, 2e-9))
        stack = open_stack(tmp_path / "a.3ds")
        assert stack.attrs["sweep"] == "Z (m)" and stack["bias"].attrs["units"] == "m"
        with pytest.raises(StackError, match="Z"):
            didv(stack)

    @pytest.mark.parametrize("shared_once", [True, False])
    @pytest.mark.parametrize(
        "key",
        [
            "Segment Start (V), Segment End (V), Settling (s), Integration (s), Steps (xn)",
            "Segment Start (V), Segment End (V), Settling (s), Integration (s), Steps (xn), Lockin, Init. Settling (s)",
        ],
    )
    def test_segments(self, tmp_path: Path, key: str, shared_once: bool) -> None:
        table = "-1E-1,-2E-2,1E-2,1E-1,5,0,0;-2E-2,2E-2,1E-2,1E-1,9,0,0;2E-2,1E-1,1E-2,1E-1,5,0,0"
        points = 17 if shared_once else 19
        data = [np.random.default_rng(c).uniform(1, 2, (points, 2, 3)).astype(np.float32) for c in range(2)]
        header = makers.grid_header(data[0].shape) | {"Filetype": "MLS", key: table}
        makers.grid(tmp_path / "a.3ds", data, header, limits=(-0.1, 0.1))
        stack = open_stack(tmp_path / "a.3ds")
        parts = [np.linspace(-100, -20, 5), np.linspace(-20, 20, 9)[1:], np.linspace(20, 100, 5)[1:]]
        np.testing.assert_allclose(stack["bias"], np.concatenate(parts), atol=1e-9)
        keep = np.arange(17) if shared_once else np.delete(np.arange(19), [5, 14])
        np.testing.assert_array_equal(stack["LockinX"], data[1][keep])

    def test_lenient_header(self, tmp_path: Path) -> None:
        header = makers.grid_header() | {"Comment": '"first line\r\nsecond line without the sign\r\nthird"'}
        makers.grid(tmp_path / "a.3ds", header=header, encoding="cp1252")
        assert open_stack(tmp_path / "a.3ds").sizes["x"] == 5

    def test_backward_and_other_channel_names(self, tmp_path: Path) -> None:
        names = (
            "Current (A)",
            "LI Demod 1 X (A)",
            "Current [bwd] (A)",
            "LI Demod 1 X [bwd] (A)",
            "LI Demod 2 X (A)",
        )
        data = [cube(seed) for seed in range(5)]
        makers.grid(tmp_path / "a.3ds", data, makers.grid_header(channels=names))
        stack = open_stack(tmp_path / "a.3ds")
        assert didv_channel(stack) == ("LI Demod 1 X", False)
        np.testing.assert_array_equal(stack["Current [bwd]"], data[2])

    def test_one_channel_is_differentiated(self, tmp_path: Path) -> None:
        makers.grid(tmp_path / "a.3ds", [cube()], makers.grid_header(channels=("Current (A)",)))
        stack = open_stack(tmp_path / "a.3ds")
        assert didv_channel(stack) == ("Current", True)
        assert didv(stack).attrs["derived"] == 1

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"Points": "8"}, "contradicts itself"),
            ({"Experiment__size__(bytes)": "112"}, "backward sweep"),
            ({"Grid__dim": '"99999999 x 4"'}, "Grid dim"),
            ({"Grid__dim": None}, "no known format"),
            ({"Channels": None}, "no channels"),
            ({"Points": None}, "Points"),
            ({"Points": "999999999", "Experiment__size__(bytes)": "7999999992"}, "Experiment size"),
            ({"Points": "9999999", "Experiment__size__(bytes)": "79999992"}, "ends before its first"),
            ({"Grid__settings": "1;2;nan;0;0"}, "Grid settings"),
            ({"Filetype": "MLS"}, "segment"),
        ],
    )
    def test_a_wrong_header_is_told(self, tmp_path: Path, changes: dict, reason: str) -> None:
        header = makers.grid_header(**changes)
        makers.grid(tmp_path / "a.3ds", header=header)
        with pytest.raises(StackError, match=reason) as error:
            open_stack(tmp_path / "a.3ds")
        assert "a.3ds" in str(error.value)

    def test_changed_line_endings(self, tmp_path: Path) -> None:
        path = tmp_path / "a.3ds"
        makers.grid(path)
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n")[:-1])
        with pytest.raises(StackError, match="line endings"):
            open_stack(path)


class TestNanonisScan:
    @pytest.mark.parametrize(("direction", "sign"), [("up", 1), ("down", -1)])
    def test_orientation_and_direction(self, tmp_path: Path, direction: str, sign: int) -> None:
        path = tmp_path / "a.sxm"
        makers.scan(path, direction=direction)
        raw = nanonispy2.read.Scan(str(path)).signals
        stack = open_stack(path)
        assert stack.attrs["y_direction"] == sign
        assert didv_channel(stack) == ("LIX 1 omega", False)
        np.testing.assert_array_equal(stack["LIX 1 omega"][0], raw["LIX_1_omega"]["forward"])
        np.testing.assert_array_equal(stack["LIX 1 omega [bwd]"][0], raw["LIX_1_omega"]["backward"][:, ::-1])
        np.testing.assert_array_equal(stack["Z"], raw["Z"]["forward"])
        assert float(stack["bias"][0]) == pytest.approx(50)
        np.testing.assert_allclose(pixel_pitch(stack), (0.2, 0.2))

    def test_a_series_is_a_stack(self, tmp_path: Path) -> None:
        for index, bias in enumerate((0.03, -0.02, 0.01)):
            makers.scan(tmp_path / f"b{index}.sxm", bias, seed=index)
        stack = open_stack(tmp_path)
        np.testing.assert_allclose(stack["bias"], [-20, 10, 30])
        np.testing.assert_array_equal(
            stack["LIX 1 omega"][2], open_stack(tmp_path / "b0.sxm")["LIX 1 omega"][0]
        )
        assert open_stack(sorted(tmp_path.iterdir())).equals(stack)

    def test_images_of_another_place_or_the_same_bias_are_no_stack(self, tmp_path: Path) -> None:
        makers.scan(tmp_path / "a.sxm", 0.01)
        makers.scan(tmp_path / "b.sxm", 0.01)
        with pytest.raises(StackError, match="same bias"):
            open_stack(tmp_path)
        raw = (tmp_path / "b.sxm").read_bytes().replace(b"1.0E-8  2.0E-8", b"9.0E-8  2.0E-8")
        (tmp_path / "b.sxm").write_bytes(raw)
        with pytest.raises(StackError, match="scan_offset"):
            open_stack(tmp_path)

    def test_lines_never_scanned(self, tmp_path: Path) -> None:
        path = tmp_path / "a.sxm"
        makers.scan(path)
        raw = bytearray(path.read_bytes())
        for plane in range(4):
            start = len(raw) - (4 - plane) * 120 + 80
            raw[start : start + 40] = np.full(10, np.nan, ">f4").tobytes()
        path.write_bytes(raw)
        stack = open_stack(path)
        assert (stack.attrs["acquired"], stack.attrs["expected"]) == (20, 30)


class TestSpectra:
    def test_a_folder_of_points_is_a_grid(self, tmp_path: Path) -> None:
        makers.spectra(tmp_path / "grid")
        (tmp_path / "grid" / "notes.txt").write_text("tip changed here")
        makers.scan(tmp_path / "grid" / "below.sxm")
        stack = open_stack(tmp_path / "grid")
        assert dict(stack.sizes) == {"bias": 7, "y": 2, "x": 3}
        np.testing.assert_allclose(pixel_pitch(stack), (0.5, 0.5))
        x, y = tip_position(stack, 0.5 * 2, 0.5)
        np.testing.assert_allclose((x, y), (11.0, 20.5))
        assert didv_channel(stack) == ("LI Demod 1 X", False)
        expected = np.random.default_rng(5).uniform(1, 2, (7, 2))[:, 1]
        np.testing.assert_allclose(stack["LI Demod 1 X"][:, 1, 2], expected, rtol=1e-6)
        np.testing.assert_allclose(stack["Z"][1, 2], 6e-10)

    def test_a_missing_and_a_short_spectrum_are_nan(self, tmp_path: Path) -> None:
        makers.spectra(tmp_path / "grid")
        (tmp_path / "grid" / "point5.dat").unlink()
        makers.spectrum(tmp_path / "grid" / "point6.dat", 11, 20.5, points=4)
        stack = open_stack(tmp_path / "grid")
        assert (stack.attrs["acquired"], stack.attrs["expected"]) == (4, 6)
        assert np.isnan(stack["Current"][:, 1, 1]).all()
        assert np.isnan(stack["Current"][:, 1, 2]).to_numpy().tolist() == [False] * 4 + [True] * 3

    @pytest.mark.parametrize("angle", [0.0, 33.0, -120.0])
    @pytest.mark.parametrize("snake", [False, True])
    def test_turned_lattices(self, angle: float, snake: bool) -> None:
        from friedel.io.lattice import fit

        row, column = np.divmod(np.arange(20), 5)
        if snake:
            column = np.where(row % 2, 4 - column, column)
        turn = np.deg2rad(angle)
        along, down = np.array([np.cos(turn), -np.sin(turn)]), np.array([-np.sin(turn), -np.cos(turn)])
        points = 7 + 0.3 * column[:, None] * along + 0.4 * row[:, None] * down
        points += np.random.default_rng(0).normal(0, 0.001, points.shape)
        lattice = fit(points, "points")
        assert lattice.shape == (4, 5) and lattice.y_direction == -1
        assert lattice.cells == list(zip(row, column, strict=True))
        np.testing.assert_allclose(lattice.pixel_nm, (0.4, 0.3), rtol=0.02)
        assert (lattice.angle_deg - angle + 180) % 360 - 180 == pytest.approx(0, abs=3)

    def test_scattered_points_are_no_grid(self, tmp_path: Path) -> None:
        for index in range(6):
            makers.spectrum(
                tmp_path / f"p{index}.dat", *np.random.default_rng(index).uniform(0, 5, 2), seed=index
            )
        with pytest.raises(StackError, match="grid"):
            open_stack(tmp_path)

    def test_one_point_is_no_map(self, tmp_path: Path) -> None:
        makers.spectrum(tmp_path / "p.dat", 3, -4)
        stack = open_stack(tmp_path / "p.dat")
        assert dict(stack.sizes) == {"bias": 7, "y": 1, "x": 1}
        np.testing.assert_allclose(tip_position(stack, stack["x"][0], stack["y"][0]), (3, -4))
        with pytest.raises(StackError, match="one spectrum"):
            pixel_pitch(stack)


@pytest.mark.parametrize("name", ["hdf5", "mat5", "mat73", "npy", "tiff", "qpi"])
def test_axes_that_a_file_lacks_are_asked_for(name: str, tmp_path: Path) -> None:
    path, options = make(name, tmp_path)
    options = {key: value for key, value in options.items() if key != "bias"}
    with pytest.raises(AxesMissing, match="bias") as error:
        open_stack(path, **options)
    assert path.name in str(error.value) and "bias" in error.value.missing and error.value.arrays


def test_pixel_and_order_are_asked_for_too(tmp_path: Path) -> None:
    path, _ = make("npy", tmp_path)
    with pytest.raises(StackError, match="pixel_nm"):
        open_stack(path, bias="-60:60")
    path, _ = make("mat5", tmp_path)
    with pytest.raises(StackError, match="axes"):
        open_stack(path, bias="-60:60", pixel_nm=1.0)


def test_the_users_axes_win(tmp_path: Path) -> None:
    makers.grid(tmp_path / "a.3ds")
    stack = open_stack(tmp_path / "a.3ds", bias=(10, 70), pixel_nm=(0.5, 0.25))
    np.testing.assert_allclose(stack["bias"], np.linspace(10, 70, 7))
    np.testing.assert_allclose(stack["y"], np.arange(4) * 0.5)
    with pytest.raises(StackError, match="7 bias planes"):
        open_stack(tmp_path / "a.3ds", bias=[1, 2, 3])
    for wrong in ("high", "1:2:3", [1, np.nan], ""):
        with pytest.raises(StackError):
            open_stack(tmp_path / "a.3ds", bias=wrong)
    for wrong_pixel in (0, -1.0, float("nan"), "wide"):
        with pytest.raises(StackError, match="pixel"):
            open_stack(tmp_path / "a.3ds", pixel_nm=wrong_pixel)


def test_several_arrays_ask_for_a_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", one=cube(0), two=cube(1), bias=BIAS, pixel_nm=[0.5, 0.25])
    with pytest.raises(StackError, match="dataset"):
        open_stack(tmp_path / "a.npz")
    stack = open_stack(tmp_path / "a.npz", dataset="two")
    np.testing.assert_array_equal(stack["two"], cube(1))
    assert pixel_pitch(stack) == (0.5, 0.25)


def test_unknown_options_are_told(tmp_path: Path) -> None:
    makers.grid(tmp_path / "a.3ds")
    with pytest.raises(StackError, match="do not take"):
        open_stack(tmp_path / "a.3ds", dataset="x")
    with pytest.raises(StackError, match="Unknown format"):
        open_stack(tmp_path / "a.3ds", format="jpeg")


class TestRoundTrip:
    def test_netcdf_loses_nothing(self, tmp_path: Path) -> None:
        makers.grid(tmp_path / "a.3ds")
        raw = (tmp_path / "a.3ds").read_bytes()
        (tmp_path / "a.3ds").write_bytes(raw[:-200])
        stack = open_stack(tmp_path / "a.3ds").rename({"LockinX": "dI/dV"})
        write_stack(stack, tmp_path / "a.nc")
        back = open_stack(tmp_path / "a.nc")
        xr.testing.assert_identical(back, stack.load())
        assert back["dI/dV"].dtype == np.float32 and np.isnan(back["dI/dV"]).any()

    def test_truth_and_header_survive(self, tmp_path: Path) -> None:
        stack = makers.stack()
        stack.attrs.update(truth_row=np.array([1.5, 2.25]), truth_column=np.array([0.0, 3.0]), flag=True)
        write_stack(stack, tmp_path / "a.nc")
        back = open_stack(tmp_path / "a.nc")
        # An older file knew rows and columns alone.
        np.testing.assert_allclose(true_positions(back), [[1.5, 0.0], [2.25, 3.0]])
        np.testing.assert_array_equal(back.attrs["truth_row"], [1.5, 2.25])

    @pytest.mark.parametrize("axis", [BIAS, BIAS[::-1], np.array([-90.0, -50, -20, 0, 5, 10, 60])])
    def test_gwyddion(self, tmp_path: Path, axis: np.ndarray) -> None:
        import gwyfile

        stack = makers.stack().assign_coords(bias=("bias", axis, {"units": "mV"}))
        write_stack(stack, tmp_path / "a.gwy")
        tree = gwyfile.load(str(tmp_path / "a.gwy"))
        np.testing.assert_allclose(tree["/brick/1"]["data"].reshape(SHAPE)[:, ::-1], stack["LockinX"])
        back = open_stack(tmp_path / "a.gwy")
        np.testing.assert_array_equal(back["LockinX"][:, ::-1], stack["LockinX"])
        np.testing.assert_array_equal(back["Z"][::-1], stack["Z"])
        np.testing.assert_allclose(back["bias"], axis, atol=1e-9)
        assert image_names(back) == ["Z"] and back["Z"].attrs["units"] == "m"

    def test_npz_and_gsf(self, tmp_path: Path) -> None:
        stack = makers.stack()
        write_stack(stack, tmp_path / "a.npz")
        np.testing.assert_array_equal(
            open_stack(tmp_path / "a.npz", dataset="Current")["Current"], stack["Current"]
        )
        with pytest.raises(StackError, match="one image"):
            write_stack(stack, tmp_path / "a.gsf")
        write_stack(stack, tmp_path / "a.gsf", bias_mv=19)
        image = open_stack(tmp_path / "a.gsf", bias=20)
        np.testing.assert_array_equal(next(iter(image.data_vars.values()))[0], stack["LockinX"][4])
        with pytest.raises(StackError, match=r"\.nc"):
            write_stack(stack, tmp_path / "a.docx")


def test_classic_netcdf_of_others(tmp_path: Path) -> None:
    """Volts, metres and another order of axes become the model's."""
    values = cube()
    foreign = xr.Dataset(
        {"g": (("x", "y", "bias"), values.transpose(2, 1, 0))},
        coords={
            "bias": ("bias", BIAS * 1e-3, {"units": "V"}),
            "y": ("y", np.arange(4) * 0.25e-9, {"units": "m"}),
            "x": ("x", np.arange(5) * 0.25e-9, {"units": "m"}),
        },
    )
    for engine in ("scipy", "h5netcdf"):
        foreign.to_netcdf(tmp_path / f"{engine}.nc", engine=engine)
        stack = open_stack(tmp_path / f"{engine}.nc")
        np.testing.assert_array_equal(stack["g"], values)
        np.testing.assert_allclose(stack["bias"], BIAS)
        np.testing.assert_allclose(pixel_pitch(stack), (0.25, 0.25))


def test_hdf5_chunks_never_written_are_nan(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("didv", SHAPE, "f4", chunks=(7, 2, 5))
        data[:, :2] = cube()[:, :2]
    values = open_stack(tmp_path / "a.h5", **makers.ASKED)["didv"].to_numpy()
    np.testing.assert_array_equal(values[:, :2], cube()[:, :2])
    assert np.isnan(values[:, 2:]).all()


def test_qpi_dataset(tmp_path: Path) -> None:
    makers.qpi(tmp_path / "a.txt")
    stack = open_stack(tmp_path / "a.txt", bias=10.0, index=1)
    expected = np.random.default_rng(2).uniform(1, 2, 36).reshape(6, 6)
    np.testing.assert_allclose(stack["dI/dV"][0], expected, rtol=1e-4)
    np.testing.assert_allclose(pixel_pitch(stack), (0.5, 0.5))
    np.testing.assert_allclose(stack.attrs["truth_column"], [0, 4])
    np.testing.assert_allclose(true_positions(stack)[:, 0], [3, 1])
    with pytest.raises(StackError, match="no image 9"):
        open_stack(tmp_path / "a.txt", bias=10.0, index=9)


@pytest.mark.parametrize("compressed", [True, False])
def test_createc_image(tmp_path: Path, compressed: bool) -> None:
    makers.createc(tmp_path / "a.dat", compressed)
    stack = open_stack(tmp_path / "a.dat")
    planes = cube().ravel()[:80].reshape(4, 4, 5)
    np.testing.assert_allclose(stack["Z"], planes[0] * 1e-4, rtol=1e-6)
    np.testing.assert_array_equal(stack["ADC 1"][0], planes[1])
    assert float(stack["bias"][0]) == 50 and pixel_pitch(stack) == (0.25, 0.25)


def test_a_broken_off_createc_grid(tmp_path: Path) -> None:
    options = makers.createc_grid(tmp_path / "a.specgrid")
    raw = (tmp_path / "a.specgrid").read_bytes()
    (tmp_path / "a.specgrid").write_bytes(raw[:-100])
    stack = open_stack(tmp_path / "a.specgrid", **options)
    assert (stack.attrs["acquired"], stack.attrs["expected"]) == (18, 20)
    with pytest.raises(AxesMissing, match="pixel_nm"):
        open_stack(tmp_path / "a.specgrid")


def test_tiff_labels_and_cut_hyperstack(tmp_path: Path) -> None:
    import tifffile

    labels = [f"{value:g} mV" for value in BIAS]
    metadata = {"axes": "ZYX", "unit": "nm", "Labels": labels}
    tifffile.imwrite(tmp_path / "a.tif", cube(), imagej=True, metadata=metadata, resolution=(4.0, 2.0))
    stack = open_stack(tmp_path / "a.tif")
    np.testing.assert_allclose(stack["bias"], BIAS)
    np.testing.assert_allclose(pixel_pitch(stack), (0.5, 0.25))
    raw = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(raw[:-300])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(StackError, match=r"a\.tif"):
            open_stack(tmp_path / "a.tif")


def test_missing_extras_say_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    makers.igor(tmp_path / "a.ibw")
    monkeypatch.setitem(sys.modules, "igor2", None)
    with pytest.raises(StackError, match=r"napari-friedel\[igor\]"):
        open_stack(tmp_path / "a.ibw")


def test_a_tiff_that_was_written_page_by_page_is_a_stack(tmp_path: Path) -> None:
    path, data = tmp_path / "a.tif", makers.cube()
    with tifffile.TiffWriter(path) as file:
        for plane in data:
            file.write(plane, contiguous=False)
    np.testing.assert_array_equal(open_stack(path, **makers.ASKED)["dI/dV"], data)
    with tifffile.TiffWriter(path) as file:
        for number, plane in enumerate(data):
            file.write(plane[: 4 - (number == 2)], contiguous=False)
    with pytest.raises(StackError, match=r"a\.tif: the file holds 7 images that form no stack"):
        open_stack(path, **makers.ASKED)
