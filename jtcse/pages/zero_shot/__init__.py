"""Pages of the zero-shot tables (II to VI)."""
