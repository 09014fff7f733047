"""What a fine-tuning leaves behind: the header of its model, and the rules by which a saved state goes on."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import friedel
from friedel.errors import ModelError
from friedel.finetuning.validation import History, Validation
from friedel.training.checkpoint import different_settings

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from friedel.finetuning.config import FineTuneConfig
    from friedel.finetuning.sample import Sample
    from friedel.models.model import Model

#: Settings that may change when a fine-tuning goes on: they say how long and where, not what is learned.
FREE = ("epochs", "patience", "device", "preview")


def tuned_header(
    parent: Model, sample: Sample, config: FineTuneConfig, done: Mapping[str, Any]
) -> dict[str, Any]:
    """Header of a fine-tuned model: its parent's, with the sample and what was done.

    Parameters
    ----------
    parent : Model
    sample : Sample
    config : FineTuneConfig
    done : mapping
        Figures of the run: noise, steps, before and after.
    """
    return {
        **parent.header,
        "parent": parent.sha256,
        "parent_name": parent.name,
        "version": friedel.__version__,
        "sample": sample.provenance,
        "fine_tune": {**asdict(config), **done},
    }


def check_state(
    content: Mapping[str, Any],
    path: str | os.PathLike[str],
    parent: Model,
    sample: Sample,
    config: FineTuneConfig,
) -> None:
    """Refuse a saved state of another parent, another sample or other settings than those of `FREE`.

    Raises
    ------
    ModelError
    """
    if (content["parent"], content["sample"]) != (parent.sha256, sample.provenance):
        raise ModelError(f"The fine-tuning saved in {path} belongs to another model or sample.")
    kept, given = (
        {name: value for name, value in one.items() if name not in FREE}
        for one in (content["config"], asdict(config))
    )
    if other := different_settings(kept, given):
        raise ModelError(
            f"The fine-tuning saved in {path} has other settings ({'; '.join(other)}). "
            "Go on with the same ones, or begin a new one."
        )


def saved_history(content: Mapping[str, Any]) -> History:
    """Give the validations of a saved state; version 0.1 called a validation a look."""
    validations = content["validations"] if "validations" in content else content["looks"]
    index = content["best_index"] if "best_index" in content else content["best_look"]
    return History(content["best"], [Validation.of_figures(one) for one in validations], int(index))
