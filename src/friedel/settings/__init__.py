"""Every option once: type, default, unit, range and one line of help.

See `friedel.settings.base` for how a setting is written, and `settings_of` for what a form or a command line reads.
"""

from friedel.settings.base import Setting, Settings, check_names, setting, settings_of
from friedel.settings.detection import (
    BandSettings,
    ConvertSettings,
    DetectSettings,
    ImportSettings,
    RefitSettings,
    SampleSettings,
)
from friedel.settings.option import Option
from friedel.settings.preparation import PrepareSettings
from friedel.settings.simulation import EvaluateSettings, SimulateSettings
from friedel.settings.studies import BenchmarkSettings, Figure3Settings, Figure4Settings
from friedel.settings.training import ComputeSettings, FineTuneSettings, RecipeSettings, TrainSettings

__all__ = [
    "BandSettings", "BenchmarkSettings", "ComputeSettings", "ConvertSettings", "DetectSettings",
    "EvaluateSettings", "Figure3Settings", "Figure4Settings", "FineTuneSettings", "ImportSettings",
    "Option", "PrepareSettings", "RecipeSettings", "RefitSettings", "SampleSettings", "Setting", "Settings",
    "SimulateSettings", "TrainSettings", "check_names", "setting", "settings_of",
]  # fmt: skip
