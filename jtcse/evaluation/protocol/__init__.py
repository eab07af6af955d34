"""What a score hangs on beside the encoder: texts, poolings, subsets, aggregation."""
