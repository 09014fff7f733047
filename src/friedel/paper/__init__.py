"""Figures 3 and 4 of arXiv 2006.15898, reproduced."""
