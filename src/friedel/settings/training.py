"""Settings of a training and of a fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from friedel.errors import SettingsError
from friedel.settings.base import Settings, settings_of
from friedel.settings.detection import DEVICE
from friedel.settings.option import Option
from friedel.settings.simulation import SEED

Points = tuple[tuple[float, float], ...]

#: Threads of a processor; more than any machine has crash torch.
THREADS = Option(above=0, most=512, none="all cores", advanced=True)
_RATE = {"above": 0, "most": 1}


@dataclass(frozen=True)
class FineTuneSettings(Settings):
    """Settings of a fine-tuning.

    Parameters
    ----------
    alpha : float
        Weight α of L_reg; 0 gives plain L₀. The paper's value is 0.03.
    learning_rate : float
        Learning rate of Adam; constant after a short rise.
    epochs : int
        Epochs of the run. The default is that with which the gain was measured (docs: "Does fine-tuning help?").
    steps_per_epoch : int
        Steps per epoch.
    batch : int
        Patches per step. For the paper's network: so many of 20×20 pixels, simulated and experimental each. For the
        `friedel` network: as many pixels in patches of 40×40, simulated and experimental together.
    voltages : int
        Voltages per step, at most as many as the network keeps apart.
    noise : float
        Noise η of the simulated patches.
    seed : int
        The same seed gives the same random numbers.
    device : str
        Where the network runs: auto, cpu, cuda, cuda:0 or mps.
    added : tuple of (float, float)
        Points (row, column) of the stack that are impurities, to learn from; any sequence or array of pairs.
    removed : tuple of (float, float)
        Points (row, column) of the stack that are none, to learn from.
    correction_weight : float
        Weight of the corrected points' loss.
    check_every : int
        Steps between two validations: held-out set, whole field, reference.
    patience : int
        Validations without a better held-out loss after which the run stops.
    preview : bool
        Whether a validation also yields S over the field (``values["s"]``).
    """

    alpha: Annotated[float, Option(least=0, most=1e3)] = 0.03
    learning_rate: Annotated[float, Option(**_RATE, metavar="LR")] = 3e-4
    epochs: Annotated[int, Option(least=1, most=10_000)] = 1
    steps_per_epoch: Annotated[int, Option(least=1, most=100_000, advanced=True)] = 50
    batch: Annotated[int, Option(least=1, most=4096, advanced=True)] = 16
    voltages: Annotated[int, Option(least=1, most=100_000, advanced=True)] = 16
    noise: Annotated[
        float | None, Option(least=0, most=1000, none="measured on the sample", metavar="ETA", advanced=True)
    ] = None
    seed: Annotated[int, SEED] = 0
    device: Annotated[str, DEVICE] = "auto"
    added: Annotated[Points, Option(wanted="pairs (row, column) in pixels", parsed=False)] = ()
    removed: Annotated[Points, Option(wanted="pairs (row, column) in pixels", parsed=False)] = ()
    correction_weight: Annotated[float, Option(least=0, most=1e6, advanced=True)] = 1.0
    check_every: Annotated[int, Option(least=1, most=100_000, advanced=True)] = 25
    patience: Annotated[int, Option(least=1, most=100_000, advanced=True)] = 8
    preview: Annotated[bool, Option(advanced=True, parsed=False)] = False

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.steps_per_epoch


@dataclass(frozen=True)
class TrainSettings(Settings):
    """Settings of a training on simulated stacks.

    Parameters
    ----------
    recipe : {"friedel", "paper"}
        Friedel: multiple-scattering scenes and the default model's network; paper: scenes of Eq. 3 and the paper's
        attention network.
    minutes : float
        Time to train.
    steps : int
        Steps to train, instead of a time; reproducible to the seed.
    parent : str
        A model, by name or file, with whose weights the training begins.
    seed : int
        Seed of weights and scenes.
    device : str
        Where the network runs: auto, cpu, cuda, cuda:0 or mps.
    workers : int
        Processes that simulate beside this one, for a GPU that would wait for scenes.
    """

    recipe: Annotated[Literal["friedel", "paper"], Option()] = "friedel"
    minutes: Annotated[float | None, Option(above=0, most=1e6, none="30, without steps")] = None
    steps: Annotated[int | None, Option(above=0, most=10**9, none="by time")] = None
    parent: Annotated[str | None, Option(none="random weights", metavar="MODEL")] = None
    seed: Annotated[int, SEED] = 0
    device: Annotated[str, DEVICE] = "auto"
    workers: Annotated[int, Option(least=0, most=256, metavar="N")] = 0

    def check(self) -> None:
        """Refuse a time beside a number of steps."""
        if self.minutes is not None and self.steps is not None:
            raise SettingsError(
                "A training lasts a time or a number of steps, not both.", settings=("minutes", "steps")
            )


@dataclass(frozen=True)
class RecipeSettings(Settings):
    """Changes of a recipe; None leaves the recipe's own value.

    Parameters
    ----------
    size : int
        Side of the scenes of the friedel recipe.
    batch_size : int
        Scenes per step of the friedel recipe.
    fresh : int
        New scenes per step of the friedel recipe.
    pool : int
        Scenes that the friedel recipe keeps to draw from.
    average : float
        Decay of the running mean of the weights, 0 for none (friedel).
    teacher : str
        A model that is distilled beside the truth (friedel).
    confounded : float
        Share of the scenes with confounders: edges, islands, bad lines and the like (friedel).
    strength : float
        Strength of the confounders (friedel).
    sparse : float
        Share of the scenes with one to three impurities (friedel).
    maps : int
        Patches times voltages in a batch of the paper recipe.
    least_noise : float
        Smallest noise η of the paper recipe's scenes.
    learning_rate : float
        Learning rate of AdamW.
    weight_decay : float
        Weight decay of AdamW.
    """

    size: Annotated[int | None, Option(least=8, most=512, unit="px")] = None
    batch_size: Annotated[int | None, Option(least=1, most=4096)] = None
    fresh: Annotated[int | None, Option(least=1, most=4096)] = None
    pool: Annotated[int | None, Option(least=1, most=10**6)] = None
    average: Annotated[float | None, Option(least=0, most=0.999999)] = None
    teacher: Annotated[str | None, Option(metavar="MODEL")] = None
    confounded: Annotated[float | None, Option(least=0, most=1)] = None
    strength: Annotated[float | None, Option(least=0, most=100)] = None
    sparse: Annotated[float | None, Option(least=0, most=1)] = None
    maps: Annotated[int | None, Option(least=1, most=10**6)] = None
    least_noise: Annotated[float | None, Option(least=0, most=1000)] = None
    learning_rate: Annotated[float | None, Option(least=0, most=1)] = None
    weight_decay: Annotated[float | None, Option(least=0, most=1e3)] = None

    @classmethod
    def from_texts(cls, texts: Sequence[str]) -> RecipeSettings:
        """Read ``NAME=VALUE`` several times.

        Raises
        ------
        SettingsError
            If a text has another form, a name is none, or a value is wrong.
        """
        known = {one.name: one for one in settings_of(cls)}
        values: dict[str, Any] = {}
        for text in texts:
            name, equals, value = text.partition("=")
            if not (name and equals and value):
                raise SettingsError(f"{text!r} is not NAME=VALUE.", settings="set")
            if name not in known:
                raise SettingsError(
                    f"No recipe takes the setting {name!r}; there are {', '.join(known)}.", settings="set"
                )
            values[name] = known[name].parse(value)
        return cls(**values)


@dataclass(frozen=True)
class ComputeSettings(Settings):
    """What a command may use of the machine.

    Parameters
    ----------
    threads : int
        Threads of the processor.
    """

    threads: Annotated[int | None, THREADS] = None
