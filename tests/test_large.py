"""Fields of any size: the answer depends neither on the maps held at a time nor on where tiles are computed."""

from __future__ import annotations

from concurrent.futures import Executor, Future

import numpy as np
import pytest

import friedel
from friedel._util import big_maps
from friedel._util.remarks import Remarks
from friedel._util.work import Work
from friedel.physics.dispersion import resolve
from friedel.prepare import PrepareSettings, Sampling, prepare
from friedel.prepare.channel import ChannelMaps
from friedel.refit.tiles import owners


class Elsewhere(Executor):
    """Runs a call when it is submitted, on a pickled copy of its arguments, and counts the calls."""

    def __init__(self):
        self.calls = 0

    def submit(self, function, /, *arguments, **more):
        import pickle

        self.calls += 1
        function, arguments = pickle.loads(pickle.dumps((function, arguments)))
        future = Future()
        future.set_result(function(*arguments, **more))
        return future


@pytest.fixture
def stack():
    """A field with a line that is missing, a wild pixel, a dead spectrum, a tilt and a gap."""
    stack = friedel.simulate(seed=4, shape=(64, 64), bias_mv=np.linspace(-150, 0, 13), impurities=15)
    name = friedel.stack.channel_names(stack)[0]
    values = stack[name].to_numpy().copy()
    values += np.float32(values.std()) * np.linspace(0, 3, values.shape[1], dtype=np.float32)[:, None]
    values[3, 20, 20:26] *= 40
    values[:, 40, 41] = 7
    values[:, 50:56, 10:22] = np.nan
    stack[name] = (stack[name].dims, values)
    return stack


def prepared(stack, work=None):
    remarks = Remarks()
    given = (stack, None, resolve("au111"), Sampling((0.55, 1.05)), PrepareSettings(), remarks)
    return prepare(*given) if work is None else prepare(*given, work)


def assert_alike(one, other, tolerance):
    np.testing.assert_allclose(one.maps, other.maps, atol=tolerance)
    np.testing.assert_array_equal(one.mask, other.mask)
    np.testing.assert_array_equal(one.fit_mask, other.fit_mask)
    assert [step.sentence for step in one.flattened.steps] == [
        step.sentence for step in other.flattened.steps
    ]


@pytest.fixture
def few_at_a_time(monkeypatch, stack):
    """Every array beyond a few kilobytes lies in a file, and a few maps are worked on at a time."""
    pixels = stack.sizes["y"] * stack.sizes["x"]
    monkeypatch.setattr(big_maps, "AT_ONCE", 3 * pixels)
    monkeypatch.setattr(big_maps, "READ_AT_ONCE", 5 * pixels)
    monkeypatch.setattr(big_maps, "IN_MEMORY", 1000)


def test_prepared_maps_do_not_depend_on_how_many_are_held_at_a_time(stack, few_at_a_time, monkeypatch):
    parted = prepared(stack)
    monkeypatch.undo()
    whole = prepared(stack)
    assert isinstance(parted.maps, np.memmap) and not isinstance(whole.maps, np.memmap)
    assert_alike(whole, parted, 2e-5)  # a file holds 32-bit numbers


def test_prepared_maps_do_not_depend_on_the_executor(stack):
    executor = Elsewhere()
    assert_alike(prepared(stack), prepared(stack, Work(executor)), 0)
    assert executor.calls > 3


def test_tiles_on_an_executor_give_the_same_points(stack):
    executor = Elsewhere()
    area = ((0, 40), (0, 40))
    here = friedel.detect(stack, dispersion="au111", area=area, refit="quick")
    there = friedel.detect(stack, dispersion="au111", area=area, refit="quick", executor=executor)
    np.testing.assert_allclose(
        here.table[["row", "column", "probability"]], there.table[["row", "column", "probability"]], atol=1e-6
    )
    assert executor.calls


def test_a_lazy_stack_is_never_read_whole(stack, few_at_a_time):
    name = friedel.stack.channel_names(stack)[0]
    dask = pytest.importorskip("dask.array")
    rows = []

    def seen(block):
        rows.append(block.shape[0])
        return block

    lazy = stack.copy()
    values = dask.from_array(stack[name].to_numpy(), chunks=(1, -1, -1)).map_blocks(seen, dtype=np.float32)
    lazy[name] = (stack[name].dims, values)
    assert_alike(prepared(stack), prepared(lazy), 0)
    assert lazy[name].chunks is not None and max(rows) == 1


