"""Synthetic fields with known impurities, the methods that are tried on them, and their scores."""
