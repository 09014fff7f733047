"""``friedel simulate``: a stack as from an instrument, whose impurities are known."""

from __future__ import annotations

from pathlib import Path

import click

from friedel.cli.common import check_output
from friedel.cli.options import FriedelCommand, from_settings, overwrite_option
from friedel.cli.output import say
from friedel.errors import StackError
from friedel.settings import SimulateSettings


@click.command(
    cls=FriedelCommand,
    epilog="Example: friedel simulate --material au111 --impurities 30 -o grid.nc. Where no band is given, it is "
    "Au(111). The voltages must lie inside the band: for Ag(111) give --bias, for example 20:240:4.",
)
@click.option("-o", "--out", required=True, help="OUT.nc; the truth is kept as its attributes.")
@from_settings("settings", SimulateSettings)
@overwrite_option()
def command(out: str, settings: SimulateSettings, overwrite: bool) -> int:
    """Write a simulated dI/dV stack with known impurities."""
    target = Path(out)
    if target.suffix.lower() not in (".nc", ".nc4"):
        raise StackError(
            f"{target}: a simulated stack is written as .nc; `friedel convert` makes other formats of it."
        )
    check_output(target, overwrite=overwrite)
    from friedel.io.export import write_stack
    from friedel.physics.dispersion import resolve
    from friedel.physics.simulate import simulate

    stack = simulate(
        resolve(settings.band) or "au111",
        shape=settings.shape,
        pixel_nm=settings.pixel_nm,
        bias_mv=settings.bias,
        impurities=settings.impurities,
        unlike=not settings.like,
        noise=settings.noise,
        drift_px=settings.drift_px,
        seed=settings.seed,
    )
    write_stack(stack, target)
    say(f"{target}: {len(stack.attrs['truth_x_nm'])} impurities, {stack.sizes['bias']} voltages")
    return 0
