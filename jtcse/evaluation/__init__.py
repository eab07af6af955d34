"""Measuring anything that has `encode`."""
