"""The settings of a fine-tuning, by their earlier name."""

from __future__ import annotations

from friedel.settings import FineTuneSettings

FineTuneConfig = FineTuneSettings

__all__ = ["FineTuneConfig", "FineTuneSettings"]
