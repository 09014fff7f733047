"""The classical baselines: the matched field, and the matched field with orthogonal matching pursuit."""
