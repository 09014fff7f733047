"""What loads what: `import friedel` and reading a manifest must stay light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HEAVY = ["torch", "napari", "qtpy", "matplotlib", "skimage", "pandas"]


def _modules_loaded_by(statement: str) -> set[str]:
    code = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def _loaded_by(statement: str) -> set[str]:
    return {name.partition(".")[0] for name in _modules_loaded_by(statement)}


def test_import_friedel_loads_nothing_heavy() -> None:
    assert not _loaded_by("import friedel; friedel.__version__; dir(friedel)").intersection([*HEAVY, "numpy"])


def test_import_friedel_loads_the_loader_of_its_names_and_nothing_else() -> None:
    new = _modules_loaded_by("import friedel") - _modules_loaded_by("pass")
    others = {name for name in new if name.partition(".")[0] not in sys.stdlib_module_names}
    ours = {name for name in others if name.startswith("friedel")}
    assert ours == {"friedel", "friedel._util", "friedel._util.moved"}
    assert {name.partition(".")[0] for name in others - ours} == {"lazy_loader"}


def test_import_plugin_loads_no_torch_and_no_viewer() -> None:
    assert not _loaded_by("import napari_friedel").intersection(["torch", "napari", "qtpy", "pandas"])


def test_help_of_the_command_line_loads_no_torch() -> None:
    statement = (
        "from friedel.cli import main\ntry: main(['--help'])\nexcept SystemExit as end: assert end.code == 0"
    )
    assert not _loaded_by(statement).intersection(["torch", "napari", "matplotlib"])


@pytest.fixture(scope="module")
def small_grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from friedel.io.export import write_stack
    from friedel.stack import make_stack

    path = tmp_path_factory.mktemp("start") / "grid.nc"
    values = np.random.default_rng(0).normal(size=(5, 24, 24))
    write_stack(make_stack({"dI/dV": values}, bias_mv=[-50, -25, 0, 25, 50], pixel_nm=0.5), path)
    return path


def _loaded_by_command(*words: str) -> set[str]:
    """Packages that a process of the command line loads, its own children not counted."""
    statement = (
        f"import sys; sys.argv = {['friedel', *words]!r}\nfrom friedel.cli import main\n"
        "try: code = main()\nexcept SystemExit as end: code = end.code\nassert not code"
    )
    loaded = "print(json.dumps(sorted(n.split('.')[0] for n, m in sys.modules.items() if m is not None)))"
    code = f"import json\n{statement}\n{loaded}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("command", [(), ("info",), ("detect",), ("convert",), ("fine-tune",), ("simulate",)])
def test_help_needs_no_numbers(command: tuple[str, ...]) -> None:
    heavy = [*HEAVY, "xarray", "scipy", "h5py", "dask", "pint"]
    assert not _loaded_by_command(*command, "--help").intersection(heavy)


def test_info_loads_what_it_describes_and_no_more(small_grid: Path) -> None:
    heavy = {*HEAVY, "xarray", "dask", "pint", "scipy"}
    assert not _loaded_by_command("info", str(small_grid)).intersection(heavy)


def test_a_band_in_info_needs_no_network(small_grid: Path) -> None:
    loaded = _loaded_by_command("info", str(small_grid), "--material", "au111")
    assert not loaded.intersection({*HEAVY, "dask", "pint"} - {"pandas"})


def test_a_classical_detection_loads_no_torch(small_grid: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "points.csv")
    words = ["detect", str(small_grid), "--material", "au111", "--method", "matched-field", "-o", out]
    loaded = _loaded_by_command(*words)
    assert not loaded.intersection({*HEAVY, "dask", "pint"} - {"pandas"}) and "scipy" in loaded


def test_statistics_and_optimisers_of_scipy_are_not_loaded_by_the_detector() -> None:
    code = (
        "import friedel.pipeline, friedel.refit.driver, sys; "
        "assert not {'scipy.stats', 'scipy.optimize'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_detection_by_the_network_loads_no_torch_on_the_processor(small_grid: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "points.csv")
    words = ["detect", str(small_grid), "--material", "au111", "--device", "cpu", "-o", out]
    loaded = _loaded_by_command(*words)
    assert "onnxruntime" in loaded
    assert not loaded.intersection({*HEAVY, "dask", "pint"} - {"pandas"})


def test_a_detection_by_torch_loads_no_symbolic_mathematics(small_grid: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "points.csv")
    words = ["detect", str(small_grid), "--material", "au111", "--model", "paper", "-o", out]
    loaded = _loaded_by_command(*words)
    assert "torch" in loaded and not loaded.intersection({"sympy", "dask", "pint", "matplotlib"})


def test_a_host_program_keeps_its_array_packages(small_grid: Path) -> None:
    """Called with words, the command line runs in a process that is not its own."""
    code = f"from friedel.cli import main; main(['info', {str(small_grid)!r}]); import dask.array, sys; print('kept')"
    pytest.importorskip("dask")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "kept", done.stderr


def test_the_reader_decides_without_torch_or_qt(shared_data) -> None:
    path = shared_data / "nanonis" / "NanonisReader_STS_grid_lockin.3ds"
    pytest.importorskip("napari_friedel.io.reader")
    statement = (
        f"from napari_friedel.io.reader import get_reader; assert get_reader({str(path)!r}) is not None"
    )
    assert not _loaded_by(statement).intersection(["torch", "qtpy", "matplotlib"])


def test_the_data_model_opens_without_torch() -> None:
    assert "torch" not in _loaded_by("import friedel.stack, friedel.detections, friedel.physics.dispersion")
