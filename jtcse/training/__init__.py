"""One training loop for any objective: selection, checkpoints, resume; and what objectives share."""
