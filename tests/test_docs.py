"""What the documentation says is run: code blocks in order, page by page; links and references resolve.

Comments in the pages steer this: `<!-- test: slow -->` and `<!-- test: gui -->` mark a page,
`<!-- test: needs DATA as NAME -->` puts a real file (or folder) beside the commands, `<!-- test: not run: REASON -->`
leaves out the block that follows it. Plain `friedel` commands run in this process, anything else in bash: a process of
its own takes seconds to start, and `tests/installed` has some.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import friedel

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if "_build" not in path.parts and path.name != "CHANGELOG.md"
)
BLOCK = re.compile(
    r"^(?P<skip><!-- test: not run[^>]*-->\n+)?```(?P<language>\w+)\n(?P<code>.*?)^```", re.M | re.S
)
RUN = {"python", "bash", "yaml"}


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    line: int


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["language"], found["code"], text[: found.start("code")].count("\n") + 1)
        for found in BLOCK.finditer(text)
        if not found["skip"] and found["language"] in RUN
    ]


def marks(page: Path) -> list[pytest.MarkDecorator]:
    found = re.findall(r"<!-- test: (slow|gui) -->", page.read_text(encoding="utf-8"))
    return [getattr(pytest.mark, name) for name in found]


def runnable() -> list:
    return [pytest.param(page, id=name_of(page), marks=marks(page)) for page in PAGES if blocks(page)]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An empty folder to work in; registries and modules are as before afterwards."""
    from friedel.io.formats import FORMATS
    from friedel.models.registry import ARCHITECTURES
    from friedel.physics.dispersion import MATERIALS

    monkeypatch.chdir(tmp_path)
    registries = [(table, dict(table)) for table in (FORMATS, ARCHITECTURES, MATERIALS)]
    yield tmp_path
    for table, before in registries:
        table.clear()
        table.update(before)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def put_data(page: Path, folder: Path) -> None:
    """Copy the real measurements that a page works on, or skip."""
    for data, name in re.findall(r"<!-- test: needs (\S+) as (\S+) -->", page.read_text(encoding="utf-8")):
        source = ROOT.parent / "shared" / "data" / data
        if not source.exists():
            pytest.skip(f"the real measurement {data} is not on this machine")
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)


def run_python(
    block: Block, page: Path, folder: Path, namespace: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = block.code.partition("\n")[0]
    if found := re.fullmatch(r"# src/((\w+)/.*\.py)", first):
        target = folder / "src" / found[1]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.code, encoding="utf-8")
        package = importlib.import_module(".".join(Path(found[1]).parent.parts))
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(target.parent)])
        return
    if first == "# gui":
        pytest.importorskip("napari.components")  # not the folder tests/napari
        pytest.importorskip("pytestqt").plugin  # noqa: B018
    code = "\n" * (block.line - 1) + block.code  # so that a traceback shows the page's own lines
    exec(compile(code, name_of(page), "exec"), namespace)


def friedel_commands(code: str) -> list[list[str]] | None:
    """The words of each command, if all are plain calls of `friedel`; `*` stands for names, as in a shell."""
    lines = [line for line in code.replace("\\\n", " ").splitlines() if line.partition("#")[0].strip()]
    if any(re.search(r"[|&;<>$`(){}\\\"'~!]", line.partition("#")[0]) for line in lines):
        return None
    commands = [shlex.split(line, comments=True) for line in lines]
    if any(words[0] != "friedel" for words in commands):
        return None
    return [[name for word in words[1:] for name in expanded(word)] for words in commands]


#: Commands whose lines stand for themselves: they set nothing that a later line needs, and begin nothing.
ALONE = {"friedel", "mkdir", "rm", "test", "echo"}


def parts(code: str) -> list[str]:
    """A block's lines one by one if they can be run apart, else the whole block."""
    lines = [line for line in code.replace("\\\n", " ").splitlines() if line.partition("#")[0].strip()]
    apart = all(line.split()[0] in ALONE and "<<" not in line and _closed(line) for line in lines)
    return lines if apart else [code]


