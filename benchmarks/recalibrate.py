"""Calibrate a trained `friedel` model anew, with another number of test-time augmentations; its weights stay.

    python benchmarks/recalibrate.py --n-augment 4 --jobs 2 -o new.safetensors

Probability, threshold and scale of σ come from the scenes and confounders of the model's own header, as at the end of
its training. The header names the model that was calibrated anew.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

from friedel import load_model, save_model
from friedel._util.work import HERE, Work, process_pool
from friedel.physics.scene import SceneConfig
from friedel.training.calibrate_friedel import calibrate_wave
from friedel.training.confounder_config import ConfounderConfig


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default="friedel")
    parser.add_argument("--n-augment", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    model = load_model(args.model, "cpu")
    network = model.network
    network.config = replace(network.config, n_augment=args.n_augment)
    given = model.header["training"]
    scene = {name: value for name, value in given["scene"].items() if name != "kind"}
    setting = _made(SceneConfig, scene), "cpu", _made(ConfounderConfig, given["confounders"])
    if args.jobs == 1:
        found = calibrate_wave(network, *setting, work=HERE)
    else:
        with process_pool(args.jobs) as pool:
            found = calibrate_wave(network, *setting, work=Work(pool))
    header = {name: value for name, value in model.header.items() if name not in ("format", "name")}
    header |= found | {"config": asdict(network.config), "calibrated_from": model.sha256}
    print(save_model(args.output, network, header), found)


def _made(kind: type, values: dict[str, object]) -> object:
    return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


if __name__ == "__main__":
    main()
