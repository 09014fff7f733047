"""The napari plugin: drop a dI/dV stack, press "Detect", read positions in nanometres.

No science lives here; every number comes from `friedel`. See ``napari.yaml`` for what napari sees.
"""
