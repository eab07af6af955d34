"""What is trained and measured, each once under a key: stages, grids, race, tuning, zero-shot runs."""
