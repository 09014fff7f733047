"""The table of what the tests reach, package by package."""

import json
import subprocess
import sys


def entry(statements: int, lines: int, branches: int, taken: int) -> dict:
    names = ("num_statements", "covered_lines", "num_branches", "covered_branches")
    return {"summary": dict(zip(names, (statements, lines, branches, taken), strict=True))}


def test_files_are_summed_by_package_and_lines_and_branches_count_alike(repository, tmp_path):
    files = {
        "src/friedel/stack.py": entry(10, 10, 0, 0),
        "/clone/friedel/.tox/site-packages/friedel/io/maps.py": entry(30, 20, 10, 4),
        "src\\friedel\\io\\vendors\\one.py": entry(10, 10, 10, 6),
        "src/napari_friedel/empty/__init__.py": entry(0, 0, 0, 0),
    }
    (tmp_path / "coverage.json").write_text(json.dumps({"files": files}), encoding="utf-8")
    command = [sys.executable, repository / ".ci" / "coverage_table.py", tmp_path / "coverage.json"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.splitlines()[2:] == [
        "| friedel | 10 | 0 | 100.0 |",
        "| friedel.io | 40 | 20 | 66.7 |",
        "| napari_friedel.empty | 0 | 0 | – |",
        "| all | 50 | 20 | 71.4 |",
    ]
