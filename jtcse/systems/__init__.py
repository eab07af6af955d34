"""One module a system: what it trains, which views it wants, what it keeps."""
