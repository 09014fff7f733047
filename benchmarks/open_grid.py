"""How long a large Nanonis grid takes to open, against a plain read of the same bytes.

Writes 256 × 256 spectra of 200 points in two channels (107 MB) to a temporary folder and prints, as the median of
several rounds with the file in the system's cache:

- opening, without the data;
- the first bias plane;
- one whole channel as native float32 of shape (bias, y, x);
- for comparison: `numpy.fromfile`, byte swap and transposition of that channel.

Run: ``python benchmarks/open_grid.py [--pixels 256] [--points 200] [--rounds 5]``
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from friedel.io import open_stack

PARAMETERS = 10


def write(path: Path, pixels: int, points: int) -> int:
    """Write the grid; returns the number of bytes before the data."""
    header = "\r\n".join(
        [
            f'Grid dim="{pixels} x {pixels}"',
            "Grid settings=0;0;1E-7;1E-7;0",
            'Sweep Signal="Bias (V)"',
            'Fixed parameters="Sweep Start;Sweep End"',
            'Experiment parameters="X (m);Y (m);Z (m);a;b;c;d;e"',
            f"# Parameters (4 byte)={PARAMETERS}",
            f"Experiment size (bytes)={8 * points}",
            f"Points={points}",
            'Channels="Current (A);LIX 1 omega (A)"',
            ":HEADER_END:\r\n",
        ]
    ).encode()
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(header)
        for _ in range(pixels):
            rows = rng.normal(size=(pixels, PARAMETERS + 2 * points)).astype(">f4")
            rows[:, :2] = -0.2, 0.2
            file.write(rows.tobytes())
    return len(header)


def plain(path: Path, offset: int, pixels: int, points: int) -> np.ndarray:
    """Read, swap and transpose the second channel without any of this package."""
    data = np.fromfile(path, ">f4", offset=offset).reshape(pixels, pixels, -1)
    channel = data[:, :, PARAMETERS + points :].astype(np.float32)
    return np.ascontiguousarray(channel.transpose(2, 0, 1))


def median(work: Callable[[], object], rounds: int) -> float:
    """Median time [s] of `work`."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pixels", type=int, default=256)
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.3ds"
        offset = write(path, args.pixels, args.points)
        expected = plain(path, offset, args.pixels, args.points)
        ours = open_stack(path)["LIX 1 omega"].to_numpy()
        assert np.array_equal(ours, expected) and ours.dtype == np.float32
        del ours, expected
        opened = median(lambda: open_stack(path), args.rounds)
        plane = median(
            lambda: open_stack(path)["LIX 1 omega"].isel(bias=args.points // 2).to_numpy(), args.rounds
        )
        # Taken in turns, so that a busy machine slows both alike.
        pairs = [
            (
                median(lambda: open_stack(path)["LIX 1 omega"].to_numpy(), 1),
                median(lambda: plain(path, offset, args.pixels, args.points), 1),
            )
            for _ in range(args.rounds)
        ]
        whole, reference = np.median(np.array(pairs), axis=0)
        print(f"file                {path.stat().st_size / 1e6:8.1f} MB")
        print(f"open                {opened * 1e3:8.1f} ms")
        print(f"open and one plane  {plane * 1e3:8.1f} ms")
        print(f"open and one channel{whole * 1e3:8.1f} ms")
        print(f"numpy alone         {reference * 1e3:8.1f} ms   ratio {whole / reference:.2f}")


if __name__ == "__main__":
    main()
