"""The files that install, test and describe the project agree with each other."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import friedel


@pytest.fixture(scope="module")
def project(repository: Path) -> dict:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


def _pins(repository: Path) -> dict[str, str]:
    pins = {}
    for line in (repository / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            pins[_normal(name)] = version
    return pins


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!\[ ;]", name)[0]).lower()


def _shell_blocks(text: str) -> list[str]:
    return [block.strip() for block in re.findall(r"```(?:bash|sh|console)\n(.*?)```", text, re.DOTALL)]


def test_every_direct_requirement_is_pinned(repository: Path, project: dict) -> None:
    pins = _pins(repository)
    wanted = list(project["project"]["dependencies"])
    wanted += [line for lines in project["project"]["optional-dependencies"].values() for line in lines]
    wanted += [
        line for lines in project["dependency-groups"].values() for line in lines if isinstance(line, str)
    ]
    missing = {_normal(line) for line in wanted} - set(pins) - {"napari-friedel"}
    assert not missing


def test_pins_satisfy_the_requirements(repository: Path, project: dict) -> None:
    requirements = pytest.importorskip("packaging.requirements")
    pins = _pins(repository)
    for line in project["project"]["dependencies"]:
        requirement = requirements.Requirement(line)
        assert requirement.specifier.contains(pins[_normal(requirement.name)]), line


def test_torch_is_pinned_without_a_local_version(repository: Path) -> None:
    """`==2.13.0` is met by CPU and CUDA builds alike; `+cpu` would exclude a user's GPU."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", _pins(repository)["torch"])
    assert _pins(repository)["pyqt6-qt6"] not in {"6.11.0", "6.11.1"}


def test_the_oldest_versions_are_those_of_the_project(repository: Path, project: dict) -> None:
    """`.ci/constraints-min.txt` tests the lower bounds that pyproject.toml states."""
    oldest = {}
    for line in (repository / ".ci" / "constraints-min.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            oldest[_normal(name)] = version
    for line in project["project"]["dependencies"]:
        name, bound = line.split(">=")
        if _normal(name) in oldest:
            stated = bound.strip()
            assert oldest[_normal(name)] == stated or oldest[_normal(name)].startswith(stated + "."), line


def test_ci_runs_the_readme_command(repository: Path) -> None:
    last = (repository / ".ci" / "run").read_text(encoding="utf-8").strip().splitlines()[-1]
    blocks = _shell_blocks((repository / "README.md").read_text(encoding="utf-8"))
    assert last in blocks
    assert f"tox=={_pins(repository)['tox']}" in last


def test_readme_installs_by_the_pins(repository: Path) -> None:
    first = _shell_blocks((repository / "README.md").read_text(encoding="utf-8"))[0]
    assert first == "python3 -m pip install -c constraints.txt '.[all]'\nfriedel demo"


def test_ci_script_is_executable_and_sound(repository: Path) -> None:
    script = repository / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


def test_one_version_everywhere(repository: Path, project: dict) -> None:
    version = project["project"]["version"]
    citation = yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    assert friedel.__version__ == version
    assert citation["version"] == version
    assert f'{{% set version = "{version}" %}}' in (repository / "conda" / "meta.yaml").read_text("utf-8")
    coming = list((repository / "changelog.d").glob("*.md"))  # lines of a version that is not released yet
    assert f"## [{version}]" in changelog or coming


def test_citation_names_the_paper(repository: Path) -> None:
    citation = yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == "BSD-3-Clause"
    paper = citation["references"][0]
    assert paper["title"] == "Machine Learning Identification of Impurities in the STM Images"
    assert any(entry["value"] == "2006.15898" for entry in paper["identifiers"])


def test_modules_read_in_one_sitting(repository: Path) -> None:
    long = {}
    for path in sorted((repository / "src").rglob("*.py")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > 400:
            long[str(path.relative_to(repository))] = lines
    assert not long


def test_dependencies_are_explained(repository: Path, project: dict) -> None:
    """docs/dependencies.md gives each dependency's licence and reason."""
    text = (repository / "docs" / "dependencies.md").read_text(encoding="utf-8")
    base, *others = (
        {_normal(row) for row in re.findall(r"^\| *`([^`]+)` *\|", part, re.MULTILINE)}
        for part in text.split("\n## ")
    )
    rows = base.union(*others)
    wanted = set(project["project"]["dependencies"])
    wanted |= {line for lines in project["project"]["optional-dependencies"].values() for line in lines}
    groups = {
        _normal(one)
        for lines in project["dependency-groups"].values()
        for one in lines
        if isinstance(one, str)
    }
    extras = project["project"]["optional-dependencies"]
    bindings = {
        name for name, lines in extras.items() for line in lines if re.match(rf"napari\[.*{name}\]", line)
    }
    needed = ({_normal(line) for line in wanted} | bindings) - {"napari-friedel", "all"}
    assert bindings == {"pyside6", "pyqt5", "all"}
    assert base == {_normal(line) for line in project["project"]["dependencies"]}
    assert needed <= rows <= needed | groups  # some of those for tests are explained, too


def test_classifiers_say_no_more_than_the_table_of_platforms(repository: Path, project: dict) -> None:
    page = (repository / "docs" / "reference" / "platforms.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")
    ]
    tested = [row for row in rows if len(row) == 3 and row[2].startswith("tested")]
    systems = {"POSIX :: Linux": "Linux", "MacOS": "macOS", "Microsoft :: Windows": "Windows"}
    for line in project["project"]["classifiers"]:
        if line.startswith("Operating System :: "):
            name = systems[line.removeprefix("Operating System :: ")]
            assert any(row[0].startswith(name) for row in tested), line
        if found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line):
            assert any(row[1] == found[1] for row in tested), line


