"""Benchmarks of detection on synthetic fields."""
