"""``friedel refit``: fit the waves of given points."""

from __future__ import annotations

from pathlib import Path

import click

from friedel.cli.common import check_output, open_input
from friedel.cli.options import FriedelCommand, from_settings, overwrite_option
from friedel.cli.output import say
from friedel.errors import PhysicsError
from friedel.io.written import POINTS, listed, points_format
from friedel.settings import ImportSettings, RefitSettings


@click.command(
    cls=FriedelCommand,
    epilog="Example: friedel refit grid.3ds by-hand.csv --material au111 -o fitted.csv. The points may come from "
    "anywhere: by hand, from another program, from a reference map.",
)
@click.argument("file")
@click.argument("points")
@click.option("-o", "--out", required=True, help=f"{listed(POINTS, 'OUT')}.")
@overwrite_option("Replace an existing table.")
@from_settings("settings", RefitSettings, section="Fit")
@from_settings("axes", ImportSettings, section="Axes, for files that do not hold them")
def command(
    file: str, points: str, out: str, overwrite: bool, settings: RefitSettings, axes: ImportSettings
) -> int:
    """Fit amplitude, phase shift, σ and Δχ² of given points.

    FILE is a grid of spectra or a folder that holds one; POINTS is a table with the columns row and column [px].
    """
    from friedel.given_points import refit_points
    from friedel.io.points import read_points, write_points
    from friedel.physics.dispersion import resolve

    band = resolve(settings.band)
    if band is None:
        raise PhysicsError(
            "Without a surface band there are no waves to fit: name the material, or give onset and mass.",
            settings=("material", "onset_mev", "mass"),
        )
    check_output(Path(out), overwrite=overwrite)
    points_format(Path(out))  # refused before anything is computed
    found = refit_points(
        open_input(file, axes),
        read_points(points),
        dispersion=band,
        channel=settings.channel,
        refit=settings.kind,
        hold=settings.hold,
    )
    write_points(found, out)
    fitted = int(found.table["probability"].notna().sum())
    say(f"{fitted} of {len(found.table)} points fitted, {len(found)} of them impurities: {out}")
    return 0
