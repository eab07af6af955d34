"""What single pages show: each module is the body of a page, or of pages of one kind, so that notebooks stay thin."""