def test_a_derivative_read_in_parts_is_that_of_the_whole():
    random = np.random.default_rng(0)
    stack = friedel.make_stack(
        {"Current": random.normal(size=(9, 4, 5))}, bias_mv=np.cumsum(random.uniform(1, 3, 9)), pixel_nm=0.3
    )
    maps = ChannelMaps(stack["Current"], derive=True)
    whole = np.gradient(stack["Current"].to_numpy(), stack["bias"].to_numpy(), axis=0)
    for part in (slice(0, 2), slice(2, 3), slice(3, 8), slice(8, 9)):
        np.testing.assert_allclose(maps[part], whole[part], rtol=1e-5, atol=1e-6)


def test_a_point_belongs_to_the_tile_with_the_nearest_centre():
    corners = [(0, 0), (0, 40), (40, 0), (40, 40)]
    points = np.array([[10.0, 10.0], [10.0, 60.0], [60.0, 30.0], [71.0, 79.0]])
    assert owners(points, corners, np.array([48, 48])).tolist() == [0, 1, 2, 3]


def test_maps_in_a_file_keep_what_was_written_when_their_memory_is_given_back(monkeypatch):
    monkeypatch.setattr(big_maps, "IN_MEMORY", 10)
    maps = big_maps.allocate((3, 4, 5))
    maps[:] = np.arange(60).reshape(3, 4, 5)
    big_maps.release(maps)
    assert isinstance(maps, np.memmap) and maps.dtype == np.float32
    np.testing.assert_array_equal(big_maps.take(maps, np.array([2, 0])), np.asarray(maps)[[2, 0]])


@pytest.mark.parametrize(("values", "count"), [(1, 7), (40, 4), (10_000, 1)])
def test_parts_cover_the_first_axis_once(values, count):
    found = list(big_maps.parts((7, 4, 5), values))
    assert len(found) == count
    assert [index for part in found for index in range(7)[part]] == list(range(7))


def test_files_are_shared_out_among_devices(tmp_path):
    from friedel.many import plan_jobs
    from friedel.settings import DetectSettings

    settings = DetectSettings(device="cuda:0,cuda:1")
    jobs = plan_jobs([f"{name}.nc" for name in "abcde"], tmp_path, settings=settings)
    assert [job.device for job in jobs] == ["cuda:0", "cuda:1", "cuda:0", "cuda:1", "cuda:0"]
    assert len({str(job.options()) for job in jobs}) == 1  # which device it was decides no result


@pytest.mark.parametrize("text", ["cuda:0,", "cpu,cuda:0", "cuda:0;cuda:1", "auto,auto"])
def test_a_list_of_devices_that_makes_no_sense_is_refused(text):
    from friedel.settings import DetectSettings

    with pytest.raises(friedel.SettingsError, match="cuda:0,cuda:1"):
        DetectSettings(device=text)


def test_a_batch_fills_half_of_a_gpus_free_memory_and_holds_one_tile_at_least(monkeypatch):
    import torch

    from friedel.candidates.tiling import BYTES_PER_PIXEL, MOST_TILES, batch_size

    tile = 100 * 100 * BYTES_PER_PIXEL
    for free, tiles in ((tile, 1), (8 * tile, 4), (1000 * tile, MOST_TILES)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, free))
        assert batch_size(torch.device("cuda:0"), (100, 100)) == tiles
    assert batch_size(torch.device("cpu"), (100, 100)) == 1


def test_a_large_netcdf_channel_is_read_in_parts(tmp_path, stack, monkeypatch):
    import h5py

    name = friedel.stack.channel_names(stack)[0]
    friedel.write_stack(stack, tmp_path / "a.nc")
    monkeypatch.setattr("friedel.io.netcdf.LAZY", 1000)
    opened = friedel.open_stack(tmp_path / "a.nc")
    sizes = []
    read = h5py.Dataset.__getitem__
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, key: sizes.append(key) or read(self, key))
    np.testing.assert_array_equal(opened[name][3:6, ::-2, 4], stack[name][3:6, ::-2, 4])
    assert [size[0] for size in sizes] == [slice(3, 6)]
    np.testing.assert_array_equal(opened[name], stack[name])
    assert opened[name].attrs == stack[name].attrs
