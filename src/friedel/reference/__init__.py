"""The reference: positions from a bound-state map, registration, agreement."""

from friedel.reference.positions import bound_state_positions
from friedel.reference.registration import Shift, register
from friedel.scoring.agreement import Agreement, agreement

__all__ = ["Agreement", "Shift", "agreement", "bound_state_positions", "register"]
