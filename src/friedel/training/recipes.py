"""What can be trained: `paper` is Eq. 3 scenes for the paper's network; `friedel` is the default model's recipe."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from friedel._util.work import HERE, Work
from friedel.errors import ModelError
from friedel.models.paper_net import AttentionConfig, AttentionNetwork
from friedel.physics.eq3 import FriedelConfig, paper_k
from friedel.training.losses import prediction_loss
from friedel.training.patches import Batch, VoltageChoice, friedel_batch

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Name → "module:function" that makes the recipe from keyword settings.
RECIPES: dict[str, str] = {
    "paper": "friedel.training.recipes:paper",
    "friedel": "friedel.training.recipe_friedel:recipe",
}


def get_recipe(name: str, **settings: Any) -> Any:
    """Make a recipe by its name.

    Raises
    ------
    ModelError
        If there is no such recipe, or it does not take these settings.
    """
    if name not in RECIPES:
        raise ModelError(f"There is no recipe {name!r}; there are {', '.join(RECIPES)}.")
    module, function = RECIPES[name].split(":")
    try:
        return getattr(import_module(module), function)(**settings)
    except TypeError as error:
        if found := re.search(r"unexpected keyword argument '(\w+)'", str(error)):
            raise ModelError(f"The recipe {name!r} has no setting {found[1]!r}.") from error
        raise ModelError(f"The recipe {name!r} does not take these settings: {error}.") from error


@dataclass(frozen=True)
class PaperRecipe:
    """Eq. 3 scenes, the attention network, L₀ of Eq. 2.

    Parameters
    ----------
    network : AttentionConfig
    scene : FriedelConfig
        Its `noise` is the usual η, and the largest.
    voltages : VoltageChoice
        Which of the paper's 126 wavevectors a step uses.
    least_noise : float
        Half of the batches have ``scene.noise``, the others one η each, uniform between this and that: a network
        that knows strong noise only is overconfident on quieter data, and starts to learn more slowly.
    maps : int
        Patches times voltages in a batch; a step costs the same whatever the number of voltages.
    learning_rate, weight_decay : float
        Of AdamW.
    """

    network: AttentionConfig = field(default_factory=lambda: AttentionConfig(inner_product="global"))
    scene: FriedelConfig = field(default_factory=FriedelConfig)
    voltages: VoltageChoice = field(
        default_factory=lambda: VoltageChoice(tuple(paper_k().tolist()), (8, 48), (0.95, 1.05))
    )
    least_noise: float = 0.05
    maps: int = 256
    learning_rate: float = 8e-3
    weight_decay: float = 1e-4
    name: str = "paper"

    def make_network(self) -> nn.Module:
        """Make an untrained network."""
        return AttentionNetwork(self.network)

    def batch(self, generator: torch.Generator, device: torch.device) -> Batch:
        """Make one batch of Eq. 3 scenes."""
        low, high = self.voltages.number
        number = int(torch.randint(low, high + 1, (1,), generator=generator))
        choice = VoltageChoice(self.voltages.k, (number, number), self.voltages.stretch)
        k = choice.draw(max(1, self.maps // number), generator)
        quieter, share = torch.rand(2, generator=generator).tolist()
        eta = self.scene.noise
        if quieter < 0.5:
            eta = self.least_noise + (self.scene.noise - self.least_noise) * share
        return friedel_batch(FriedelConfig(**{**asdict(self.scene), "noise": eta}), k, generator).to(device)

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """L₀ of Eq. 2."""
        l0 = prediction_loss(network(batch.maps, batch.k, batch.mask).s, batch.label)
        return l0, {"L0": l0.item()}

    def header(self) -> dict[str, Any]:
        """Header of the trained model."""
        return {
            "architecture": "attention",
            "config": self.network.as_dict(),
            "k_range": [round(k, 4) for k in self.voltages.k_range],
            "patch": self.scene.size,
            "training": {
                "scene": {**asdict(self.scene), "kind": "Eq. 3 of arXiv 2006.15898"},
                "voltages": list(self.voltages.number),
                "least_noise": self.least_noise,
                "maps_per_step": self.maps,
                "learning_rate": self.learning_rate,
                "weight_decay": self.weight_decay,
            },
        }

    def calibrate(self, network: nn.Module, device: torch.device, work: Work = HERE) -> dict[str, Any]:
        """Probability and threshold from fresh validation scenes; they are few, so that this process does it."""
        del work
        from friedel.training.calibrate_paper import calibrate_on_scenes

        return calibrate_on_scenes(network, self.scene, self.voltages, device)


def paper(network: Mapping[str, Any] | None = None, **settings: Any) -> PaperRecipe:
    """Make the recipe of the bundled `paper` model."""
    return PaperRecipe(network=AttentionConfig(**{"inner_product": "global", **(network or {})}), **settings)
