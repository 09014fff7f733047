"""Training: recipes, losses, the loop with its checkpoints, calibration."""
