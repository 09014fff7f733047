"""What an experimenter does before looking: bad data, background, lock-in phase, topographs; and the doubts after."""

from friedel.prepare.prepared import Prepared
from friedel.prepare.settings import PrepareSettings

__all__ = ["PrepareSettings", "Prepared"]
