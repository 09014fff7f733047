"""Programs around the library: what they have set in torch changes no answer, and what they have set stays."""

from __future__ import annotations

import subprocess
import sys
import warnings
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import torch

import friedel
from friedel._util.torch_defaults import torch_defaults, with_torch_defaults
from friedel.finetuning.tuner import FineTuneConfig, FineTuner
from friedel.models.paper_net import AttentionConfig
from friedel.progress import drain
from friedel.training.loop import iter_train
from friedel.training.recipes import PaperRecipe


@contextmanager
def float64():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


HOSTS = {
    "float64": float64,
    "meta": lambda: torch.device("meta"),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
}


class Quick(PaperRecipe):
    """The paper's recipe without the minutes of its calibration."""

    def calibrate(self, network, device, work=None):
        return {"threshold": 0.5, "calibration": {"slope": 1.0, "intercept": 0.0}}


def settings():
    """Everything of torch and Python that a library could leave changed."""
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_num_threads(),
        torch.get_rng_state().tolist()[:16] if torch.get_default_device().type == "cpu" else None,
        torch.backends.cudnn.allow_tf32,
        list(warnings.filters),
        warnings.showwarning,
        np.geterr(),
    )


@pytest.fixture(scope="module")
def stack():
    return friedel.simulate("au111", shape=(40, 40), impurities=8, bias_mv=np.linspace(-200, 20, 12), seed=3)


@pytest.fixture(scope="module")
def plain(stack):
    return friedel.detect(stack, dispersion="au111", refit="none").table


@pytest.mark.parametrize("host", HOSTS)
def test_detection_gives_the_same_answer_and_leaves_everything_as_it_was(stack, plain, host):
    with HOSTS[host]():
        before = settings()
        seen = [settings() for _ in friedel.iter_detect(stack, dispersion="au111", refit="none")]
        found = friedel.detect(stack, dispersion="au111", refit="none").table
        assert settings() == before
    assert seen and all(one == before for one in seen)  # between two steps, too
    pd.testing.assert_frame_equal(found, plain)


@pytest.mark.parametrize("host", HOSTS)
def test_a_simulation_is_the_same_in_every_host(stack, host):
    with HOSTS[host]():
        again = friedel.simulate(
            "au111", shape=(40, 40), impurities=8, bias_mv=np.linspace(-200, 20, 12), seed=3
        )
    np.testing.assert_array_equal(again["LockinX"].values, stack["LockinX"].values)


@pytest.mark.parametrize("host", HOSTS)
def test_training_and_fine_tuning_learn_in_every_host(stack, tmp_path, host):
    recipe = Quick(network=AttentionConfig(width=4, dilations=(1,), inner_product="global"), maps=8)
    config = FineTuneConfig(epochs=1, steps_per_epoch=2, batch=4, voltages=4, device="cpu")
    with HOSTS[host]():
        path = drain(iter_train(recipe, output=tmp_path / "m", steps=2, device="cpu"))
        tuner = FineTuner(path, stack, config, dispersion="au111")
        tuned = drain(tuner.run())
    weights = friedel.load_model(path, "cpu").network.state_dict()
    assert all(value.dtype == torch.float32 and value.isfinite().all() for value in weights.values())
    assert any(not torch.equal(weights[name], value) for name, value in tuner.network.state_dict().items())
    assert np.isfinite(tuned.header["fine_tune"]["after"]["held_out"])


def test_the_defaults_hold_inside_a_step_and_not_between():
    @with_torch_defaults
    def work():
        for _ in range(2):
            yield torch.zeros(1).dtype
        return torch.is_grad_enabled()

    with float64(), torch.no_grad():
        steps = work()
        assert next(steps) == torch.float32 and torch.get_default_dtype() == torch.float64
        assert next(steps) == torch.float32 and not torch.is_grad_enabled()
        with pytest.raises(StopIteration) as end:
            next(steps)
        assert end.value.value is True
        with torch_defaults():
            assert torch.zeros(1).dtype == torch.float32
        assert torch.zeros(1).dtype == torch.float64


def test_an_error_inside_leaves_the_defaults_of_the_host():
    with float64():
        with pytest.raises(ZeroDivisionError), torch_defaults():
            raise ZeroDivisionError
        assert torch.get_default_dtype() == torch.float64


def test_models_load_without_their_module_names_on_the_path(tmp_path):
    """A frozen program has no source files and another working folder: names and weights come from the package."""
    code = (
        "import sys; sys.frozen = True; sys.argv = ['program']; import friedel; "
        "print(len(friedel.load_model('friedel', 'cpu').sha256), len(friedel.list_models()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["64", "2"], done.stderr


def test_the_hook_of_frozen_programs_takes_every_module_that_is_imported_by_name(monkeypatch):
    """PyInstaller runs the hook; here its two helpers are replaced by what they are documented to do."""
    import pkgutil
    import runpy
    import types
    from pathlib import Path

    from friedel._pyinstaller import hook_dirs
    from friedel.models.model import ARCHITECTURES
    from friedel.training.recipes import RECIPES

    hooks = types.ModuleType("PyInstaller.utils.hooks")
    folder = Path(friedel.__file__).parent
    hooks.collect_submodules = lambda package, filter: [
        name
        for _, name, _ in pkgutil.walk_packages([str(folder)], f"{package}.", onerror=None)
        if filter(name)
    ]
    hooks.collect_data_files = lambda package: [
        (str(path), package) for path in folder.rglob("*") if path.suffix not in (".py", ".pyc")
    ]
    for name in ("PyInstaller", "PyInstaller.utils"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "PyInstaller.utils.hooks", hooks)
    made = runpy.run_path(str(Path(hook_dirs()[0]) / "hook-friedel.py"))
    by_name = {place.split(":")[0] for place in (*ARCHITECTURES.values(), *RECIPES.values())}
    assert by_name <= set(made["hiddenimports"]) and "friedel.cli.detect" in made["hiddenimports"]
    assert any(path.endswith("friedel.safetensors") for path, _ in made["datas"])
