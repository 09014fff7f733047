"""The joint fit of one field: what is given (`data`), what is fitted (`state`), cost (`evaluation`), steps (`step`)."""
