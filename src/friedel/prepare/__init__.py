"""Before the detection: bad data, background, lock-in phase, topographs; after it: checks of its assumptions."""

from friedel.prepare.prepared import Band, Prepared
from friedel.prepare.settings import PrepareSettings
from friedel.prepare.stage import Sampling, prepare

__all__ = ["Band", "PrepareSettings", "Prepared", "Sampling", "prepare"]
