"""Joint refit of all candidates with the multiple-scattering model."""
