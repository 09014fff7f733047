"""Bands, scattering, bound states and the instrument: what a simulated map is made of."""
