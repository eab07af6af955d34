"""Text: corpora, views of a batch, graded pair sets, the generated world."""
