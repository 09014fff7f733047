"""The settings of the preparation; their home is `friedel.settings`."""

from friedel.settings import PrepareSettings

__all__ = ["PrepareSettings"]
