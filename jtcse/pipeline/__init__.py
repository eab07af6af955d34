"""Which notebook runs when, the book, publishing, rerunning, releasing."""
