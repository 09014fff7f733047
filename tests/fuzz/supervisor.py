"""The command ``python -m tests.fuzz --minutes 30``: random tries, each repeatable by its kind and number.

A try fails if it ends in anything but an answer or one sentence: another exception, a process that dies, more than
`LIMIT` seconds. Tries run in a child process that is started again after a death. The table of the counts is written
with ``-o FILE.csv``; the exit code is 1 if a try has failed. ``--kind model --only 17`` repeats one try.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing as mp
import random
import shutil
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz.tries import TRIES, warm_up

#: Seconds that a try may take; a busy machine needs some.
LIMIT = 60.0
#: Seconds that a child may take to start.
START = 600.0
Try = Callable[[random.Random, Path], str]


def once(attempt: Try, kind: str, number: int) -> tuple[str, str]:
    """Do one try: what came of it, and for a failure what."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return attempt(random.Random(f"{kind} {number}"), folder), ""
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return (
            "failed",
            f"{type(error).__name__}: {str(error)[:300]} ({Path(last.filename).name}:{last.lineno})",
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def work(pipe: Any, kind: str, attempt: Try | None = None) -> None:
    """In the child: do the tries whose numbers come through the pipe, after a word that all is ready."""
    if attempt is None:
        warm_up()
        attempt = TRIES[kind][0]
    pipe.send(("ready", ""))
    while True:
        pipe.send(once(attempt, kind, pipe.recv()))


def run(
    kind: str, seconds: float, first: int = 0, attempt: Try | None = None, limit: float = LIMIT
) -> dict[str, Any]:
    """Do tries of one kind for so long.

    Returns
    -------
    dict
        `kind`, `tries`, `accepted`, `refused`, `failed`, `seconds`, and `failures`, a list of (number, what).
    """
    context = mp.get_context("spawn")
    counts: Counter[str] = Counter()
    deaths = 0
    failures: list[tuple[int, str]] = []
    child = pipe = None
    ready, waited = False, 0.0
    number, started = first, time.monotonic()
    while time.monotonic() - started < seconds:
        if child is None:
            pipe, other = context.Pipe()
            waited = time.monotonic()  # a start is not counted: a busy machine takes a minute for it
            child = context.Process(target=work, args=(other, kind, attempt), daemon=False)
            child.start()
            other.close()
            ready = False
        try:
            if not ready:
                if not pipe.poll(START):
                    raise EOFError
                pipe.recv()
                ready = True
                started += time.monotonic() - waited
            pipe.send(number)
            if pipe.poll(limit):
                result, what = pipe.recv()
            else:
                result, what = "failed", f"no answer within {limit:g} s"
                child.kill()
        except (EOFError, OSError):
            child.join(10)
            result, what = "failed", f"the process died (exit code {child.exitcode})"
            deaths += 1
        else:
            deaths = 0
        if what and ("no answer" in what or "died" in what):
            child.join(10)
            child = None
        counts[result] += 1
        if result == "failed":
            failures.append((number, what))
        if deaths == 5:  # the fuzzer itself does not run
            break
        number += 1
    if child is not None:
        child.kill()
    spent = round(time.monotonic() - started, 1)
    names = ("accepted", "refused", "failed")
    return {
        "kind": kind,
        "tries": sum(counts.values()),
        **{name: counts[name] for name in names},
        "seconds": spent,
        "failures": failures,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--kind", choices=sorted(TRIES), action="append", help="these only (default: all)")
    parser.add_argument("--first", type=int, default=int(time.time()), help="number of the first try")
    parser.add_argument(
        "--only", type=int, metavar="NUMBER", help="repeat one try of the kind, in this process"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="table of the counts (.csv)")
    args = parser.parse_args()
    kinds = args.kind or list(TRIES)
    if args.only is not None:
        print(*(f"{kind} {args.only}: {once(TRIES[kind][0], kind, args.only)}" for kind in kinds), sep="\n")
        return 0
    whole = sum(TRIES[kind][1] for kind in kinds)
    rows = []
    for kind in kinds:
        rows.append(run(kind, 60 * args.minutes * TRIES[kind][1] / whole, args.first))
        failures = rows[-1].pop("failures")
        print(*(f"{name} {value}" for name, value in rows[-1].items()), sep="  ", flush=True)
        for number, what in failures:
            print(f"  python -m tests.fuzz --kind {kind} --only {number}   # {what}", flush=True)
    if args.output:
        with args.output.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return int(any(row["failed"] for row in rows))