def test_fragments_of_the_changelog_have_a_kind(repository: Path, project: dict) -> None:
    kinds = {entry["directory"] for entry in project["tool"]["towncrier"]["type"]}
    assert kinds == {"added", "changed", "fixed"}
    for path in (repository / "changelog.d").glob("*.md"):
        assert path.stem.rpartition(".")[2] in kinds and path.read_text(encoding="utf-8").strip(), path.name


def test_the_conda_recipe_asks_for_what_the_project_asks_for(repository: Path, project: dict) -> None:
    text = (repository / "conda" / "meta.yaml").read_text(encoding="utf-8")
    asked = {tuple(line.split()) for line in re.findall(r"^    - (\S+ >=\S+)$", text, re.MULTILINE)}
    for line in project["project"]["dependencies"]:
        name, bound = re.fullmatch(r"([\w.-]+)\s*(>=\S+)", line).groups()
        assert ({"torch": "pytorch"}.get(name, name.lower()), bound) in asked, line


def test_addresses_agree_and_lead_to_pages_that_are_built(repository: Path, project: dict) -> None:
    urls = project["project"]["urls"]
    small = (repository / "src/napari_friedel/widgets/small.py").read_text(encoding="utf-8")
    assert f'DOCS = "{urls["Documentation"]}"' in small
    assert urls["Documentation"].startswith(urls["Homepage"])
    page = urls["Changelog"].removeprefix(urls["Documentation"]).removesuffix(".html")
    assert (repository / "docs" / f"{page}.md").exists()
    recipe = (repository / "conda/meta.yaml").read_text(encoding="utf-8")
    assert f"home: {urls['Homepage']}\n" in recipe and f"doc_url: {urls['Documentation']}\n" in recipe


@pytest.mark.parametrize("name", [".github/workflows/ci.yml", ".readthedocs.yaml"])
def test_other_services_run_the_commands_of_the_project(repository: Path, name: str) -> None:
    text = (repository / name).read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    tox = (repository / "tox.ini").read_text(encoding="utf-8")
    wanted = re.findall(r"TOXENV: (\w+)", text) + re.findall(r"tox -e (\w+)", text)
    assert content and wanted and all(f"[testenv:{one}]" in tox for one in wanted)
    assert ".ci/run" in text or "tox==" + _pins(repository)["tox"] in text
