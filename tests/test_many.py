"""Many files: any number of processes, state beside each table, a worker that dies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

import friedel
from friedel import claims, file_job, many
from friedel.claims import claim
from friedel.report import summary
from friedel.settings import BandSettings, DetectSettings

SETTINGS = DetectSettings(method="matched-field", band=BandSettings(material="au111"))


@pytest.fixture(scope="module")
def grids(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grids")
    for seed in range(4):
        stack = friedel.simulate(shape=(32, 32), bias_mv=[-200, -100, 0], impurities=5, seed=seed)
        friedel.write_stack(stack, folder / f"{seed}.nc")
    return sorted(folder.iterdir())


def test_without_a_folder_the_results_come_back(grids) -> None:
    seen = []
    results = friedel.detect_many(grids[:2], settings=SETTINGS, on_result=seen.append)
    assert [result.file for result in results] == grids[:2] and seen == results
    alone = friedel.detect(friedel.open_stack(grids[1]), dispersion="au111", method="matched-field")
    assert results[1].found.table.equals(alone.table) and results[1].impurities == len(alone)


def test_the_network_is_loaded_once_and_finds_what_it_finds_in_one_file(grids, tmp_path) -> None:
    settings = DetectSettings(band=BandSettings(material="au111"), refit="none")
    file_job._model.cache_clear()
    results = friedel.detect_many(grids[:2], tmp_path, settings=settings)
    assert [result.status for result in results] == ["done", "done"], [result.message for result in results]
    alone = friedel.detect(friedel.open_stack(grids[1]), dispersion="au111", refit="none")
    assert results[1].impurities == len(alone)
    assert file_job._model.cache_info()[:2] == (1, 1), "one hit, one miss"


def test_threads_that_share_a_folder_do_each_file_once(grids, tmp_path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(friedel.detect_many, grids, tmp_path, settings=SETTINGS)
        second = pool.submit(friedel.detect_many, grids, tmp_path, settings=SETTINGS)
        statuses = [[r.status for r in done.result()] for done in (first, second)]
    assert sum(one.count("done") for one in statuses) == len(grids)
    assert not [s for one in statuses for s in one if s not in ("done", "up to date", "elsewhere")]
    rows = pd.read_csv(tmp_path / "summary.csv")
    assert len(rows) == len(grids) and set(rows["status"]) == {"ok"}
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow
def test_processes_that_share_a_folder_lose_no_row(grids, tmp_path) -> None:
    words = [sys.executable, "-m", "friedel", "detect", "--material", "au111", "--method", "matched-field"]
    runs = [
        subprocess.Popen([*words, *map(str, part), "-o", str(tmp_path)])
        for part in (grids[:2], grids[2:], grids)
    ]
    assert [run.wait(300) for run in runs] == [0, 0, 0]
    assert len(pd.read_csv(tmp_path / "summary.csv")) == len(grids)


def test_a_claim_is_held_once_and_given_back(tmp_path) -> None:
    path = tmp_path / ".a.claim"
    with claim(path) as first, claim(path) as second:
        assert first and not second
    assert not path.exists()


def test_a_claim_of_a_process_that_is_gone_is_taken_over(tmp_path) -> None:
    import socket

    path = tmp_path / ".a.claim"
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    path.write_text(f"{socket.gethostname()} {gone.stdout.strip()} token")
    with claim(path) as ours:
        assert ours
    assert not path.exists()


def test_a_claim_of_another_machine_lasts_as_long_as_it_is_touched(tmp_path) -> None:
    path = tmp_path / ".a.claim"
    path.write_text("elsewhere 1 token")
    with claim(path) as ours:
        assert not ours
    old = time.time() - 2 * claims.STALE_S
    os.utime(path, (old, old))
    with claim(path) as ours:
        assert ours


def test_the_owner_touches_its_claim(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(claims, "TOUCH_S", 0.01)
    touched = threading.Event()
    monkeypatch.setattr(claims.os, "utime", lambda path: touched.set())
    with claim(tmp_path / ".a.claim"):
        assert touched.wait(10)


def test_a_table_that_another_process_finishes_meanwhile_keeps_its_row(grids, tmp_path, monkeypatch) -> None:
    friedel.detect_many(grids[:1], tmp_path, settings=SETTINGS)
    real, late = summary.as_html, []

    def slow(rows, folder):
        if not late:
            late.append(many.detect_file(many.plan_jobs(grids[1:2], tmp_path, settings=SETTINGS)[0]))
        return real(rows, folder)

    monkeypatch.setattr(summary, "as_html", slow)
    summary.write_summary(tmp_path)
    assert late[0].status == "done" and len(pd.read_csv(tmp_path / "summary.csv")) == 2


def test_cells_that_a_spreadsheet_would_run_are_harmless() -> None:
    row = summary.SummaryRow(
        "=cmd|' /C calc'!A0", "failed: +1", channel="@x", method="-2", model="ok", density_low=-1.5
    )
    line = summary.as_csv([row]).splitlines()[1]
    assert line.startswith("'=cmd") and ",failed: +1," in line
    assert ",'@x," in line and ",'-2," in line and ",ok," in line and ",-1.5," in line


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_pool_process_that_is_killed_costs_no_file(grids, tmp_path, monkeypatch) -> None:
    killed = []
    jobs = many.plan_jobs(grids, tmp_path, settings=SETTINGS)
    real = many.process_pool

    def pool_that_dies(count):
        pool = real(count)
        if not killed:
            killed.append(True)
            pool.submit(_suicide)
        return pool

    monkeypatch.setattr(many, "process_pool", pool_that_dies)
    results = dict(many.iter_jobs_in_processes(jobs, 2))
    assert sorted(results) == [0, 1, 2, 3] and {result.status for result in results.values()} <= {
        "done",
        "up to date",
    }
    assert all(job.table.exists() for job in jobs)


def _suicide() -> None:
    os.kill(os.getpid(), 9)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_dask_workers_one_of_them_killed_in_the_middle(grids, tmp_path) -> None:
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options, host="127.0.0.1") as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = next(iter(client.run(os.getpid).values()))
        killed = []

        def kill_after_the_first(result):
            if not killed:
                killed.append(os.kill(victim, 9))

        results = friedel.detect_many(
            grids, tmp_path, settings=SETTINGS, executor=client.get_executor(), on_result=kill_after_the_first
        )
    assert killed and [result.status for result in results if result.status == "failed"] == []
    assert len(pd.read_csv(tmp_path / "summary.csv")) == len(grids)


@pytest.mark.slow
def test_the_command_uses_a_scheduler_and_processes(grids, tmp_path, capsys) -> None:
    distributed = pytest.importorskip("distributed")
    from friedel.cli import main

    words = ["detect", *map(str, grids[:2]), "--material", "au111", "--method", "matched-field"]
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options, host="127.0.0.1") as cluster:
        more = ["--scheduler", cluster.scheduler_address, "-o", str(tmp_path / "a")]
        assert main([*words, *more]) == 0
    assert "2 of 2 files done" in capsys.readouterr().out
    assert main([*words, "--jobs", "2", "-o", str(tmp_path / "b")]) == 0
    assert "2 of 2 files done" in capsys.readouterr().out
    tables = [friedel.read_points(tmp_path / name / "0.csv") for name in ("a", "b")]
    assert tables[0].equals(tables[1])


def test_no_scheduler_is_a_sentence(grids, tmp_path, capsys) -> None:
    distributed = pytest.importorskip("distributed")
    from friedel.cli import main

    words = ["detect", *map(str, grids), "-o", str(tmp_path), "--scheduler", "nonsense://x"]
    assert main(words) == 2
    assert "No dask scheduler answers at 'nonsense://x'. (--scheduler)" in capsys.readouterr().err
    with pytest.raises(ValueError, match="No client"):
        distributed.default_client()


def test_a_folder_leaves_out_no_damaged_grid_and_no_empty_folder(grids, tmp_path) -> None:
    mixed, empty = tmp_path / "mixed", tmp_path / "x.3ds"
    mixed.mkdir()
    empty.mkdir()
    (mixed / "good.nc").write_bytes(grids[0].read_bytes())
    (mixed / "cut.3ds").write_bytes(b"")
    (mixed / "notes.txt").write_text("Monday")
    assert many.grids_in([mixed, empty]) == [mixed / "cut.3ds", mixed / "good.nc", empty]
    found = friedel.detect_many(many.grids_in([mixed, empty]), settings=SETTINGS)
    assert [one.status for one in found] == ["failed", "done", "failed"]
    assert "cut.3ds" in found[0].message and "x.3ds" in found[2].message


@pytest.fixture
def namesakes(grids, tmp_path):
    """Two grids of one name, in a folder and in a folder of that."""
    paths = tmp_path / "g" / "m1.nc", tmp_path / "g" / "o" / "m1.nc"
    for path, grid in zip(paths, grids, strict=False):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(grid.read_bytes())
    return paths


def sources(folder):
    """Names of the tables of a folder, each with the file that it was made of."""
    return {
        path.stem: friedel.read_points(path).attrs["provenance"]["file"]["name"]
        for path in folder.glob("*.csv")
        if path.stem != "summary"
    }


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("turned", [False, True])
def test_a_file_keeps_its_table_whatever_it_is_given_with(namesakes, tmp_path, first, turned) -> None:
    out = tmp_path / "res"
    alone = friedel.detect_many([namesakes[first]], out, settings=SETTINGS)[0]
    assert alone.table == out / "m1.csv"
    both = namesakes[::-1] if turned else namesakes
    results = {one.file: one for one in friedel.detect_many(both, out, settings=SETTINGS)}
    assert results[namesakes[first]].table == alone.table
    assert [results[path].status for path in namesakes] == [
        "up to date" if index == first else "done" for index in (0, 1)
    ]
    assert sorted(sources(out).values()) == sorted(map(str, namesakes))
    assert sorted(pd.read_csv(out / "summary.csv")["file"]) == sorted(map(str, namesakes))
    again = friedel.detect_many(both[::-1], out, settings=SETTINGS)
    assert {one.status for one in again} == {"up to date"} and len(sources(out)) == 2


def test_the_order_of_the_files_decides_no_name(namesakes, tmp_path) -> None:
    for name, files in (("a", namesakes), ("b", namesakes[::-1])):
        friedel.detect_many(files, tmp_path / name, settings=SETTINGS)
    assert sources(tmp_path / "a") == sources(tmp_path / "b")


def test_a_file_that_was_moved_keeps_its_table_and_one_that_changed_is_told(namesakes, tmp_path) -> None:
    out = tmp_path / "res"
    friedel.detect_many(namesakes, out, settings=SETTINGS)
    before = sources(out)
    (tmp_path / "g").rename(tmp_path / "h")
    moved = [tmp_path / "h" / path.relative_to(tmp_path / "g") for path in namesakes]
    assert {one.status for one in friedel.detect_many(moved, out, settings=SETTINGS)} == {"up to date"}
    assert sources(out) == before
    (tmp_path / "h").rename(tmp_path / "g")
    namesakes[1].write_bytes(namesakes[0].read_bytes())
    results = friedel.detect_many(namesakes, out, settings=SETTINGS)
    assert [one.status for one in results] == ["up to date", "failed"]
    assert "the file has changed since" in results[1].message


def test_a_name_that_another_process_took_meanwhile_is_no_change_of_the_file(namesakes, tmp_path) -> None:
    out = tmp_path / "res"
    late = many.plan_jobs(namesakes[:1], out, settings=SETTINGS, overwrite=True)[0]
    friedel.detect_many(namesakes[1:], out, settings=SETTINGS)
    kept = (out / "m1.csv").read_bytes()
    result = many.detect_file(late)
    assert (
        result.status == "failed"
        and f"of another file, {namesakes[1]}; run the command again" in result.message
    )
    assert (out / "m1.csv").read_bytes() == kept
    assert friedel.detect_many(namesakes[:1], out, settings=SETTINGS)[0].table == out / "m1-nc.csv"


def test_a_failure_holds_the_name_as_long_as_its_file_is_there(namesakes, tmp_path) -> None:
    from friedel.result_names import result_names

    out = tmp_path / "res"
    misspelt = tmp_path / "gg" / "m1.nc"
    friedel.detect_many([misspelt], out, settings=SETTINGS)
    assert (out / "m1.failed.json").exists()
    assert result_names([namesakes[1], misspelt], out) == ["m1-nc", "m1"]
    assert result_names([namesakes[1]], out) == ["m1"]
    misspelt.parent.mkdir()
    misspelt.write_text("no grid")
    assert result_names([namesakes[1]], out) == ["m1-nc"]


def test_progress_tells_files_of_one_name_apart(namesakes, tmp_path, capsys) -> None:
    from friedel.cli import main

    words = ["detect", *map(str, namesakes), str(tmp_path / "g" / "o" / ".." / "m1.nc")]
    out = tmp_path / "res"
    assert main([*words, "--material", "au111", "--method", "matched-field", "-o", str(out)]) == 0
    told = capsys.readouterr().out
    g, o = Path("g", "m1.nc"), Path("o", "m1.nc")
    assert f"[1/2] {g}: " in told and f"[2/2] {o}: " in told
    page = (out / "summary.html").read_text(encoding="utf-8")
    assert f">{g}</a>" in page and f">{o}</a>" in page


def test_tables_of_an_older_version_keep_their_names(namesakes, tmp_path, monkeypatch) -> None:
    """They tell the file as it was given, and no absolute path."""
    import json

    from friedel.result_names import fingerprint, result_names

    out = tmp_path / "res"
    out.mkdir()
    for name, path in zip(("m1-nc", "m1-nc-2"), namesakes, strict=True):
        made = {"job": {}, "file": {"name": str(path), "sha256": fingerprint(path)["sha256"]}}
        (out / f"{name}.csv").write_text(f"# provenance: {json.dumps(made)}\nrow,column\n", encoding="utf-8")
    assert result_names(namesakes[::-1], out) == ["m1-nc-2", "m1-nc"]
    monkeypatch.chdir(tmp_path)
    relative = [path.relative_to(tmp_path) for path in namesakes]
    assert result_names(relative, out) == ["m1-nc", "m1-nc-2"]
