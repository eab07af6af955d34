"""What the systems of a profile are called."""

NAMES = {
    "start": "start",
    "tower_1": "tower I",
    "tower_2": "tower II",
    "sum": "I + II",
    "jtcse": "JTCSE",
    "distilled": "distilled",
}

SYSTEMS = {
    "start": "the encoder before training",
    "tower_1": "tower I after stage 1",
    "tower_2": "tower II after stage 1",
    "sum": "towers I + II, not trained together",
    "jtcse": "JTCSE, the twin after stage 2",
    "distilled": "JTCSE distilled into one tower",
}
"""The systems that a profile measures, in the order of their making."""
