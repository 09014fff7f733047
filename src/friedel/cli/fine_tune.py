"""`friedel fine-tune FILE -o MODEL`: retrain a model on your sample with the confidence regulariser."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friedel.cli.common import add_dispersion, add_input, area
from friedel.finetuning.config import FineTuneConfig

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Retrain a model on your sample: L = L0 + alpha * L_reg, where L0 is the loss on simulated patches with your "
        "sample's dispersion, pixel and noise, and L_reg the entropy of the prediction on your own maps "
        "(arXiv 2006.15898, Eq. 4). The best state on a held-out set is written; no model is ever overwritten."
    )
    parser.add_argument("file", metavar="FILE", help="dI/dV stack: a file or a folder")
    parser.add_argument(
        "-o", "--output", required=True, metavar="MODEL", help="model to write (.safetensors)"
    )
    parser.add_argument("--model", default="friedel", metavar="NAME|PATH", help="parent (default: friedel)")
    parser.add_argument(
        "--reference",
        metavar="MAP",
        help="known impurities, for the curve of agreement only: a table of points, a bound-state map "
        "(.nc, .gsf), or the name of an image in FILE",
    )
    parser.add_argument(
        "--alpha", type=float, default=0.03, help="weight of L_reg; 0 is plain L0 (default 0.03)"
    )
    parser.add_argument("--learning-rate", type=float, metavar="LR", help="of the optimiser (default 3e-4)")
    parser.add_argument(
        "--epochs", type=int, default=FineTuneConfig.epochs, help="of 50 steps each (default %(default)s)"
    )
    parser.add_argument(
        "--noise", type=float, metavar="ETA", help="noise of the simulated patches (default: measured)"
    )
    parser.add_argument("--voltages", type=int, default=16, help="voltages a step sees (default 16)")
    parser.add_argument("--batch", type=int, default=16, help="patches of 20x20 px a step (default 16)")
    parser.add_argument(
        "--added", metavar="POINTS", help="table of points that are impurities, to learn from"
    )
    parser.add_argument("--removed", metavar="POINTS", help="table of points that are none, to learn from")
    parser.add_argument("--channel", help="dI/dV channel (default: the lock-in channel)")
    parser.add_argument("--area", type=area, metavar="R0:R1,C0:C1", help="part of the map (rows, columns)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default auto)")
    parser.add_argument(
        "--autosave", metavar="FILE", help="state written every few seconds (default: OUTPUT.autosave)"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the autosaved state")
    add_dispersion(parser)
    add_input(parser)


def run(args: argparse.Namespace) -> int:
    """Fine-tune, write the model, print before and after."""
    from friedel.cli.common import dispersion_of, open_input, run_with_bar
    from friedel.errors import ModelError
    from friedel.finetuning.tuner import FineTuneConfig, FineTuner
    from friedel.models.publish import reserved
    from friedel.models.registry import SUFFIX, load_model
    from friedel.training.trained import save_trained

    target = Path(args.output)
    target = target if target.suffix == SUFFIX else target.with_name(target.name + SUFFIX)
    if target.exists():
        raise ModelError(f"{target} exists already; a model is never overwritten, choose another name.")
    autosave = Path(args.autosave) if args.autosave else target.with_suffix(".autosave")
    if args.resume and not autosave.exists():
        raise ModelError(f"There is no autosaved fine-tuning at {autosave} to resume.")
    if autosave.exists() and not args.resume:
        raise ModelError(
            f"{autosave} holds an unfinished fine-tuning: go on with --resume or delete that file."
        )
    stack = open_input(args.file, args)
    settings: dict[str, Any] = {
        name: getattr(args, name)
        for name in ("alpha", "epochs", "noise", "voltages", "batch", "seed", "device")
    }
    if args.learning_rate is not None:
        settings["learning_rate"] = args.learning_rate
    config = FineTuneConfig(**settings, added=_points(args.added), removed=_points(args.removed))
    model = load_model(args.model, args.device)
    band = dispersion_of(args)
    if band is None:
        from friedel.dispersion_fit.fourier_ring import fit_dispersion

        band = fit_dispersion(stack).dispersion
        print(
            f"band fitted to the map's ring: E0 = {band.onset_mev:.0f} meV, m* = {band.mass:.3f}",
            file=sys.stderr,
        )
    tuner = FineTuner(
        model,
        stack,
        config,
        dispersion=band,
        reference=_reference(args.reference, stack),
        channel=args.channel,
        area=args.area,
        autosave=autosave,
    )
    if args.resume:
        tuner.restore(autosave)
    with reserved(target):
        tuned = run_with_bar(tuner.run(), "fine-tuning")
        save_trained(target, tuned.network, tuned.header)
    autosave.unlink(missing_ok=True)
    _print_change(tuned.header["fine_tune"]["before"], tuned.header["fine_tune"]["after"])
    print(target)
    return 0


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
    print(f"{'':32}{'before':>10}{'after':>10}")
    for key, title in titles.items():
        if key in before and key in after:
            print(f"{title:32}{before[key]:>10.3g}{after[key]:>10.3g}")
    if after.get("step") == 0:
        print("No state was better than the parent; the model written is the parent's, with this record.")