def _closed(line: str) -> bool:
    try:
        shlex.split(line, comments=True)
    except ValueError:  # a quotation that goes on in the next line
        return False
    return True


def expanded(word: str) -> list[str]:
    found = sorted(path.as_posix() for path in Path().glob(word)) if "*" in word else []
    return found or [word]


def run_here(commands: list[list[str]], where: str) -> None:
    from friedel.cli import main

    for words in commands:
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            code = main(words)
        assert code == 0, f"{where}\nfriedel {shlex.join(words)}\n{told.getvalue()}"


def run_bash(block: Block, page: Path, folder: Path) -> None:
    for code in parts(block.code):
        commands = friedel_commands(code)
        if commands is not None:
            run_here(commands, f"{name_of(page)}:{block.line}")
        else:
            run_process(code, f"{name_of(page)}:{block.line}", folder)


def run_process(code: str, where: str, folder: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert done.returncode == 0, f"{where}\n{code}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("page", runnable())
def test_code_blocks_run(page: Path, bench: Path, monkeypatch: pytest.MonkeyPatch, request) -> None:
    found = blocks(page)
    if any(block.code.startswith("# gui") for block in found):
        pytest.importorskip("napari.components")  # not the folder tests/napari
        request.getfixturevalue("qapp")
    put_data(page, bench)
    namespace: dict = {"__name__": "__docs__"}
    for block in found:
        if block.language == "python":
            run_python(block, page, bench, namespace, monkeypatch)
        elif block.language == "bash":
            run_bash(block, page, bench)
        else:
            import yaml

            assert isinstance(yaml.safe_load(block.code), dict)


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ +(.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [pytest.param(page, id=name_of(page)) for page in PAGES])
def test_internal_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(<?([^)\s>]+)>?\)", text) + re.findall(r"<img[^>]*src=\"([^\"]+)", text):
        if re.match(r"[a-z]+:", target):
            assert target.startswith(("https://", "mailto:")), target
            continue
        file, _, anchor = target.partition("#")
        where = page if not file else (page.parent / file).resolve()
        assert where.exists(), f"{name_of(page)} links to {target}"
        if anchor:
            assert anchor in anchors(where), f"{name_of(page)} links to {target}"


def references() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        names = re.findall(r"\{py:\w+\}`(?:[^`<]*<)?([\w.]+)>?`", text)
        names += re.findall(r":py:\w+:`[^`<]*<([\w.]+)>`", text)
        names += re.findall(r"^\.\. auto\w+:: ([\w.]+)", text, re.M)
        found += [(name_of(page), name) for name in names]
    return found


@pytest.mark.parametrize(("page", "name"), sorted(set(references())))
def test_named_code_exists(page: str, name: str) -> None:
    """Sphinx shows a reference to nothing as plain text; here it is an error."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[cut:]:
            thing = getattr(thing, attribute)
        return
    raise AssertionError(f"{page} names {name}, which does not exist")


def test_the_api_page_lists_every_public_name() -> None:
    text = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    missing = [name for name in friedel.__all__ if not name.startswith("_") and f"`{name} <" not in text]
    assert not missing


def test_the_api_page_documents_every_public_name() -> None:
    """A name of the first table without a listing below would be a link to nowhere."""
    text = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"autofunction:: (\S+)", text))
    for module in re.findall(r"automodule:: (\S+)\n(?!   :no-members:)", text):
        found = importlib.import_module(module)
        names = getattr(found, "__all__", vars(found))
        listed |= {f"{getattr(getattr(found, one), '__module__', '')}.{one}" for one in names}
    promised = re.findall(r"`\w+ <([\w.]+)>`", text.partition("\n## ")[0])
    objects = {
        f"{getattr(friedel, name.rpartition('.')[2]).__module__}.{name.rpartition('.')[2]}"
        for name in promised
    }
    assert len(objects) > 40 and not objects - listed


def test_pages_keep_to_themselves() -> None:
    """No page tells where on someone's machine it was written."""
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(work|opt|tmp|home|root)/", page.read_text(encoding="utf-8")), (
            name_of(page)
        )
