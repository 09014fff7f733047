"""Copy as Python, copy as command: what was copied is run and does the same."""

from __future__ import annotations

import shlex
from types import SimpleNamespace

import numpy as np
import pytest

import friedel
from friedel.cli import main
from friedel.errors import SettingsError
from friedel.settings import (
    BandSettings,
    DetectSettings,
    FineTuneSettings,
    ImportSettings,
    PrepareSettings,
    SampleSettings,
    SimulateSettings,
)
from friedel.settings.copying import as_command, as_python

AU = BandSettings(material="au111")
SMALL = SimulateSettings(
    shape=(32, 32), bias=(-200.0, -100.0, 0.0), impurities=5, seed=2, like=True, noise=0.3
)


def run_command(text: str) -> int:
    program, *words = shlex.split(text)
    assert program == "friedel"
    return main(words)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    path = tmp_path_factory.mktemp("a folder's") / '-odd "name".nc'
    friedel.write_stack(friedel.simulate(shape=(32, 32), bias_mv=[-200, -100, 0], impurities=5, seed=2), path)
    return path


@pytest.mark.parametrize(
    "settings",
    [
        DetectSettings(method="matched-field", band=AU, threshold=0.2),
        DetectSettings(
            method="matched-field", band=BandSettings(onset_mev=-520.0, mass=0.26), area=((0, 30), (2, 32)),
            channel="LockinX", refit="none",
        ),
    ],
)  # fmt: skip
def test_a_copied_detection_gives_the_same_table(settings, grid, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(grid.parent)
    tables = [tmp_path / name for name in ("python.csv", "command.csv")]
    exec(as_python(settings, grid.name, out=str(tables[0])), {})
    assert run_command(as_command(settings, grid.name, out=str(tables[1]))) == 0
    first, second = (friedel.read_points(path) for path in tables)
    assert len(first) and first.equals(second)
    for made in (first, second):
        assert DetectSettings.from_dict(made.attrs["provenance"]["settings"]) == settings


def test_a_copied_detection_opens_the_file_with_its_axes(grid, tmp_path) -> None:
    np.save(tmp_path / "bare.npy", friedel.open_stack(grid)["LockinX"].to_numpy())
    axes = ImportSettings(bias="-200,-100,0", pixel_nm=0.469)
    settings = DetectSettings(method="matched-field", band=AU)
    out = tmp_path / "p.csv"
    assert run_command(as_command(settings, tmp_path / "bare.npy", axes=axes, out=str(out))) == 0
    first = friedel.read_points(out)
    exec(as_python(settings, tmp_path / "bare.npy", axes=axes, out=str(out)), {})
    assert first.equals(friedel.read_points(out))


def test_a_copied_simulation_gives_the_same_stack(tmp_path) -> None:
    paths = [tmp_path / name for name in ("a.nc", "b.nc")]
    exec(as_python(SMALL, out=str(paths[0])), {})
    assert run_command(as_command(SMALL, out=str(paths[1]))) == 0
    first, second = (friedel.open_stack(path) for path in paths)
    assert np.array_equal(first["LockinX"], second["LockinX"]) and first.sizes["y"] == 32


@pytest.mark.slow
def test_a_copied_fine_tuning_gives_the_same_settings(grid, tmp_path) -> None:
    (tmp_path / "yes.csv").write_text("row,column\n12,12\n")
    settings = FineTuneSettings(steps_per_epoch=1, batch=1, voltages=2, device="cpu", noise=0.5)
    about = {"sample": SampleSettings(model="paper", band=AU), "added": str(tmp_path / "yes.csv")}
    paths = [tmp_path / name for name in ("a.safetensors", "b.safetensors")]
    exec(as_python(settings, grid, out=str(paths[0]), **about), {})
    assert run_command(as_command(settings, grid, out=str(paths[1]), **about)) == 0
    first, second = (friedel.load_model(path).header["fine_tune"] for path in paths)
    for name in ("steps_done", "alpha", "added", "voltages"):
        assert first[name] == second[name], name


def test_texts_are_quoted() -> None:
    name = "it's \"a\" 'b' \\ $HOME; rm\n"
    made = DetectSettings(channel=name)
    assert shlex.split(as_command(made, "x.nc"))[-2:] == ["--channel", name]
    assert eval(as_python(made, "x.nc").split("channel=")[1].rpartition(")\nfound")[0]) == name
    with pytest.raises(SettingsError):
        as_python(AU, "x.nc")


def test_settings_inside_settings_are_named_as_the_script_imports_them() -> None:
    changed = DetectSettings(band=AU, prepare=PrepareSettings(background="plane"), demote_lines=False)
    script = as_python(changed, "grid.3ds")
    assert 'prepare=friedel.PrepareSettings(background="plane")' in script
    asked = {}
    fake = SimpleNamespace(
        PrepareSettings=PrepareSettings,
        open_stack=lambda _: None,
        detect=lambda _, **words: asked.update(words) or SimpleNamespace(to_csv=lambda _: None),
    )
    exec(script.replace("import friedel\n", ""), {"friedel": fake})
    assert asked["prepare"] == changed.prepare and asked["demote_lines"] is False
