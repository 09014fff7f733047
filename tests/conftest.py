"""What every test shares: one thread, no network, no trace in the user's folders."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Before numpy, torch, matplotlib or napari is loaded: each reads its variables once.
for _name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ.setdefault(f"{_name}_NUM_THREADS", "1")
os.environ["MPLBACKEND"] = "Agg"
os.environ.setdefault("QT_API", "pyqt6")
_HOME = tempfile.TemporaryDirectory(prefix="friedel-tests-")
os.environ["NAPARI_CONFIG"] = str(Path(_HOME.name) / "napari" / "settings.yaml")
os.environ["XDG_CONFIG_HOME"] = str(Path(_HOME.name) / "config")
os.environ["XDG_DATA_HOME"] = str(Path(_HOME.name) / "data")
os.environ["FRIEDEL_MODELS"] = str(Path(_HOME.name) / "models")
os.environ["NO_COLOR"] = "1"  # rich and argparse: plain text, so that tests read what a log reads
os.environ["COLUMNS"] = "120"
HAS_SCREEN = sys.platform != "linux" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
if not HAS_SCREEN:  # Qt aborts the whole process where it finds no screen
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
import threadpoolctl
from hypothesis import HealthCheck, settings

# Where napari is installed, its pytest plugin has loaded numpy before the environment was set.
threadpoolctl.threadpool_limits(1)

settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

pytest_plugins = ["single_scattering", "small_sample"]

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"


#: Fixtures that start Qt: a test that asks for one, also through another fixture, needs a screen.
GUI_FIXTURES = {"qtbot", "qapp", "qtmodeltester", "make_napari_viewer", "make_napari_viewer_proxy"}


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need a screen by their fixtures, and skip them where there is none.

    With several processes (``-n 2 --dist loadgroup``) a file stays in one of them, as its fixtures do, and all tests
    with a window in another: two windows on one screen would take the focus from each other. Those come first, since
    they are the largest group.
    """
    for item in items:
        if GUI_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("gui")
        item.add_marker(pytest.mark.xdist_group("window" if "gui" in item.keywords else item.path.as_posix()))
    items.sort(key=lambda item: "gui" not in item.keywords)
    if not HAS_SCREEN:
        skip = pytest.mark.skip(reason="no screen: run pytest under `xvfb-run -a`")
        for item in items:
            if "gui" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree; tests of an installed wheel alone have none."""
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("not in a source tree")
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real measurements beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("the real measurements (../shared/data beside the repository) are not on this machine")
    return SHARED


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a models folder and a memory of channels of its own."""
    mark = os.urandom(4).hex()
    monkeypatch.setenv("FRIEDEL_MODELS", str(tmp_path_factory.getbasetemp() / f"models-{mark}"))
    monkeypatch.setenv("FRIEDEL_CHANNELS", str(tmp_path_factory.getbasetemp() / f"channels-{mark}.json"))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Give torch one thread again after a test that left it with more.

    Tests of the window do, where a package brings an OpenMP library of its own beside torch's. The tests run in several
    processes already: on busy cores the threads of one process wait for each other in a loop, and later tests of that
    process take up to 20 times as long.
    """
    yield
    torch = sys.modules.get("torch")
    if hasattr(torch, "set_num_threads"):  # a thread may be loading torch just now
        torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address):  # type: ignore[no-untyped-def]
        if self.family != getattr(socket, "AF_UNIX", None) and str(address[0]) not in {
            "127.0.0.1",
            "::1",
            "localhost",
        }:
            raise OSError(f"a test tried to reach {address!r}: tests use no network")
        return connect(self, address)

    socket.socket.connect = guarded  # type: ignore[method-assign]
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]
