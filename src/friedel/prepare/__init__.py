"""Before the detection: bad data, background, lock-in phase, topographs."""

from friedel.prepare.prepared import Band, Prepared
from friedel.prepare.settings import PrepareSettings
from friedel.prepare.stage import Sampling, prepare

__all__ = ["Band", "PrepareSettings", "Prepared", "Sampling", "prepare"]
