"""A finished run in the repository: its records, its pages and its scores of single pairs under ``results/<profile>/``.

``jtcse publish`` puts them there (``outcome.py``), ``jtcse book`` builds the book from them, without weights or a network
(``pages.py``), and ``scores`` reads the scores of a system or cell, so that anyone can compute an interval again.
"""

from jtcse.experiments.published_scores import scores

__all__ = ["scores"]
