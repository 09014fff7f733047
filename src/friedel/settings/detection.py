"""Settings of a detection: how a file is opened, which band, which method, which refit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from friedel.errors import SettingsError
from friedel.settings.base import Settings
from friedel.settings.option import Option
from friedel.settings.preparation import PrepareSettings
from friedel.settings.texts import Area, read_area, read_pixel, show_area, show_list

Method = Literal["network", "matched-field", "omp"]
Tiles = Literal["blend", "paper"]
Refit = Literal["none", "quick", "full"]

#: Where a network runs.
DEVICE = Option(pattern=r"auto|cpu|cuda(:\d+)?|mps", wanted="auto, cpu, cuda, cuda:0 or mps", advanced=True)
#: Where a network runs, of several GPUs too: files are shared out among them.
DEVICES = Option(
    pattern=r"auto|cpu|mps|cuda(:\d+)?(,cuda:\d+)*", wanted="auto, cpu, cuda, cuda:0, cuda:0,cuda:1 or mps",
    advanced=True,
)  # fmt: skip
#: Part of a map.
AREA = Option(
    least=0, none="everything", wanted="rows and columns as R0:R1,C0:C1", metavar="R0:R1,C0:C1",
    parse=read_area, show=show_area,
)  # fmt: skip
#: A pixel of a scanning tunnelling microscope: from a hundredth of an ångström to a tenth of a millimetre.
PIXEL_RANGE = {"above": 1e-3, "most": 1e5}


@dataclass(frozen=True)
class ImportSettings(Settings):
    """How a file is opened that does not hold its axes (``.npy``, ``.tif``, ``.mat`` ...).

    Parameters
    ----------
    bias : str
        Bias axis: both ends START:STOP with or without a :STEP, all values a,b,c, or one voltage.
    pixel_nm : float or (float, float)
        Pixel size, or Y,X.
    dataset : str
        The array to take, where a file holds several.
    axes : str
        Order of the axes of a bare array: byx, yxb ...
    separate_scans : bool
        Whether the maps are separate scans, between which the sample drifts; a series of image files is known to be.
    """

    bias: Annotated[str | None, Option(unit="mV", none="the file's own", metavar="START:STOP[:STEP]")] = None
    pixel_nm: Annotated[
        float | tuple[float, float] | None,
        Option(unit="nm", none="the file's own", wanted="a pixel size greater than 0.001 and at most 100000 [nm], or "
               "two (Y,X)", metavar="NM", parse=read_pixel, show=show_list, **PIXEL_RANGE),
    ] = None  # fmt: skip
    dataset: Annotated[str | None, Option(none="by rule", metavar="NAME")] = None
    axes: Annotated[
        str | None,
        Option(none="by rule", metavar="ORDER", pattern="[A-Za-z]{1,4}", wanted="letters of the axes, for example byx"),
    ] = None  # fmt: skip
    separate_scans: bool = False


@dataclass(frozen=True)
class BandSettings(Settings):
    """Surface band, k(E) = √(2m*(E−E₀))/ħ: a material, or an onset with a mass; fitted to the data's ring if none.

    Parameters
    ----------
    material : str
        A known surface state, for example au111.
    onset_mev : float
        Band onset E₀ relative to the Fermi level.
    mass : float
        Effective mass m* in electron masses.
    """

    material: Annotated[str | None, Option(none="by onset and mass, or fitted", metavar="NAME")] = None
    onset_mev: Annotated[
        float | None, Option(unit="meV", least=-1e5, most=1e5, none="a material instead", metavar="E0")
    ] = None
    mass: Annotated[float | None, Option(unit="mₑ", least=-1e3, most=1e3, none="a material instead")] = None

    def check(self) -> None:
        """Refuse an onset without a mass, both beside a material, and a mass of zero."""
        if (self.onset_mev is None) != (self.mass is None):
            raise SettingsError(
                "A surface band needs both its onset and its effective mass, or a material.",
                settings=("onset_mev", "mass", "material"),
            )
        if self.material is not None and self.mass is not None:
            raise SettingsError(
                "A surface band is given by a material, or by onset and effective mass, not by both.",
                settings=("material", "onset_mev", "mass"),
            )
        if self.mass == 0:
            raise SettingsError("The effective mass cannot be 0.", settings="mass")


@dataclass(frozen=True)
class DetectSettings(Settings):
    """Settings of a detection.

    Parameters
    ----------
    method : {"network", "matched-field", "omp"}
        The network; the matched field over all voltages; the matched field with a joint refit (classical, slow).
    model : str
        A model's name or file, for the network.
    tiles : {"blend", "paper"}
        Overlapping tiles without seams, or disjoint patches as published (for the network).
    threshold : float
        Least probability of an impurity; candidates below stay in the table of `Detections`.
    device : str
        Where the network runs: auto, cpu, cuda, cuda:0 or mps; several files are shared out among cuda:0,cuda:1.
    refit : {"none", "quick", "full"}
        Fit of all candidates together by multiple scattering: quick decides the doubtful ones, full places them
        precisely, too (slow).
    area : ((int, int), (int, int))
        Rows and columns to search.
    channel : str
        The dI/dV channel.
    demote_lines : bool
        Whether points on a line, as of a step edge, are listed with the probability that chance leaves to them.
    demote_doubles : bool
        Whether points that repeat others, as of a double tip, are listed with the probability that chance leaves them.
    band : BandSettings
        The surface band.
    prepare : PrepareSettings
        What is done to the recorded maps before.
    """

    method: Annotated[Method, Option()] = "network"
    model: Annotated[str, Option()] = "friedel"
    tiles: Annotated[Tiles, Option(advanced=True)] = "blend"
    threshold: Annotated[
        float | None,
        Option(least=0, most=1, none="the model's own", wanted="a probability from 0 to 1", metavar="P"),
    ] = None
    device: Annotated[str, DEVICES] = "auto"
    refit: Annotated[Refit | None, Option(none="quick where the model and the band allow it")] = None
    area: Annotated[Area | None, AREA] = None
    channel: Annotated[str | None, Option(none="the lock-in channel", metavar="NAME")] = None
    demote_lines: Annotated[bool, Option(advanced=True)] = True
    demote_doubles: Annotated[bool, Option(advanced=True)] = True
    band: Annotated[BandSettings, Option(parsed=False)] = field(default_factory=BandSettings)
    prepare: Annotated[PrepareSettings, Option(parsed=False)] = field(default_factory=PrepareSettings)


def devices_of(text: str) -> tuple[str, ...]:
    """The devices that a setting names, for example two of ``cuda:0,cuda:1``."""
    return tuple(part.strip() for part in text.split(","))


@dataclass(frozen=True)
class RefitSettings(Settings):
    """Settings of a refit of given points by multiple scattering.

    Parameters
    ----------
    kind : {"quick", "full"}
        Quick decides doubtful candidates; full places the points, too.
    hold : bool
        Whether the positions stay where they are given.
    channel : str
        The dI/dV channel.
    band : BandSettings
        The surface band.
    """

    kind: Annotated[Literal["quick", "full"], Option()] = "quick"
    hold: Annotated[bool, Option()] = False
    channel: Annotated[str | None, Option(none="the lock-in channel", metavar="NAME")] = None
    band: Annotated[BandSettings, Option(parsed=False)] = field(default_factory=BandSettings)


@dataclass(frozen=True)
class ConvertSettings(Settings):
    """What of a stack is written to another file.

    Parameters
    ----------
    channel : str
        The channel of a single image, or an image such as the topograph.
    at : float
        Bias of a single image: the plane nearest to it.
    area : ((int, int), (int, int))
        Rows and columns to write.
    """

    channel: Annotated[str | None, Option(none="dI/dV", metavar="NAME")] = None
    at: Annotated[
        float | None,
        Option(unit="mV", least=-1e6, most=1e6, none="the only voltage", metavar="MV"),
    ] = None
    area: Annotated[Area | None, AREA] = None


@dataclass(frozen=True)
class SampleSettings(Settings):
    """Which model is retrained on which part of a sample.

    Parameters
    ----------
    model : str
        The parent, by name or file.
    channel : str
        The dI/dV channel.
    area : ((int, int), (int, int))
        Rows and columns to learn from.
    band : BandSettings
        The surface band.
    """

    model: Annotated[str, Option(metavar="NAME|PATH")] = "friedel"
    channel: Annotated[str | None, Option(none="the lock-in channel", metavar="NAME")] = None
    area: Annotated[Area | None, AREA] = None
    band: Annotated[BandSettings, Option(parsed=False)] = field(default_factory=BandSettings)
