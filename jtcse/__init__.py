"""JTCSE, reproduced: the shared module behind the notebooks of the book."""

__version__ = "0.1.0"
