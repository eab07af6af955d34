"""``python -m jtcse``: the command line."""

from jtcse.cli import main

main()
