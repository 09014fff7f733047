"""Building blocks of docks: the dock itself, choosers, progress, plots, forms made from settings."""

from napari_friedel.widgets.dock import Dock, Message
from napari_friedel.widgets.forms import SettingsForm, form_for
from napari_friedel.widgets.job_bar import JobBar
from napari_friedel.widgets.layer_box import LayerBox
from napari_friedel.widgets.listener import Listener
from napari_friedel.widgets.small import button, hint, setting, side_by_side

__all__ = [
    "Dock",
    "JobBar",
    "LayerBox",
    "Listener",
    "Message",
    "SettingsForm",
    "button",
    "form_for",
    "hint",
    "setting",
    "side_by_side",
]
