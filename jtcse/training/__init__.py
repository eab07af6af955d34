"""One training loop for any objective: selection, checkpoints, resume; and what objectives share."""

TRAINING_VERSION = 1
"""Of the code that decides a trained weight or its score. Every key of what is kept hangs on it: raise it where other digits come
out, and what was kept is made anew. ``tests/experiments/test_training_version.py`` sees that it is not forgotten."""
