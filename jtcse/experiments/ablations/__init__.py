"""The grids of the ablations, their cells trained once, and what differs between them."""
