"""From a network's output to candidates: tiles of a large field, peaks of S, sub-pixel positions."""
