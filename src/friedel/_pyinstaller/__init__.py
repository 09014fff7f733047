"""What PyInstaller must know of this package: modules that are imported by name, and the weights of its models."""

from pathlib import Path


def hook_dirs() -> list[str]:
    """Give the folder of the hooks, for PyInstaller's entry point."""
    return [str(Path(__file__).parent)]
