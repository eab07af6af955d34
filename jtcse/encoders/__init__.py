"""Towers and their sums: loading, pooling, batches, prompts, maps of vectors; saving, opening, ``encode``."""
