"""Intervals, paired comparisons and what can be told apart, from per-pair scores."""
