"""The reference: positions from a bound-state map, registration, agreement."""

from friedel.reference.agreement import Agreement, agreement
from friedel.reference.positions import bound_state_positions
from friedel.reference.registration import Shift, register

__all__ = ["Agreement", "Shift", "agreement", "bound_state_positions", "register"]
