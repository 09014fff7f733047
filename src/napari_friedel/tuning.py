"""A fine-tuning as the dock sees it: what it starts from, its unfinished state on disk, before and after."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from friedel._util.atomic_write import write_beside
from friedel.progress import Progress
from napari_friedel.layers import results
from napari_friedel.layers.info import ImpuritiesInfo, known
from napari_friedel.layers.stack_layers import file_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from friedel.physics.dispersion import Dispersion


class _Events:
    """`models_changed` is emitted with a model's name, when one was saved or shall be chosen."""

    models_changed = Signal(str)


EVENTS = _Events()


def autosave_path() -> Path:
    """Where the state of the running fine-tuning is kept, beside the user's models."""
    from friedel.models.registry import user_folder

    return user_folder() / "unfinished" / "fine-tune.pt"


@dataclass
class Session:
    """One fine-tuning: settings, the tuner while it lives, and the model that came out."""

    stack: Any
    channel: str
    model: str
    dispersion: Dispersion
    settings: dict[str, Any]
    reference: Any = None
    restore: bool = False
    tuner: Any = None
    result: Any = None
    before: Any = field(default=None, repr=False)

    def run(self) -> Generator[Progress, None, Any]:
        """Train, from the start or from where it was stopped; gives the best model so far."""
        yield Progress(0.0, "measuring the sample's noise")
        from friedel.finetuning.tuner import FineTuneConfig, FineTuner

        if self.tuner is None:
            path = autosave_path()
            path.parent.mkdir(parents=True, exist_ok=True)
            tuner = FineTuner(
                self.model,
                self.stack,
                FineTuneConfig(**self.settings),
                dispersion=self.dispersion,
                reference=self.reference,
                channel=self.channel,
                autosave=path,
            )
            if self.restore:
                tuner.restore(path)
            else:
                path.unlink(missing_ok=True)
            self._describe(path)
            self.tuner = tuner
        yield Progress(self.tuner.step / max(self.tuner.config.steps, 1), "training")
        return (yield from self.tuner.run())

    def finish(self) -> Generator[Progress, None, Any]:
        """Give the best state of a run that was cancelled."""
        yield Progress(0.0, "calibrating the best state")
        return self.tuner.best()

    def compare(self, model: Any) -> Generator[Progress, None, tuple[Any, Any]]:
        """Detect with the parent (unless that was done before) and with `model`."""
        from friedel.pipeline import iter_detect

        options = {"channel": self.channel, "dispersion": self.dispersion, "device": self.settings["device"]}
        before = self.before
        if before is None:
            before = yield from iter_detect(self.stack, model=self.tuner.parent, **options)
        after = yield from iter_detect(self.stack, model=model, **options)
        return before, after

    def _describe(self, path: Path) -> None:
        """Write beside the state what it belongs to, so that it can be offered without loading torch."""
        text = {
            "source": file_of(self.stack) or str(self.stack.attrs.get("source", "")),
            "model": self.model,
            "dispersion": asdict(self.dispersion),
            "settings": self.settings,
        }
        with write_beside(path.with_suffix(".json")) as beside:
            beside.write_text(json.dumps(text, indent=1), encoding="utf-8")


def keep(model: Any, name: str) -> Path:
    """Save a fine-tuned model under `name` in the user's folder; never overwrites.

    Raises
    ------
    ModelError
        If the name is taken or cannot be used.
    """
    from friedel.models.registry import save_model, user_path

    return save_model(user_path(name), model.network, {**model.header, "name": name})


def unfinished() -> dict[str, Any] | None:
    """What a fine-tuning that did not end well has left behind, or None."""
    path = autosave_path()
    try:
        found = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if path.exists() and isinstance(found, dict) and "settings" in found else None


def forget_unfinished() -> None:
    """Remove the state on disk: the fine-tuning was kept or thrown away."""
    for path in (autosave_path(), autosave_path().with_suffix(".json")):
        path.unlink(missing_ok=True)


def corrections(points: Any) -> dict[str, list[list[float]]]:
    """Points that the user added (or moved) and removed, as settings of the fine-tuning."""
    if points is None:
        return {"added": [], "removed": []}
    by_hand = points.features["origin"].isin(results.BY_HAND).to_numpy()
    return {
        "added": np.asarray(points.data, dtype=float)[by_hand].tolist(),
        "removed": [list(p) for p in known(points, ImpuritiesInfo).removed],
    }


def table(model: Any) -> list[tuple[str, str, str]]:
    """Rows (name, before, after) from what the tuned model's header tells."""
    record = model.header.get("fine_tune", {})
    before, after = record.get("before", {}), record.get("after", {})
    names = {
        "entropy": ("entropy (nat)", ".3f"),
        "held_out_L0": ("L₀, held out", ".3f"),
        "peaks": ("impurities", ".0f"),
        "agreement": ("reference found", ".3f"),
        "f1": ("F1", ".3f"),
    }
    return [
        (text, format(before[key], form), format(after[key], form))
        for key, (text, form) in names.items()
        if key in before and key in after
    ]
