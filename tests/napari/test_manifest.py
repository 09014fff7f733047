"""napari's view of the plugin: the manifest is valid, every name in it exists, no foreign file is claimed."""

from __future__ import annotations

import subprocess
import sys
from fnmatch import fnmatch

import pytest

npe2 = pytest.importorskip("npe2")


@pytest.fixture(scope="module")
def manifest():
    return npe2.PluginManifest.from_distribution("napari-friedel")


def test_the_manifest_is_valid() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "npe2", "validate", "napari-friedel"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_python_name_resolves(manifest) -> None:
    from npe2.manifest.utils import import_python_name

    assert len(manifest.contributions.commands) >= 10
    for command in manifest.contributions.commands:
        assert callable(import_python_name(command.python_name)), command.id
    assert callable(import_python_name(manifest.on_activate))


def test_every_contribution_names_a_command_that_exists(manifest) -> None:
    known = {command.id for command in manifest.contributions.commands}
    used = set()
    for group in ("readers", "writers", "sample_data", "widgets"):
        used |= {item.command for item in getattr(manifest.contributions, group)}
    for items in manifest.contributions.menus.values():
        used |= {item.command for item in items}
    assert used == known


@pytest.mark.parametrize(
    "name",
    ["photo.tif", "table.csv", "array.npz", "array.npy", "data.h5", "notes.txt", "spectrum.dat", "folder"],
)
def test_common_files_are_left_to_others(manifest, name) -> None:
    patterns = [p for reader in manifest.contributions.readers for p in reader.filename_patterns]
    assert not any(fnmatch(name, pattern) for pattern in patterns)
    assert not any(reader.accepts_directories for reader in manifest.contributions.readers)


def test_content_decides_not_the_name(tmp_path, shared_data) -> None:
    from napari_friedel.io.reader import get_reader

    foreign = tmp_path / "movie.sxm"
    foreign.write_bytes(b"\x00" * 2000)
    assert get_reader(str(foreign)) is None
    assert get_reader(str(tmp_path / "missing.3ds")) is None
    assert get_reader([]) is None
    real = str(shared_data / "nanonis" / "NanonisReader_STS_grid_lockin.3ds")
    assert get_reader(real) is not None and get_reader([real]) is not None


def test_in_a_window_a_file_that_cannot_be_read_tells_why(tmp_path, monkeypatch) -> None:
    from napari_friedel.io import reader

    told: list[str] = []
    monkeypatch.setattr(reader, "show_error", told.append)
    monkeypatch.setattr(reader, "in_event_loop", lambda: True)
    for name, content in (
        ("movie.sxm", b"\x00" * 2000),
        ("empty.3ds", b""),
        ("grid-points.csv", b"a,b\nc\n"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        read = reader.get_reader(str(path))
        assert read is not None and read(str(path)) == [(None,)]
        assert told[-1].startswith(f"{name}: "), "in the one line that is seen stands no folder"
    assert "empty" in told[1]
    assert reader.get_reader(str(tmp_path / "missing.3ds")) is None


def test_settings_have_defaults_that_the_docks_use(manifest) -> None:
    properties = manifest.contributions.configurations["detection"].properties
    from friedel.settings import DetectSettings, setting

    for name in ("method", "tiles"):
        known = setting(DetectSettings, name)
        assert set(properties[name].enum) == set(known.choices) and properties[name].default == known.default


def test_importing_the_plugin_loads_the_package_itself_and_nothing_else() -> None:
    """What npe2 needs at napari's start: the manifest and nothing of ours but the package itself."""
    code = (
        "import sys; before = set(sys.modules); import napari_friedel; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - set(sys.stdlib_module_names) == {"napari_friedel"}
