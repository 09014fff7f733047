"""Fixtures of the plugin's tests."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from friedel.progress import Progress

sys.path.append(str(Path(__file__).parent))

from made_up import build_stack


@pytest.fixture
def stack() -> xr.Dataset:
    return build_stack()


@pytest.fixture
def model() -> Any:
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture
def shown(model: Any, stack: xr.Dataset) -> Any:
    """A bare viewer with the layers of `stack`; the stack's layer is the last."""
    from napari_friedel.layers import add_layer, stack_layers

    for layer in stack_layers(stack):
        add_layer(model, layer)
    return model


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Put a made-up generator in the detector's place; gives what it was called with."""

    def install(work: Callable[..., Generator[Progress, None, Any]]) -> dict[str, Any]:
        called: dict[str, Any] = {}

        def iter_detect(stack: xr.Dataset, **options: Any) -> Generator[Progress, None, Any]:
            called.update(options, stack=stack)
            return (yield from work(stack, **options))

        module = types.ModuleType("friedel.pipeline")
        module.iter_detect = iter_detect  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "friedel.pipeline", module)
        return called

    return install


@pytest.fixture
def open_dock(qtbot: Any) -> Callable[..., Any]:
    """Open a dock and keep it alive until the test ends, as napari's window would."""
    kept = []

    def make(kind: Any, viewer: Any) -> Any:
        dock = kind(viewer)
        qtbot.addWidget(dock)
        kept.append(dock)
        return dock

    return make


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the window remembers, models and sessions lie in a folder of the test's own."""
    monkeypatch.setenv("FRIEDEL_MODELS", str(tmp_path / "models"))
