"""Reports of a detection and of a folder of results: HTML, figures, tables."""
