"""Settings of the standard benchmark and of the paper's figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from friedel.settings.base import Settings
from friedel.settings.detection import DEVICE
from friedel.settings.option import Option
from friedel.settings.texts import read_names, show_list


@dataclass(frozen=True)
class BenchmarkSettings(Settings):
    """Which methods are scored on which standard scenes.

    Parameters
    ----------
    seeds : int
        Fields per scene, numbers 0 to N−1.
    scenes : tuple of str
        Names of scenes, or all.
    methods : tuple of str
        Among log, matched-field, omp, omp-each (every map fitted by itself; slow), matched-field-prepared and
        omp-prepared (of prepared maps), friedel-network (without the quick refit), friedel+refit (with the full one),
        or a model's name or file.
    """

    seeds: Annotated[int, Option(least=1, most=100_000, metavar="N")] = 10
    scenes: Annotated[
        tuple[str, ...], Option(wanted="at least one name", metavar="A,B", parse=read_names, show=show_list)
    ] = ("all",)
    methods: Annotated[
        tuple[str, ...], Option(wanted="at least one name", metavar="A,B", parse=read_names, show=show_list)
    ] = ("log", "matched-field", "omp", "paper", "friedel")


@dataclass(frozen=True)
class Figure3Settings(Settings):
    """Peaks of S on the bound-state map (fig3).

    Parameters
    ----------
    model : str
        A model's name or file, or matched-field.
    """

    model: Annotated[str, Option()] = "paper"


@dataclass(frozen=True)
class Figure4Settings(Settings):
    """Four curves against the epoch, with or without noise and regulariser (fig4).

    Parameters
    ----------
    trainings : int
        Trainings per curve.
    epochs : int
        Epochs per training.
    steps : int
        Steps per epoch.
    voltages : int
        Maps, evenly spaced among the paper's.
    inner_product : {"global", "pixel"}
        How ⟨Q, K⟩ is read.
    device : str
        Where the network runs: auto, cpu, cuda, cuda:0 or mps.
    """

    trainings: Annotated[int | None, Option(least=1, most=1000, none="10, as published", metavar="N")] = None
    epochs: Annotated[int | None, Option(least=1, most=10_000, none="10", metavar="N")] = None
    steps: Annotated[int | None, Option(least=1, most=100_000, none="60", metavar="N")] = None
    voltages: Annotated[int | None, Option(least=1, most=126, none="126, as published", metavar="N")] = None
    inner_product: Annotated[Literal["global", "pixel"] | None, Option(none="global")] = None
    device: Annotated[str, DEVICE] = "auto"
