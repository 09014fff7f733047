"""`friedel benchmark`: every method on the standard scenes, one table, one picture."""

from __future__ import annotations

import click

from friedel.cli.common import run_with_bar, set_threads
from friedel.cli.options import FriedelCommand, from_settings
from friedel.cli.output import say
from friedel.settings import BenchmarkSettings, ComputeSettings


@click.command(
    cls=FriedelCommand,
    epilog="Example: friedel benchmark --seeds 2 --scenes unlike-60,empty --methods log,friedel -o results. What is "
    "in the folder already is not run again. The scenes are fixed and never trained on.",
)
@click.option("-o", "--output", default="benchmark", metavar="FOLDER", show_default=True, help="Results.")
@from_settings("settings", BenchmarkSettings)
@from_settings("compute", ComputeSettings)
@click.option("--calibration", is_flag=True, help="Also reliability, coverage of σ, false points.")
@click.option("--no-bound", is_flag=True, help="Leave the Cramér-Rao bound out (faster).")
@click.option("--report-only", is_flag=True, help="Run nothing, work the figures out again.")
@click.option(
    "--measured", metavar="FOLDER", help="Instead: the measured fields (.npz) of this folder, one table."
)
@click.option("--list", "only_list", is_flag=True, help="Name the scenes and stop.")
def command(
    output: str,
    settings: BenchmarkSettings,
    compute: ComputeSettings,
    calibration: bool,
    no_bound: bool,
    report_only: bool,
    measured: str | None,
    only_list: bool,
) -> int:
    """Score every method on the standard scenes: run what is missing, then write the report."""
    from friedel.benchmark.report import markdown, waves_alone, write_report
    from friedel.benchmark.run import iter_benchmark
    from friedel.benchmark.scenes import SCENES

    if only_list:
        for name, one in SCENES.items():
            say(f"{name:20} {one.title} (within {one.tolerance_px:.2g} px)")
        return 0
    set_threads(compute.threads)
    if measured is not None:
        from friedel.benchmark.measured import measured_table, read_measured

        say(measured_table(read_measured(measured)).to_string(index=False))
        return 0
    scenes = list(SCENES) if settings.scenes == ("all",) else list(settings.scenes)
    if not report_only:
        work = iter_benchmark(
            output, scenes, list(settings.methods), range(settings.seeds), bound=not no_bound
        )
        run_with_bar(work, "benchmark")
    table = write_report(output)
    say(markdown(table), end="")
    falls = waves_alone(table)
    if len(falls):
        say("\nFrom the waves alone, F1 at the default threshold falls by:")
        for row in falls[falls["fall"].notna()].itertuples():
            say(f"  {row.scene:12} {row.method:14} {row.fall:+.3f}")
    if calibration:
        from friedel.benchmark.reliability import write_calibration

        say("\nCalibration:")
        for result in write_calibration(output):
            say(
                f"  {result.method:14} expected calibration error {result.expected_calibration_error:.3f}, "
                f"within 1σ {result.coverage:.2f}, false points an empty 80×80 field {result.false_points:.2f}"
            )
    return 0
