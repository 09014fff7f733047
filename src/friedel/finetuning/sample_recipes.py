"""Simulated batches that look like the opened sample, for each architecture: the L₀ of a fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from friedel.errors import ModelError
from friedel.finetuning.noise_estimate import measure_noise
from friedel.physics.eq3 import FriedelConfig, scenes
from friedel.physics.instrument import correlated
from friedel.training.losses import prediction_loss
from friedel.training.patches import Batch, VoltageChoice, friedel_batch, normalise_maps

if TYPE_CHECKING:
    from collections.abc import Callable

    from friedel.finetuning.sample import Sample
    from friedel.models.friedel_net import WaveNet
    from friedel.models.registry import Model

#: Side [px] of the patches for the `friedel` network, whose matched field reaches 28 px.
WAVE_PATCH = 40
#: Of the noise in a map: beyond that, five times the waves, its measure does not tell how weak the waves are.
LARGEST_SHARE = 0.98


@dataclass(frozen=True)
class SampleRecipe:
    """Architecture-specific part of a fine-tuning: batches, loss, sizes.

    Parameters
    ----------
    batch, loss : callable
        ``batch(generator, device)`` and ``loss(network, batch) -> (tensor, values)``, as in a training recipe.
    held_out : callable
        As `batch`, of scenes that `batch` never gives.
    patch : int
        Side of the experimental patches [network px].
    patches : int
        Experimental patches per step.
    sample : Sample
        The sample, its voltages pooled where the network would pool them itself.
    voltages : int
        Voltages per step.
    noise : float
        η of the simulated batches, in the units of their simulator.
    """

    batch: Callable[[torch.Generator, torch.device], Any]
    loss: Callable[[nn.Module, Any], tuple[Tensor, dict[str, float]]]
    held_out: Callable[[torch.Generator, torch.device], Any]
    patch: int
    patches: int
    sample: Sample
    voltages: int
    noise: float


def sample_recipe(
    model: Model, sample: Sample, *, batch: int, voltages: int, noise: float | None
) -> SampleRecipe:
    """Make the `SampleRecipe` of a model and a sample.

    Parameters
    ----------
    model : Model
    sample : Sample
    batch : int
        Patches of 20×20 pixels per step; larger patches are fewer, for the same work.
    voltages : int
        Voltages per step, at most the sample's.
    noise : float or None
        η; measured on the sample if None. In units of the largest absolute value of an Eq. 3 map for the paper's
        network, of the waves' root mean square for the `friedel` network.

    Raises
    ------
    ModelError
        If the architecture cannot be fine-tuned.
    """
    architecture = model.header["architecture"]
    if architecture not in _MAKERS:
        raise ModelError(f"A model of the architecture {architecture!r} cannot be fine-tuned.")
    return _MAKERS[architecture](model, sample, batch, min(voltages, len(sample.k)), noise)


def _attention(model: Model, sample: Sample, batch: int, voltages: int, noise: float | None) -> SampleRecipe:
    """Eq. 3 scenes and L₀ of Eq. 2."""
    published = model.header.get("training", {}).get("scene", {})
    known = FriedelConfig.__dataclass_fields__
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in published.items()
        if name in known
    }
    scene = FriedelConfig(**settings)
    eta = _eq3_noise(scene, sample) if noise is None else noise
    scene, clean = replace(scene, noise=eta), replace(scene, noise=0.0)
    reach = sample.noise.correlation
    choice = VoltageChoice(tuple(sample.k.tolist()), (voltages, voltages))

    def make(generator: torch.Generator, device: torch.device) -> Batch:
        k = choice.draw(batch, generator)
        if any(reach):
            bare = scenes(clean, k, generator)
            noise = correlated(torch.randn(bare.maps.shape, generator=generator), *reach)
            # A symmetry is applied to the sample's patches, and to the fast axis with them.
            swapped = torch.rand(len(k), 1, 1, 1, generator=generator) < 0.5
            maps = bare.maps + eta * torch.where(swapped, noise.transpose(-2, -1), noise)
            made = Batch(normalise_maps(maps), k, torch.ones_like(bare.label), bare.label)
        else:
            made = friedel_batch(scene, k, generator)
        return Batch(*(tensor.to(device) for tensor in made))

    def loss(network: nn.Module, made: Batch) -> tuple[Tensor, dict[str, float]]:
        l0 = prediction_loss(network(made.maps, made.k, made.mask).s, made.label)
        return l0, {}

    return SampleRecipe(make, loss, make, scene.size, batch, sample, voltages, eta)


def _eq3_noise(scene: FriedelConfig, sample: Sample) -> float:
    """η that gives Eq. 3 maps the sample's share of noise: η / rms(clean) = share / √(1 − share²)."""
    k = sample.k[:: max(1, len(sample.k) // 8)].expand(32, -1)
    clean = scenes(replace(scene, noise=0.0), k, torch.Generator().manual_seed(0)).maps
    share = min(sample.noise.share, LARGEST_SHARE)
    return float(np.clip(clean.square().mean().sqrt().item() * share / np.sqrt(1 - share**2), 0.02, 1.5))


def _wave(model: Model, sample: Sample, batch: int, voltages: int, noise: float | None) -> SampleRecipe:
    """Multiple-scattering scenes and the localiser's loss."""
    from friedel.models.matched_field import pool_voltages
    from friedel.training.confounder_config import ConfounderConfig
    from friedel.training.recipe_friedel import WaveRecipe

    config = cast("WaveNet", model.network).config
    # More would be pooled by the network; pooled once is what detection sees.
    voltages = min(voltages, config.groups)
    maps, k = pool_voltages(sample.maps[None], sample.k[None], voltages)
    maps = normalise_maps(maps, sample.mask[None])
    measured = measure_noise(np.where(sample.mask.numpy() > 0, maps[0].numpy(), np.nan), k[0].numpy())
    pooled = replace(sample, maps=maps[0], k=k[0], noise=measured)
    share = min(measured.share, LARGEST_SHARE)
    eta = float(np.clip(share / np.sqrt(1 - share**2), 0.03, 3.0)) if noise is None else noise
    # The simulated patches are like the sample, with all its voltages; what confounds other samples has no place there.
    base = WaveRecipe(confounders=ConfounderConfig(share=0.0, split=0.0), sparse=0.0, fewer=0.0)
    low, high = float(k.min()), float(k.max())
    middle = (low * high) ** 0.5
    scene = replace(
        base.scene,
        size=WAVE_PATCH,
        voltages=voltages,
        k=(0.98 * middle, 1.02 * middle),
        k_ratio=(max(1.0, 0.98 * high / low), max(1.0, 1.02 * high / low)),
        noise=(0.7 * eta, 1.3 * eta),
        correlation=measured.correlation,
    )
    number = max(2, round(batch * 20**2 / WAVE_PATCH**2))
    experimental = max(1, number // 4)
    recipe = replace(base, scene=scene, network=config, batch_size=number - experimental, fresh=1, pool=200)
    patch = min(WAVE_PATCH, *sample.mask.shape)
    held_out = replace(recipe)  # with a pool of its own
    return SampleRecipe(recipe.batch, recipe.loss, held_out.batch, patch, experimental, pooled, voltages, eta)


_MAKERS = {"attention": _attention, "wave": _wave}
