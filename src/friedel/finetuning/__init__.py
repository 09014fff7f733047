"""A network retrained on the opened sample, with the confidence regulariser of arXiv 2006.15898."""
