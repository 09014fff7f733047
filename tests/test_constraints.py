"""`constraints.txt` pins everything that an installation of the project brings, not only what it names itself."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

requirements = pytest.importorskip("packaging.requirements")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(repository: Path) -> dict[str, str]:
    lines = (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {normal(name): version for name, version in pairs}


def installed() -> dict[str, metadata.Distribution]:
    return {normal(one.metadata["Name"]): one for one in metadata.distributions() if one.metadata["Name"]}


def asked_for(project: dict, present: dict[str, metadata.Distribution]) -> set[str]:
    """Names of all distributions that the project, its extras and its groups lead to, as far as they are installed."""
    lines = list(project["project"]["dependencies"])
    for more in project["project"]["optional-dependencies"].values():
        lines += more
    for group in project["dependency-groups"].values():
        lines += [line for line in group if isinstance(line, str)]
    waiting = [requirements.Requirement(line) for line in lines]
    seen: set[tuple[str, str]] = set()
    while waiting:
        one = waiting.pop()
        name = normal(one.name)
        for extra in ("", *one.extras):
            if name not in present or (name, extra) in seen:
                continue
            seen.add((name, extra))
            for line in present[name].requires or []:
                need = requirements.Requirement(line)
                if need.marker is None or need.marker.evaluate({"extra": extra}):
                    waiting.append(need)
    return {name for name, _ in seen} - {"napari-friedel", "pip"}  # the installer itself is not pinned


def test_everything_that_an_installation_brings_is_pinned(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    wanted, present = pins(repository), installed()
    closure = asked_for(project, present)
    other = {
        name
        for name in closure & set(wanted)
        if present[name].version.partition("+")[0] != wanted[name].partition("+")[0]
    }
    if other:
        pytest.skip(
            f"this environment was not installed by constraints.txt: {', '.join(sorted(other))} differ"
        )
    missing = {name: present[name].version for name in closure - set(wanted)}
    assert not missing, "\n".join(f"{name}=={version}" for name, version in sorted(missing.items()))


def test_the_walk_follows_extras_and_markers() -> None:
    class Made:
        def __init__(self, *requires: str) -> None:
            self.requires = list(requires)

    present = {
        "a": Made("b[x]", "c; extra == 'never'", "d; python_version < '3'"),
        "b": Made("e; extra == 'x'"),
        "c": Made(),
        "d": Made(),
        "e": Made("a"),
    }
    project = {"project": {"dependencies": ["A"], "optional-dependencies": {}}, "dependency-groups": {}}
    assert asked_for(project, present) == {"a", "b", "e"}


def test_the_oldest_versions_are_the_lower_bounds(repository: Path) -> None:
    """`tox -e min` installs what `pyproject.toml` admits at least, no more and no less."""
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    lines = list(project["project"]["dependencies"])
    for extra in ("igor", "rhk"):  # zarr needs a younger NumPy; its tests are skipped there
        lines += project["project"]["optional-dependencies"][extra]
    bounds = {}
    for one in map(requirements.Requirement, lines):
        (bound,) = (part.version for part in one.specifier if part.operator == ">=")
        bounds[normal(one.name)] = bound
    text = (repository / ".ci" / "constraints-min.txt").read_text(encoding="utf-8")
    oldest = dict(line.split("==") for line in text.splitlines() if not line.startswith("#"))
    oldest = {normal(name): version for name, version in oldest.items()}
    assert set(bounds) <= set(oldest)
    for name, bound in bounds.items():
        exact = oldest[name].split(".")[: bound.count(".") + 1]
        assert exact == bound.split("."), (name, bound, oldest[name])


def test_the_oldest_napari_is_named_alike_everywhere(repository: Path) -> None:
    source = (repository / "src" / "napari_friedel" / "layers" / "versions.py").read_text(encoding="utf-8")
    (numbers,) = re.findall(r"^OLDEST = \((.*)\)$", source, re.MULTILINE)  # napari need not be installed
    oldest = numbers.replace(", ", ".")
    pinned = (repository / ".ci" / "constraints-napari-oldest.txt").read_text(encoding="utf-8")
    assert f"napari=={oldest}" in pinned.splitlines()
    extras = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra in ("all", "pyside6", "pyqt5"):
        assert f">={oldest}" in extras["optional-dependencies"][extra][0]
