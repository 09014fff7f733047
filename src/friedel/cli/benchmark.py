"""`friedel benchmark`: every method on the standard scenes, one table, one picture."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = (
        "Example: friedel benchmark --seeds 2 --scenes unlike-60,empty --methods log,friedel -o results. What is in "
        "the folder already is not run again. The scenes are fixed and never trained on."
    )
    parser.add_argument(
        "-o", "--output", default="benchmark", metavar="FOLDER", help="results (default: benchmark)"
    )
    parser.add_argument(
        "--seeds", type=int, default=10, metavar="N", help="fields a scene, numbers 0 to N−1 (default 10)"
    )
    parser.add_argument("--scenes", type=_names, metavar="A,B", help="names, or `all` (default: all)")
    parser.add_argument(
        "--methods",
        type=_names,
        default=["log", "matched-field", "omp", "paper", "friedel"],
        metavar="A,B",
        help="log, matched-field, omp, omp-each (every map fitted by itself; slow), friedel-network (without the quick "
        "refit), friedel+refit (with the full one), or a model's name or file "
        "(default: log,matched-field,omp,paper,friedel)",
    )
    parser.add_argument(
        "--calibration", action="store_true", help="also reliability, coverage of σ, false points"
    )
    parser.add_argument("--no-bound", action="store_true", help="leave the Cramér-Rao bound out (faster)")
    parser.add_argument("--report-only", action="store_true", help="run nothing, work the figures out again")
    parser.add_argument(
        "--measured", metavar="FOLDER", help="instead: the measured fields (.npz) of this folder, one table"
    )
    parser.add_argument("--threads", type=int, help="threads of the networks (default: all)")
    parser.add_argument("--list", action="store_true", help="name the scenes and stop")


def run(args: argparse.Namespace) -> int:
    """Run what is missing, then write the report."""
    from friedel.benchmark.report import markdown, waves_alone, write_report
    from friedel.benchmark.run import iter_benchmark
    from friedel.benchmark.scenes import SCENES
    from friedel.cli.common import run_with_bar
    from friedel.errors import FriedelError

    if args.list:
        for name, one in SCENES.items():
            print(f"{name:20} {one.title} (within {one.tolerance_px:.2g} px)")
        return 0
    if args.measured:
        from friedel.benchmark.measured import measured_table, read_measured

        print(measured_table(read_measured(args.measured)).to_string(index=False))
        return 0
    if args.seeds < 1:
        raise FriedelError("--seeds must be at least 1.")
    if args.threads is not None:
        if args.threads < 1:
            raise FriedelError("--threads must be at least 1.")
        import torch

        torch.set_num_threads(args.threads)
    scenes = list(SCENES) if args.scenes in (None, ["all"]) else args.scenes
    if not args.report_only:
        work = iter_benchmark(args.output, scenes, args.methods, range(args.seeds), bound=not args.no_bound)
        run_with_bar(work, "benchmark")
    table = write_report(args.output)
    print(markdown(table), end="")
    falls = waves_alone(table)
    if len(falls):
        print("\nFrom the waves alone, F1 at the default threshold falls by:")
        for row in falls[falls["fall"].notna()].itertuples():
            print(f"  {row.scene:12} {row.method:14} {row.fall:+.3f}")
    if args.calibration:
        from friedel.benchmark.reliability import write_calibration

        print("\nCalibration:")
        for result in write_calibration(args.output):
            print(
                f"  {result.method:14} expected calibration error {result.expected_calibration_error:.3f}, "
                f"within 1σ {result.coverage:.2f}, false points an empty 80×80 field {result.false_points:.2f}"
            )
    return 0


def _names(text: str) -> list[str]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names:
        raise argparse.ArgumentTypeError("at least one name is needed")
    return list(dict.fromkeys(names))
