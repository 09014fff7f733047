"""Figures of merit of points: matching, precision and recall, chance, agreement, density."""
