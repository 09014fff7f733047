"""The default method on measured fields with known scatterers; nothing is told but the material.

python benchmarks/measured.py ../shared/data/measured -o benchmarks/results/measured.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from friedel.benchmark.measured import measured_table, read_measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("../shared/data/measured"))
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if not options.folder.is_dir():
        print(f"{options.folder} is absent; nothing is measured.")
        return
    table = measured_table(read_measured(options.folder))
    print(table.to_string(index=False, float_format="%.3f"))
    if options.output:
        table.to_csv(options.output, index=False, float_format="%.4f")


if __name__ == "__main__":
    main()
