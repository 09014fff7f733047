"""`friedel fine-tune FILE -o MODEL`: retrain a model on your sample with the confidence regulariser."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from friedel.cli.common import check_model_output, naming_unfinished, open_input, run_with_bar
from friedel.cli.options import FriedelCommand, from_settings
from friedel.cli.output import say, tell
from friedel.errors import ModelError
from friedel.settings import BandSettings, FineTuneSettings, ImportSettings, SampleSettings

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from friedel.physics.dispersion import Dispersion


@dataclass(frozen=True)
class _Given:
    """What the command line names beside the settings: files, and whether to go on.

    Parameters
    ----------
    file, output : str
    reference, added, removed, autosave : str or None
    resume : bool
    """

    file: str
    output: str
    reference: str | None
    added: str | None
    removed: str | None
    autosave: str | None
    resume: bool


@dataclass(frozen=True)
class _Files:
    """The model to write, and the state of the unfinished fine-tuning."""

    target: Path
    autosave: Path


@click.command(cls=FriedelCommand)
@click.argument("file")
@click.option("-o", "--output", required=True, metavar="MODEL", help="Model to write (.safetensors).")
@click.option(
    "--reference", metavar="MAP",
    help="Known impurities, for the curve of agreement only: a table of points, a bound-state map (.nc, .gsf), or the "
    "name of an image in FILE.",
)  # fmt: skip
@click.option("--added", metavar="POINTS", help="Table of points that are impurities, to learn from.")
@click.option("--removed", metavar="POINTS", help="Table of points that are none, to learn from.")
@click.option(
    "--autosave", metavar="FILE", help="State written every few seconds (default: OUTPUT.autosave)."
)
@click.option("--resume", is_flag=True, help="Go on from the autosaved state.")
@from_settings("settings", FineTuneSettings)
@from_settings("sample", SampleSettings)
@from_settings("axes", ImportSettings, section="Axes, for files that do not hold them")
def command(
    settings: FineTuneSettings, sample: SampleSettings, axes: ImportSettings, **arguments: Any
) -> int:
    """Retrain a model on your sample.

    The loss is L = L0 + alpha * L_reg: L0 is the loss on simulated patches with your sample's dispersion, pixel and
    noise, L_reg the entropy of the prediction on your own maps (arXiv 2006.15898, Eq. 4). FILE is a dI/dV stack, a file
    or a folder. The best state on a held-out set is written; no model is ever overwritten.
    """
    given = _Given(**arguments)
    files = _files(given)
    from friedel.finetuning.tuner import FineTuner
    from friedel.models.publish import reserved
    from friedel.models.registry import load_model
    from friedel.training.trained import save_trained

    stack = open_input(given.file, axes)
    settings = replace(settings, added=_points(given.added), removed=_points(given.removed))
    tuner = FineTuner(
        load_model(sample.model, settings.device),
        stack,
        settings,
        dispersion=_given_or_fitted(sample.band, stack),
        reference=_reference(given.reference, stack),
        channel=sample.channel,
        area=sample.area,
        autosave=files.autosave,
    )
    if given.resume:
        tuner.restore(files.autosave)
    with naming_unfinished(files.autosave), reserved(files.target):
        tuned = run_with_bar(tuner.run(), "fine-tuning")
        save_trained(files.target, tuned.network, tuned.header)
    files.autosave.unlink(missing_ok=True)
    _print_change(tuned.header["fine_tune"]["before"], tuned.header["fine_tune"]["after"])
    say(files.target)
    return 0


def _files(given: _Given) -> _Files:
    """Refuse what cannot be written or resumed, before anything is computed."""
    from friedel.models.model_file import SUFFIX

    check_model_output(given.output)
    target = Path(given.output)
    target = target if target.suffix == SUFFIX else target.with_name(target.name + SUFFIX)
    if target.exists():
        raise ModelError(f"{target} exists already; a model is never overwritten, choose another name.")
    kept = Path(given.autosave) if given.autosave else target.with_suffix(".autosave")
    if given.resume and not kept.exists():
        raise ModelError(f"There is no autosaved fine-tuning at {kept} to resume.")
    if kept.exists() and not given.resume:
        raise ModelError(
            f"{kept} holds an unfinished fine-tuning: resume it, or delete that file.", settings="resume"
        )
    return _Files(target, kept)


def _given_or_fitted(settings: BandSettings, stack: xr.Dataset) -> Dispersion:
    """The band that was given, or that of the map's ring."""
    from friedel.physics.dispersion import resolve

    band = resolve(settings)
    if band is None:
        from friedel.prepare.band import fit_dispersion

        band = fit_dispersion(stack).dispersion
        tell(f"band fitted to the map's ring: E0 = {band.onset_mev:.0f} meV, m* = {band.mass:.3f}")
    return band


def _points(path: str | None) -> tuple[tuple[float, float], ...]:
    if path is None:
        return ()
    from friedel.io.points import read_points

    return tuple(zip(*(read_points(path)[name].astype(float) for name in ("row", "column")), strict=True))


def _reference(given: str | None, stack: xr.Dataset) -> np.ndarray | None:
    """Positions (row, column) in the stack of a table, a map, or an image of the stack itself."""
    if given is None:
        return None
    from friedel.errors import StackError
    from friedel.reference import bound_state_positions
    from friedel.stack import image_names, pixel_pitch

    pitch = pixel_pitch(stack)[1]
    if given in image_names(stack):
        table = bound_state_positions(stack[given].to_numpy(), pixel_nm=pitch)
    elif Path(given).suffix.lower() in (".nc", ".gsf"):
        from friedel.io.maps import read_map

        image = read_map(given)
        if image.shape != (stack.sizes["y"], stack.sizes["x"]):
            raise StackError(
                f"The reference map {given} has {image.shape[0]}×{image.shape[1]} pixels, the stack "
                f"{stack.sizes['y']}×{stack.sizes['x']}; register it to the stack first."
            )
        table = bound_state_positions(image.to_numpy(), pixel_nm=pitch)
    else:
        from friedel.io.points import read_points

        table = read_points(given)
    return table[["row", "column"]].to_numpy(dtype=float)


def _print_change(before: dict[str, float], after: dict[str, float]) -> None:
    titles = {
        "held_out_L0": "L0 on held-out simulations",
        "entropy": "entropy on the sample [nat]",
        "peaks": "impurities found on the sample",
        "agreement": "agreement with the reference",
        "f1": "F1 against the reference",
    }
    say(f"{'':32}{'before':>10}{'after':>10}")
    for key, title in titles.items():
        if key in before and key in after:
            say(f"{title:32}{before[key]:>10.3g}{after[key]:>10.3g}")
    if after.get("step") == 0:
        say("No state was better than the parent; the model written is the parent's, with this record.")
