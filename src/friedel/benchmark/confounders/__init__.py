"""Fields with what real ones contain besides the waves of point scatterers: seeded, never trained on.

Nothing here is shared with `friedel.training.confounders`, on purpose: shapes and random laws differ, so that these
fields stay a test of what was learned from those.
"""

from friedel.benchmark.confounders.draft import LEVELS, Confounded, Confounder
from friedel.benchmark.confounders.fields import CONFOUNDERS, HELD_OUT, confounded, confounder, families

__all__ = [
    "CONFOUNDERS",
    "HELD_OUT",
    "LEVELS",
    "Confounded",
    "Confounder",
    "confounded",
    "confounder",
    "families",
]
